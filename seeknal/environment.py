"""The environment, read where it costs nothing: one variable, or the references in a text.

Only this module and ``config.py`` read it; ``config.py`` knows which settings there are.
"""

from __future__ import annotations

import os
import re
from typing import Final

from seeknal.errors import ConfigError

PREFIX: Final = "SEEKNAL_"
_REFERENCE: Final = re.compile(r"\$\{([^}]*)\}")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def setting(name: str) -> str | None:
    """Return a setting as it stands there, unchecked; None if it is not set, or empty."""
    return os.environ.get(PREFIX + name) or None


def expand(text: str, where: str) -> str:
    """Replace each ``${NAME}`` in a value of a project file by that environment variable.

    Raises:
        ConfigError: a variable is not set, or what stands in the braces is no name.
    """

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if not _VARIABLE.fullmatch(name):
            raise ConfigError(f"{where}: {match[0]!r} does not name an environment variable.")
        if name not in os.environ:
            raise ConfigError(
                f"{where} refers to the environment variable {name}, which is not set; set it."
            )
        return os.environ[name]

    return _REFERENCE.sub(value, text)
