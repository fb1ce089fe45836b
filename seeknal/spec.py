"""What every spec has in common: validation whose mistakes are sentences, not pydantic's texts."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from seeknal.errors import SeeknalError, UsageError

Location = tuple[str | int, ...]

_TYPES = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "model_type": "a mapping of fields",
    "model_attributes_type": "a mapping of fields",
    "list_type": "a list",
    "tuple_type": "a list",
}


class RefusedError(ValueError):
    """A value that a validator refuses, as a sentence about it.

    ``at`` leads from what is being validated to the field at fault; ``kind`` is the error that
    a caller of the Python API gets.
    """

    def __init__(
        self, text: str, *, at: Location = (), kind: type[SeeknalError] = UsageError
    ) -> None:
        super().__init__(text)
        self.at = at
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake: where it is within a spec, what is wrong, and the error it stands for."""

    location: Location
    text: str
    kind: type[SeeknalError] = UsageError


class Spec(BaseModel):
    """A part of a spec: immutable, no unknown fields; a mistake raises UsageError."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def __init__(self, **fields: Any) -> None:
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise usage_error(type(self).__name__, type(self), error) from None

    # Pydantic calls a class's own __init__ for nested values too, where the location of a
    # mistake would be lost; this tells it that ours adds nothing to validation.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_"):
            raise UsageError(f"{type(self).__name__}.{name} cannot be assigned; make a new one.")
        super().__setattr__(name, value)


def usage_error(what: str, model: type[BaseModel], error: ValidationError) -> SeeknalError:
    """Return the error that a caller of the Python API gets for a spec's mistakes."""
    found = problems(model, error, python=True)
    return found[0].kind("\n".join(sentence(f"{what}: {problem.text}") for problem in found))


def problems(
    model: type[BaseModel], error: ValidationError, *, python: bool = False
) -> list[Problem]:
    """Return a validation's mistakes; a missing field that was only misspelt is left out.

    ``python`` says that the caller has classes, not mappings of fields.
    """
    found: list[Problem] = []
    guessed: set[Location] = set()
    missing: list[Location] = []
    for detail in error.errors():
        # Pydantic marks a mistake in a mapping's key by one more step.
        location = tuple(step for step in detail["loc"] if step != "[key]")
        if detail["type"] == "missing":
            missing.append(location)
        elif detail["type"] == "extra_forbidden":
            text, guess = _unknown(model, location)
            guessed.add((*location[:-1], guess))
            found.append(Problem(location, text))
        else:
            found.append(_problem(location, detail, python))
    found.extend(
        Problem(location, f"the field {field_name(location)} is missing")
        for location in missing
        if location not in guessed
    )
    return found


def sentence(text: str) -> str:
    """End a message with a full stop, unless it has its end."""
    return text if text.endswith((".", "?", "!")) else f"{text}."


def field_name(location: Location) -> str:
    """Write a location as people read it: ``'tasks[0].sql'``."""
    text = ""
    for step in location:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return repr(text)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that a misspelt one most likely stands for."""
    names = list(known)
    folded = {each.casefold(): each for each in reversed(names)}
    if name.casefold() in folded:
        return folded[name.casefold()]
    found = difflib.get_close_matches(name, names, 1, 0.6)
    return found[0] if found else None


def suggest(name: str, known: Sequence[str], what: str) -> str:
    """Return the end of a sentence about an unknown name: a guess, else what is known."""
    near = nearest(name, known)
    if near is not None:
        return f"did you mean {near!r}?"
    return f"known {what}: {', '.join(known)}" if known else f"there are no {what} yet"


def describe(value: object) -> str:
    """Say in a few words what a value is."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"the value {str(value).lower()}"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        return f"the text {shorten(value)!r}"
    kinds: dict[type[object], str] = {dict: "a mapping", list: "a list", tuple: "a list"}
    return kinds.get(type(value), f"a {type(value).__name__}")


def shorten(text: str, most: int = 60) -> str:
    """Cut a text that would make a message unreadable."""
    return text if len(text) <= most else text[: most - 3] + "..."


def _problem(location: Location, detail: Any, python: bool) -> Problem:
    kind, value = detail["type"], detail["input"]
    refused = detail.get("ctx", {}).get("error")
    if isinstance(refused, RefusedError):
        location = (*location, *refused.at)
        prefix = f"{field_name(location)}: " if location else ""
        return Problem(location, f"{prefix}{refused}", refused.kind)
    if kind == "literal_error":
        return Problem(location, _not_one_of(location, detail))
    if kind in _TYPES:
        wanted = _TYPES[kind]
        if python and kind == "model_type":
            wanted = f"a {detail['ctx']['class_name']}"
        quote = "; put it in quotes" if wanted == "text" and _scalar(value) else ""
        return Problem(
            location, f"{field_name(location)} must be {wanted}, not {describe(value)}{quote}"
        )
    return Problem(location, f"{field_name(location)}: {describe(value)} is not valid here")


def _scalar(value: object) -> bool:
    return isinstance(value, bool | int | float)


def _not_one_of(location: Location, detail: Any) -> str:
    known = [each.strip("' ") for each in detail["ctx"]["expected"].replace(" or ", ",").split(",")]
    value = detail["input"]
    text = f"{field_name(location)} cannot be {describe(value)}"
    if isinstance(value, str) and (near := nearest(value, known)):
        return f"{text}; did you mean {near!r}?"
    return f"{text}; choose from: {', '.join(known)}"


def _unknown(model: type[BaseModel], location: Location) -> tuple[str, str]:
    name = str(location[-1])
    inside = f" in {field_name(location[:-1])}" if location[:-1] else ""
    known = list(_model_at(model, location[:-1]).model_fields)
    guess = nearest(name, known) or ""
    return f"unknown field {name!r}{inside}; {suggest(name, known, 'fields')}", guess


def _model_at(model: type[BaseModel], location: Location) -> type[BaseModel]:
    """Return the model that a location leads to; steps through lists and mappings stay."""
    for step in location:
        field = model.model_fields.get(str(step))
        if field is not None:
            model = _model_in(field.annotation) or model
    return model


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_model_in(inner) for inner in get_args(annotation))
    return next((each for each in found if each is not None), None)
