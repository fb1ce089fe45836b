"""YAML files that people write: read with line numbers, validated with sentences, written well.

Only plain data is read: text, numbers, true and false, null, lists and mappings. Dates stay text
and so do ``yes``, ``no``, ``on`` and ``off`` (YAML 1.2's rules); aliases and tags are refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from yaml.reader import Reader

from seeknal.errors import ConfigError
from seeknal.spec import Location, problems, sentence

M = TypeVar("M", bound=BaseModel)

_TAG = "tag:yaml.org,2002:"
_RESOLVERS = (
    ("bool", re.compile(r"true|True|TRUE|false|False|FALSE"), "tTfF"),
    ("int", re.compile(r"[-+]?[0-9]{1,18}"), "-+0123456789"),
    (
        "float",
        re.compile(r"[-+]?(?:\.[0-9]{1,30}|[0-9]{1,30}(?:\.[0-9]{0,30})?)(?:[eE][-+]?[0-9]{1,2})?"),
        "-+.0123456789",
    ),
    ("null", re.compile(r"~|null|Null|NULL|"), ["~", "n", "N", ""]),
)


@dataclass(frozen=True, slots=True)
class Document:
    """What a file says: its data, and the line of each field.

    ``label`` is how messages name the file. ``lines`` has the line of every key and list item.
    """

    label: str
    text: str
    data: Any
    lines: Mapping[Location, int]

    def line(self, location: Location) -> int:
        """Return the line of a location, or of the nearest one around it."""
        while location and location not in self.lines:
            location = location[:-1]
        return self.lines.get(location, 1)

    def error(self, location: Location, text: str) -> ConfigError:
        """Return the error for a mistake at a location."""
        return ConfigError(self._sentence(location, text))

    def validate(self, model: type[M]) -> M:
        """Return the data as a spec.

        Raises:
            ConfigError: the data is no such spec; one sentence a mistake, by line.
        """
        if not isinstance(self.data, dict):
            known = ", ".join(list(model.model_fields)[:3])
            raise self.error((), f"the file must be a mapping of fields ({known}, ...)")
        try:
            return model.model_validate(self.data)
        except ValidationError as error:
            found = sorted(problems(model, error), key=lambda p: self.line(p.location))
            raise ConfigError(
                "\n".join(self._sentence(each.location, each.text) for each in found)
            ) from None

    def _sentence(self, location: Location, text: str) -> str:
        return sentence(f"{self.label}, line {self.line(location)}: {text}")


def read_document(path: Path, label: str) -> Document:
    """Read a YAML file.

    Raises:
        ConfigError: the file cannot be read, or is not valid YAML of plain data.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"Cannot read {label}: {error.strerror or error}; check its path and permissions."
        ) from None
    return parse_document(raw, label)


def parse_document(raw: bytes, label: str) -> Document:
    """Read YAML text; see :func:`read_document`."""
    text = _decode(raw, label)
    loader = _Loader(text)
    lines: dict[Location, int] = {}
    try:
        node = loader.get_single_node()
        data = None if node is None else _value(node, (), lines)
    except _UnfitError as error:
        raise ConfigError(sentence(f"{label}, line {error.line}: {error}")) from None
    except yaml.MarkedYAMLError as error:
        raise ConfigError(_syntax(label, error)) from None
    except yaml.YAMLError as error:
        raise ConfigError(sentence(f"{label}: not valid YAML: {error}")) from None
    except RecursionError:
        raise ConfigError(f"{label}: lists and mappings are nested too deeply.") from None
    finally:
        loader.dispose()
    return Document(label, text, data, lines)


class Block(str):
    """Text that is written as a ``|`` block, also when it is one line."""

    __slots__ = ()


def dump_yaml(data: Mapping[str, Any]) -> str:
    """Write data as YAML that :func:`read_document` reads back, in the order it is in."""
    text: str = yaml.dump(
        dict(data), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000
    )
    return text


class _UnfitError(Exception):
    def __init__(self, node: yaml.Node | yaml.Event, text: str) -> None:
        super().__init__(text)
        self.line = 1 if node.start_mark is None else node.start_mark.line + 1


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event: yaml.Event = self.get_event()  # type: ignore[no-untyped-call]
            raise _UnfitError(event, "aliases (*name) are not supported; write it out")
        return super().compose_node(parent, index)


class _Dumper(yaml.SafeDumper):
    # YAML 1.1's rules as well as ours, so that other readers take no text for something else;
    # dates are the exception: quotes around them would only be noise.
    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [each for each in resolvers if each[0] != f"{_TAG}timestamp"]
        for first, resolvers in yaml.SafeDumper.yaml_implicit_resolvers.items()
    }

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    if isinstance(text, Block):
        return dumper.represent_scalar(f"{_TAG}str", f"{text}\n", style="|")
    return dumper.represent_scalar(f"{_TAG}str", text, style="|" if "\n" in text else None)


for _name, _pattern, _first in _RESOLVERS:
    _whole = re.compile(rf"(?:{_pattern.pattern})\Z")
    _Loader.add_implicit_resolver(_TAG + _name, _whole, list(_first))
    _Dumper.add_implicit_resolver(_TAG + _name, _whole, list(_first))
_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(Block, _represent_text)


def _decode(raw: bytes, label: str) -> str:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{label}, line {line}: this is not UTF-8; save it as that.") from None
    bad = Reader.NON_PRINTABLE.search(text)
    if bad is not None:
        line = text.count("\n", 0, bad.start()) + 1
        raise ConfigError(
            f"{label}, line {line}: the character {bad[0]!r} cannot be in a text file; remove it."
        )
    return text


def _syntax(label: str, error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    where = f"{label}, line {mark.line + 1}" if mark is not None else label
    what = error.problem or error.context or "it cannot be parsed"
    if "'\\t'" in what:
        what += "; indent with spaces, not with tabs"
    if "single document" in (error.context or ""):
        what = "more than one document; remove the '---' between them"
    return sentence(f"{where}: not valid YAML: {what}")


def _value(node: yaml.Node, at: Location, lines: dict[Location, int]) -> Any:
    lines.setdefault(at, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, at, lines)
    if isinstance(node, yaml.SequenceNode) and node.tag == f"{_TAG}seq":
        return [_value(item, (*at, n), lines) for n, item in enumerate(node.value)]
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node)
    raise _UnfitError(node, f"the tag {node.tag!r} is not supported; write plain data")


def _mapping(node: yaml.MappingNode, at: Location, lines: dict[Location, int]) -> dict[str, Any]:
    if node.tag != f"{_TAG}map":
        raise _UnfitError(node, f"the tag {node.tag!r} is not supported; write plain data")
    found: dict[str, Any] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise _UnfitError(key, "a field's name must be text")
        name, here = key.value, (*at, key.value)
        if name in found:
            raise _UnfitError(
                key, f"duplicate field {name!r}, first on line {lines[here]}; keep one"
            )
        lines[here] = key.start_mark.line + 1
        found[name] = _value(value, here, lines)
    return found


def _scalar(node: yaml.ScalarNode) -> Any:
    text = node.value
    try:
        match node.tag.removeprefix(_TAG):
            case "str":
                return text
            case "int":
                return int(text)
            case "float":
                return float(text)
            case "null":
                return None
            case "bool":
                return {"true": True, "false": False}[text.lower()]
    except (ValueError, KeyError):
        pass
    raise _UnfitError(node, f"the tag {node.tag!r} is not supported; write plain data")
