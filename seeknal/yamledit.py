"""Changing a YAML file the way a person would: only the fields that changed are rewritten.

A field here is one of the top level: its lines, and the comments and blank lines above it. The
comments of a field that did not change stay; those inside one that did, or of one that went, go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seeknal.yamlfile import Document, dump_yaml


def edited_yaml(
    document: Document, before: Mapping[str, Any], after: Mapping[str, Any], order: Sequence[str]
) -> str:
    """Return the text of a file that says ``after`` once its fields have lines of their own.

    ``before`` is what the document says, in the same form as ``after``: without defaults. New
    fields go where ``order`` has them. Whoever calls reads the text to see whether it fits.
    """
    header, fields = _parts(document)
    kept: dict[str, str] = {}
    for key, (aside, body) in fields.items():
        if before.get(key) == after.get(key):
            kept[key] = aside + body
        elif key in after:
            kept[key] = aside + dump_yaml({key: after[key]})
    for key in after:
        if key not in kept:
            kept = _inserted(kept, key, dump_yaml({key: after[key]}), order)
    return header + "".join(kept.values())


def _inserted(fields: dict[str, str], key: str, text: str, order: Sequence[str]) -> dict[str, str]:
    """Return the fields with one more, after the last of those that come before it."""
    earlier = order[: order.index(key)]
    found = [n for n, each in enumerate(fields) if each in earlier]
    place = found[-1] + 1 if found else 0
    items = list(fields.items())
    return dict([*items[:place], (key, text), *items[place:]])


def _parts(document: Document) -> tuple[str, dict[str, tuple[str, str]]]:
    """Return what is above the first field, and of each field what is above it and its lines."""
    lines = [f"{line}\n" for line in document.text.splitlines()]
    starts = [(document.lines[(key,)] - 1, key) for key in document.data]
    ends = [start for start, _ in starts[1:]] + [len(lines)]
    fields: dict[str, tuple[str, str]] = {}
    above = ""
    for (start, key), end in zip(starts, ends, strict=True):
        cut = _body_end(lines, start, end)
        fields[key] = (above, "".join(lines[start:cut]))
        above = "".join(lines[cut:end])
    if starts:
        key = starts[-1][1]
        fields[key] = (fields[key][0], fields[key][1] + above)
    return "".join(lines[: starts[0][0]] if starts else lines), fields


def _body_end(lines: Sequence[str], start: int, end: int) -> int:
    """Return where a field's own lines end and what is above the next one begins.

    Only comments that are not indented count: a line of SQL may begin with ``#`` as well.
    """
    while end > start + 1 and (lines[end - 1].startswith("#") or not lines[end - 1].strip()):
        end -= 1
    return end
