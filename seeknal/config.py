"""The settings that a machine gives: checked, so that what is misspelt is not overlooked.

A variable that starts with ``SEEKNAL_`` is a setting, so an unknown one is an error: a misspelt
``SEEKNAL_REDIS_ULR`` must not start a run against the wrong store. Secrets of connections are
referred to as ``${NAME}`` in project files and looked up when they are needed.
"""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from seeknal.environment import PREFIX
from seeknal.errors import ConfigError

_LISTEN = re.compile(r"(?:(?P<host>\[[0-9A-Fa-f:.%]+\]|[^\s:@/\[\]]+):)?(?P<port>\d{1,5})")
_HINTS = {
    "lease": "give seconds from 1 to 86400, for example 30",
    "grace": "give seconds from 0 to 86400, for example 20",
    "redis_url": "give a URL such as redis://localhost:6379/0",
    "data_root": "give the path of a folder",
    "project": "give the path of a project's folder",
    "metrics_port": "give a port such as 9464, or an address such as 127.0.0.1:9464",
}


def listen_address(text: str) -> tuple[str, int]:
    """Return the host and port that ``9464``, ``127.0.0.1:9464`` or ``[::1]:9464`` means.

    A port alone means every address of this machine: the host ``0.0.0.0``.

    Raises:
        ValueError: it is neither.
    """
    match = _LISTEN.fullmatch(text)
    if match is None or not 1 <= int(match["port"]) <= 65_535:
        raise ValueError(f"{text!r} is no port from 1 to 65535, nor HOST:PORT")
    return (match["host"] or "0.0.0.0").strip("[]"), int(match["port"])


def _listening(text: str) -> str:
    listen_address(text)
    return text


class Settings(BaseSettings):
    """What this machine sets for every project; use :func:`load_settings` to read it.

    ``project`` is the project's folder (default: found by walking up), ``data_root`` the folder
    that relative paths of flows start from (default: the project's), ``redis_url`` the shared
    store (default: the project's, else the embedded one), ``lease`` a lease's length in seconds,
    ``grace`` how many seconds a worker that is told to stop lets its units run on,
    ``metrics_port`` where a worker serves metrics (default: nowhere), as :func:`listen_address`
    reads it.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="forbid", frozen=True
    )

    project: Path | None = None
    data_root: Path | None = None
    redis_url: str | None = Field(default=None, pattern=r"^(rediss?|unix)://\S+$")
    lease: float = Field(default=30.0, ge=1, le=86_400, allow_inf_nan=False)
    grace: float = Field(default=20.0, ge=0, le=86_400, allow_inf_nan=False)
    metrics_port: Annotated[str, AfterValidator(_listening)] | None = None


def load_settings() -> Settings:
    """Read the settings from the environment, anew at each call.

    Raises:
        ConfigError: a ``SEEKNAL_`` variable is unknown or malformed; the message names it.
    """
    _refuse_unknown()
    try:
        return Settings()
    except ValidationError as error:
        field = str(error.errors()[0]["loc"][0])
        name = PREFIX + field.upper()
        # The value of a URL may hold a password: it is not repeated.
        shown = "" if field == "redis_url" else f" ({os.environ.get(name, '')!r})"
        raise ConfigError(
            f"The environment variable {name}{shown} is not valid; {_HINTS[field]}."
        ) from None


def _refuse_unknown() -> None:
    known = [PREFIX + field.upper() for field in Settings.model_fields]
    for name in sorted(os.environ):
        if not name.upper().startswith(PREFIX) or name.upper() in known:
            continue
        fields = list(Settings.model_fields)
        near = difflib.get_close_matches(name[len(PREFIX) :].lower(), fields, 1)
        hint = (
            f"did you mean {PREFIX}{near[0].upper()}?"
            if near
            else f"known ones: {', '.join(known)}."
        )
        raise ConfigError(f"There is no setting for the environment variable {name}; {hint}")
