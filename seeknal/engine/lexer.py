"""Cuts SQL into tokens the way DuckDB does, as far as placing a literal safely needs it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_START = r"A-Za-z_\x80-\U0010ffff"
_TOKEN = re.compile(
    rf"""
      (?P<comment> --[^\r\n]* )
    | (?P<block> /\* )
    | (?P<dollar> \$ (?: [{_START}][{_START}0-9]* )? \$ )
    | (?P<escape> [eE]'(?: [^'\\] | \\. | '' )*' )
    | (?P<string> '(?: [^'] | '' )*' )
    | (?P<quoted> "(?: [^"] | "" )*" )
    | (?P<word> [{_START}][{_START}0-9$]* )
    | (?P<number> [0-9][{_START}0-9.]* )
    | (?P<space> \s+ )
    | (?P<other> . )
    """,
    re.VERBOSE | re.DOTALL,
)
_BLOCK_EDGE = re.compile(r"/\*|\*/")


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of SQL: ``kind`` is the name of a group of the lexer's pattern."""

    kind: str
    text: str

    @property
    def is_blank(self) -> bool:
        """Whether the token is white space or a comment."""
        return self.kind in ("space", "comment", "block")


def tokens(sql: str) -> Iterator[Token]:
    """Yield the tokens of ``sql``; joined they are ``sql`` again.

    Text that is cut off (an open quote or comment) comes as ``other``: DuckDB refuses it.
    """
    at = 0
    while at < len(sql):
        match = _TOKEN.match(sql, at)
        assert match is not None and match.lastgroup is not None  # `other` matches anything
        kind, end = match.lastgroup, match.end()
        if kind == "block":
            end = _block_end(sql, at)
        elif kind == "dollar":
            close = sql.find(match[0], end)
            kind, end = ("dollar", close + len(match[0])) if close >= 0 else ("other", end)
        yield Token(kind, sql[at:end])
        at = end


def _block_end(sql: str, at: int) -> int:
    """Return where the block comment at ``at`` ends; they nest."""
    depth = 0
    for edge in _BLOCK_EDGE.finditer(sql, at):
        depth += 1 if edge[0] == "/*" else -1
        if depth == 0:
            return edge.end()
    return len(sql)
