"""The two streams: what was asked for on standard output, all else on standard error.

A stream whose reader has gone (``| head``) is silent from then on: a run goes on to its end, and
its exit code stays true.
"""

from __future__ import annotations

import os
import sys
from typing import TextIO

from seeknal.errors import OutputError

_DUMB = ("dumb", "unknown")

_gone: set[str] = set()


def show(text: str = "") -> None:
    """Print a line of what was asked for, to standard output.

    Raises:
        OutputError: it is redirected to where nothing can be written.
    """
    _print(text, "stdout")


def say(text: str = "") -> None:
    """Print a line of chatter, to standard error."""
    _print(text, "stderr")


def is_plain() -> bool:
    """Return whether colours are not wanted: by NO_COLOR, or a terminal that has none."""
    return bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") in _DUMB


def is_terminal() -> bool:
    """Return whether standard error is a terminal on which lines can be drawn anew."""
    return sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") not in _DUMB


def is_read() -> bool:
    """Return whether somebody may still read standard output."""
    return "stdout" not in _gone


def silence() -> None:
    """Send what is still buffered for standard output nowhere; its reader has gone."""
    _silence(sys.stdout, "stdout")


def _print(text: str, name: str) -> None:
    # Looked up each time: whoever tests or embeds the command line replaces them.
    stream: TextIO | None = getattr(sys, name)
    if stream is None or name in _gone:
        return
    try:
        stream.write(_writable(f"{text}\n", stream))
        stream.flush()
    except BrokenPipeError:
        _silence(stream, name)
    except OSError as error:
        _silence(stream, name)
        if name == "stdout":
            raise OutputError(
                f"Cannot write to standard output: {error.strerror or error}; make room, or "
                "direct it elsewhere."
            ) from None


def _writable(text: str, stream: TextIO) -> str:
    """Return a text with what the stream's encoding lacks replaced: no terminal need have ✓."""
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)


def _silence(stream: TextIO, name: str) -> None:
    """Send what is still buffered nowhere; Python would complain of it while it exits."""
    _gone.add(name)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
