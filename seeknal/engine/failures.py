"""Makes DuckDB's errors into Seeknal's: one readable sentence, and whether to try again."""

from __future__ import annotations

import difflib
import re

import duckdb

from seeknal.errors import (
    DataUnavailableError,
    InterruptedRunError,
    OutputError,
    PermanentQueryError,
    QueryError,
    SeeknalError,
)

_LONGEST = 300
_PREFIX = re.compile(r"\A[A-Z][A-Za-z ]* Error: ")
_POSITION = re.compile(r"\n+LINE (\d+): ([^\n]*)(?:\n( *)\^)?")
_NOISE = re.compile(
    r"\s*(?:\tCandidate functions:|Possible solutions:|See also http|Stack Trace:|"
    r"For more information, see|However, you would be able|Please try installing|"
    r'Did you mean "(?:pg_|duckdb_|information_schema)).*',
    re.DOTALL,
)
_MISSING = re.compile(
    r"no files found|does not exist|no such file|cannot open file|could not set lock|"
    r"not a valid duckdb database|permission denied",
    re.IGNORECASE,
)
_FULL = re.compile(r"no space left|disk quota", re.IGNORECASE)
_FIXED = re.compile(r"read-only file system", re.IGNORECASE)
_OPTION = re.compile(
    r'Invalid named parameter "([^"]*)" for function (\w+)\s+Candidates:(.*)', re.DOTALL
)
_WORD = re.compile(r"[^\s(),;]+")

_PERMANENT = (
    duckdb.ParserException,
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.SyntaxException,
    duckdb.NotSupportedError,
)


def failure(error: BaseException, lines_before: int = 0, target: str = "") -> SeeknalError:
    """Return what an error of DuckDB's means to the operator.

    ``lines_before`` is how many lines the engine put before the SQL that the operator wrote;
    ``target`` is the file that was being written.
    """
    said = _sentence(str(error), lines_before)
    if isinstance(error, duckdb.InterruptException) or _is_signal(error):
        return InterruptedRunError("The query was interrupted.")
    if isinstance(error, duckdb.PermissionException):
        return PermanentQueryError(
            f"The SQL reaches outside of the flow's input and output: {said}"
        )
    if isinstance(error, _PERMANENT):
        return PermanentQueryError(f"The SQL cannot run: {said}")
    if isinstance(error, duckdb.IOException):
        return _io(said, bool(target) and target in str(error))
    if isinstance(error, duckdb.OutOfMemoryException):
        return QueryError(
            f"The query ran out of memory: {said} "
            "Give it more memory, run fewer workers, or use shorter intervals."
        )
    return QueryError(f"The query failed: {said}")


def _is_signal(error: BaseException) -> bool:
    """Whether this is what DuckDB makes of Ctrl-C in the main thread."""
    return isinstance(error, RuntimeError) and "interrupt" in str(error).lower()


def _io(said: str, at_target: bool) -> SeeknalError:
    if _FULL.search(said):
        return OutputError(f"The output cannot be written: {said} Make room, then run again.")
    if _FIXED.search(said):
        return OutputError(
            f"The output cannot be written: {said} Choose an output path that can be written."
        )
    if at_target:
        return OutputError(f"The output cannot be written: {said} Check that path.")
    if _MISSING.search(said):
        return DataUnavailableError(
            f"The input cannot be read: {said} Put the data there, or correct the input's value."
        )
    return QueryError(f"The query failed: {said}")


def _sentence(message: str, lines_before: int) -> str:
    """Return the message without noise, with the place at its end: ``... (line 2, near "x").``."""
    position = _POSITION.search(message)
    body = message[: position.start()] if position else message
    body = _option(body)
    body = " ".join(_NOISE.sub("", _PREFIX.sub("", body)).split())
    if len(body) > _LONGEST:
        body = body[: _LONGEST - 3] + "..."
    place = _place(position, lines_before) if position else ""
    return body.rstrip(".!:; ") + place + "."


def _option(body: str) -> str:
    """Name the nearest option instead of the forty that a reader has."""
    unknown = _OPTION.search(body)
    if unknown is None:
        return body
    known = [line.split()[0] for line in unknown[3].splitlines() if line.strip()]
    near = difflib.get_close_matches(unknown[1], known, 1)
    hint = f'did you mean "{near[0]}"' if near else "see DuckDB's documentation of it"
    return f'{unknown[2]} has no option "{unknown[1]}"; {hint}'


def _place(position: re.Match[str], lines_before: int) -> str:
    number = int(position[1]) - lines_before
    caret = len(position[3] or "") - len(f"LINE {position[1]}: ")
    word = _WORD.match(position[2], caret) if caret >= 0 else None
    near = f" near {word[0]}" if word else ""
    if number < 1:
        return f" ({near.strip()})" if near else ""
    return f" (line {number}{near and ','}{near})"
