"""A project's folder: its file, where its flows, data, output and state are, and its store.

Below the flows, so that a flow can find the project it belongs to and save itself there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError

from seeknal.config import load_settings
from seeknal.environment import expand
from seeknal.errors import ConfigError, DataUnavailableError, UnknownNameError, UsageError
from seeknal.files import create_once, make_folder
from seeknal.places import FLOWS, PROJECT_FILE, STATE_FILE, TARGET, flow_files, nearest
from seeknal.spec import RefusedError, Spec, describe, sentence, suggest
from seeknal.stores.base import Store
from seeknal.yamlfile import Document, dump_yaml, read_document

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,99}")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


def checked_name(value: object) -> str:
    """Return the name of a flow, project or connection.

    Raises:
        RefusedError: it is not 1 to 100 letters, digits, ``_`` or ``-``, or begins with ``-``.
    """
    if not isinstance(value, str):
        quote = "; put it in quotes" if isinstance(value, int | float) else ""
        raise RefusedError(f"a name must be text, not {describe(value)}{quote}")
    if not _NAME.fullmatch(value):
        raise RefusedError(
            f"{describe(value)} is not a name; use 1 to 100 letters, digits, '_' or '-'"
            + (", not beginning with '-'" if value.startswith("-") else "")
        )
    return value


def is_uri(path: str) -> bool:
    """Return whether a path names its own place (``s3://...``) and is relative to nothing."""
    return _URI.match(path) is not None


def _without_secret(url: str) -> str:
    if not url.startswith("${") and not re.match(r"(rediss?|unix)://\S", url):
        raise RefusedError("write a URL such as redis://localhost:6379/0, or ${VARIABLE}")
    try:
        password = urlsplit(url).password or ""
    except ValueError:
        raise RefusedError("write a URL such as redis://localhost:6379/0, or ${VARIABLE}") from None
    if password and not re.fullmatch(r"\$\{[^}]*\}", password):
        raise RefusedError("a password must not stand in a file; write ${VARIABLE} in its place")
    return url


def _some_path(path: str) -> str:
    if not path.strip() or "\0" in path:
        raise RefusedError("the path is empty or holds a NUL character")
    return path


Name = Annotated[str, BeforeValidator(checked_name)]
PathText = Annotated[str, AfterValidator(_some_path)]


class DuckDBConnection(Spec):
    """A DuckDB file under a name of its own; ``path`` may hold ``${VARIABLE}`` references."""

    kind: Literal["duckdb"]
    path: PathText


class ProjectSpec(Spec):
    """What ``seeknal_project.yml`` holds. Other kinds of connections join by their ``kind``."""

    name: Name
    data_root: PathText | None = None
    redis_url: Annotated[str, AfterValidator(_without_secret)] | None = None
    connections: dict[Name, DuckDBConnection] = Field(default_factory=dict)


class Home:
    """A project's folder, as its file and this machine's settings describe it.

    Attributes:
        root: the folder that holds ``seeknal_project.yml``, absolute.
        spec: what that file says.
        settings: what this machine's environment says; it wins over the file.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.settings = load_settings()
        document = read_document(root / PROJECT_FILE, str(root / PROJECT_FILE))
        self.spec = document.validate(ProjectSpec)
        self._redis_url: str | None = None

    @classmethod
    def of_snapshot(cls, snapshot: Mapping[str, Any]) -> Home:
        """Return a project as :meth:`snapshot` tells of it, on a machine without its folder.

        The data root, by default the working folder, stands in for the folder.

        Raises:
            ConfigError: it is not a snapshot of a project.
        """
        home = cls.__new__(cls)
        home.settings = load_settings()
        home.root = Path.cwd() / (home.settings.data_root or "")
        home._redis_url = None
        try:
            home.spec = ProjectSpec.model_validate(dict(snapshot))
        except ValidationError:
            raise ConfigError(
                "What the run says of its project cannot be read; the version of Seeknal that "
                "launched it is another one. Use the same version everywhere."
            ) from None
        return home

    def snapshot(self) -> dict[str, Any]:
        """Return what other machines need to know of the project, as JSON values.

        Nothing in it is a secret, or a path of this machine within the data root: variables
        stay references.
        """
        connections = {
            name: {"kind": each.kind, "path": self.portable(each.path)}
            for name, each in self.spec.connections.items()
        }
        return {"name": self.spec.name, "connections": connections}

    def use_redis(self, url: str) -> None:
        """Use the shared store at an address, whatever the project and the machine say."""
        self._redis_url = url

    @classmethod
    def find(cls, path: str | os.PathLike[str] | None = None) -> Home:
        """Open the project of a folder, or of the nearest one above it.

        Without a path the search begins at ``SEEKNAL_PROJECT``, else at the working folder.

        Raises:
            ConfigError: there is no project, or its file is not valid.
        """
        start = _start(path)
        root = nearest(start)
        if root is None:
            raise ConfigError(
                f"There is no project in {start} or above it ({PROJECT_FILE} is missing); run "
                "'seeknal init' in its folder, or give --project-path."
            )
        return cls(root)

    @classmethod
    def get_or_create(cls, name: str, path: str | os.PathLike[str] | None = None) -> Home:
        """Open the project of a folder, making what is missing.

        Without a path that is the nearest project upwards, else the working folder.

        Raises:
            ConfigError: the folder has a project of another name, or cannot be written.
        """
        if path is None:
            start = _start(None)
            root = nearest(start) or start
        else:
            root = _absolute(path)
        make_folder(root)
        if not (root / PROJECT_FILE).exists():
            create_once(root / PROJECT_FILE, dump_yaml({"name": name}))
        home = cls(root)
        if home.spec.name != name:
            raise ConfigError(
                f"{root} holds the project {home.spec.name!r}, not {name!r}; use that name, or "
                "another folder."
            )
        make_folder(home.flows)
        make_folder(home.target)
        return home

    @property
    def flows(self) -> Path:
        """The folder of the flow files."""
        return self.root / FLOWS

    @property
    def target(self) -> Path:
        """The folder of what Seeknal makes: state and, by default, output."""
        return self.root / TARGET

    @property
    def data_root(self) -> Path:
        """The folder that relative paths of flows and connections start from."""
        if self.settings.data_root is not None:
            return Path.cwd() / self.settings.data_root
        return self.root / expand(self.spec.data_root or "", f"{PROJECT_FILE}: data_root")

    @property
    def redis_url(self) -> str | None:
        """The address of the shared store, or None for the embedded one."""
        if self._redis_url is not None:
            return self._redis_url
        if self.settings.redis_url is not None:
            return self.settings.redis_url
        url = self.spec.redis_url
        return None if url is None else expand(url, f"{PROJECT_FILE}: redis_url")

    def open_store(self) -> Store:
        """Open the project's store; the caller closes it.

        Raises:
            StoreError: the store's file or server cannot be used.
        """
        if self.redis_url is not None:
            from seeknal.stores.redis import RedisStore

            return RedisStore(self.redis_url, self.spec.name, lease=self.settings.lease)
        from seeknal.stores.sqlite import SQLiteStore

        make_folder(self.target)
        return SQLiteStore(self.target / STATE_FILE)

    def locate(self, path: str) -> str:
        """Return where a path of a spec is on this machine: a URI stays, all else is absolute."""
        return path if is_uri(path) else os.path.normpath(self.data_root / path)

    def portable(self, path: str) -> str:
        """Return a path as specs hold it: relative to the data root if it lies within."""
        if is_uri(path) or not Path(path).is_absolute():
            return path
        for root in (self.data_root, self.data_root.resolve()):
            if Path(path).is_relative_to(root) and Path(path) != root:
                return Path(path).relative_to(root).as_posix()
        return path

    def resolve_database(self, value: str) -> Path:
        """Return the DuckDB file that a database input names.

        That is a connection's, else the file ``<value>.duckdb`` of the project's folder or data
        root or of ``data`` within; a value with a slash or ``.duckdb`` is a path itself.

        Raises:
            DataUnavailableError: the file is not there; the message lists where it should be.
        """
        places = self._database_places(value)
        for place in places:
            if place.is_file():
                return place
        looked = ", ".join(str(place) for place in places)
        known = ", ".join(self.spec.connections)
        hint = f" Connections of {PROJECT_FILE}: {known}." if known else ""
        raise DataUnavailableError(
            f"There is no database {value!r}: looked for {looked}. Put the file there, or declare "
            f"a connection of that name in {PROJECT_FILE}.{hint}"
        )

    def _database_places(self, value: str) -> list[Path]:
        connection = self.spec.connections.get(value)
        if connection is not None:
            where = f"{PROJECT_FILE}: connections.{value}.path"
            return [Path(self.locate(expand(connection.path, where)))]
        if "/" in value or value.endswith(".duckdb"):
            return [Path(self.locate(value))]
        folders = (folder / sub for folder in (self.root, self.data_root) for sub in ("", "data"))
        return list(dict.fromkeys(folder / f"{value}.duckdb" for folder in folders))

    # -- flow files -------------------------------------------------------------------------

    def flow_paths(self) -> list[Path]:
        """Return the flow files, sorted by name; hidden ones and backups are none."""
        try:
            return sorted(flow_files(self.flows))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ConfigError(
                f"Cannot read {self.flows}: {error.strerror}; check its permissions."
            ) from None

    def flow_path(self, name: str) -> Path | None:
        """Return the file of a flow, or None.

        Raises:
            ConfigError: two files are the flow's, or would be where case does not count.
        """
        found = [path for path in self.flow_paths() if path.stem == name]
        if len(found) > 1:
            raise ConfigError(
                f"{found[0].name} and {found[1].name} in {self.flows} both name the flow "
                f"{name!r}; remove one."
            )
        return found[0] if found else None

    def new_flow_path(self, name: str) -> Path:
        """Return the file that a new flow goes to.

        Raises:
            ConfigError: a flow's name differs from this one only by case.
        """
        for path in self.flow_paths():
            if path.stem.casefold() == name.casefold():
                raise ConfigError(
                    f"The flow {path.stem!r} differs from {name!r} only by case, which not every "
                    "file system tells apart; use its name, or another one."
                )
        return self.flows / f"{name}.yml"

    def read_flow(self, name: str) -> Document:
        """Read the file of a flow.

        Raises:
            UnknownNameError: no flow has that name.
            ConfigError: its file is not YAML.
        """
        path = self.flow_path(name)
        if path is None:
            known = [each.stem for each in self.flow_paths()]
            hint = sentence(suggest(name, known, "flows"))
            raise UnknownNameError(
                f"There is no flow {name!r} in the project {self.spec.name!r}; {hint}"
            )
        return read_document(path, self.label(path))

    def label(self, path: Path) -> str:
        """Return how messages name a file of the project: relative to it."""
        inside = path.is_relative_to(self.root)
        return path.relative_to(self.root).as_posix() if inside else str(path)


_current: Home | None = None


def current_home() -> Home | None:
    """Return the project that flows made in this process belong to, if there is one."""
    return _current


def set_current_home(home: Home | None) -> None:
    """Make a project the one that flows made in this process belong to."""
    global _current  # noqa: PLW0603 - one per process is what is meant
    _current = home


def _start(path: str | os.PathLike[str] | None) -> Path:
    start = _absolute(path or load_settings().project or "")
    if start.name == PROJECT_FILE:
        start = start.parent
    if not start.is_dir():
        raise ConfigError(f"There is no folder {start}; give a project's folder.")
    return start


def _absolute(path: str | os.PathLike[str]) -> Path:
    """Return a path from the root on; links stay, as a person named them."""
    if not isinstance(path, str | os.PathLike) or "\0" in os.fspath(path):
        raise UsageError(f"{path!r} is not a path; give a folder's.")
    try:
        return Path(os.path.abspath(path))  # noqa: PTH100
    except OSError:
        raise ConfigError("The working folder is gone; change to another.") from None
