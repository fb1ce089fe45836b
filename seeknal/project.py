"""Projects: a folder with ``seeknal_project.yml``, ``flows/`` and ``target/``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from seeknal.config import Settings
from seeknal.errors import SeeknalError, UsageError
from seeknal.flow import Flow
from seeknal.home import Home, ProjectSpec, checked_name, current_home, is_uri, set_current_home
from seeknal.spec import RefusedError
from seeknal.stores.base import Store
from seeknal.yamlfile import read_document

Anywhere = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class FlowFile:
    """A file of a flow, valid or not, so that one that is not hides no other."""

    path: Path
    home: Home

    @property
    def name(self) -> str:
        """The flow's name, by its file."""
        return self.path.stem

    def load(self) -> Flow:
        """Return the flow.

        Raises:
            ConfigError: the file is not valid; one sentence a mistake, with its line.
        """
        self.home.flow_path(self.name)
        document = read_document(self.path, self.home.label(self.path))
        return Flow.from_document(document, self.name, self.home)


class Project:
    """A project. ``Project(name=...)`` names one, :meth:`get_or_create` opens or makes it.

    Raises:
        UsageError: the name is not 1 to 100 letters, digits, ``_`` or ``-``.
    """

    def __init__(self, name: str) -> None:
        try:
            self._name = checked_name(name)
        except RefusedError as error:
            raise UsageError(f"Project: {error}.") from None
        self._home: Home | None = None

    def get_or_create(self, path: Anywhere | None = None) -> Project:
        """Open the project's folder, making what is missing, and make the project current.

        Without a path that is the nearest project upwards from the working folder, else the
        working folder. Returns the project itself.

        Raises:
            ConfigError: the folder has a project of another name, a file of it is not valid, or
                it cannot be written.
        """
        self._home = Home.get_or_create(self._name, path)
        return self.use()

    @classmethod
    def find(cls, path: Anywhere | None = None) -> Project:
        """Open the project of a folder, or of the nearest one above it.

        Without a path the search begins at ``SEEKNAL_PROJECT``, else at the working folder. The
        project does not become current: see :meth:`use`.

        Raises:
            ConfigError: there is none, or its file is not valid.
        """
        return cls.of(Home.find(path))

    @classmethod
    def load(cls, path: Anywhere | None = None) -> Project:
        """Open a project: another name for :meth:`find`."""
        return cls.find(path)

    @classmethod
    def of(cls, home: Home) -> Project:
        """Return the project of a folder that is open already."""
        project = cls(home.spec.name)
        project._home = home
        return project

    def use(self) -> Project:
        """Make the project current: flows made from now on save themselves in it."""
        set_current_home(self.home)
        return self

    # -- what it is -------------------------------------------------------------------------

    @property
    def home(self) -> Home:
        """The project's folder.

        Raises:
            UsageError: the project was named and not opened.
        """
        if self._home is None:
            raise UsageError(f"The project {self._name!r} is not open; call get_or_create() first.")
        return self._home

    @property
    def name(self) -> str:
        """The project's name."""
        return self._name

    @property
    def root(self) -> Path:
        """The folder that holds ``seeknal_project.yml``."""
        return self.home.root

    @property
    def spec(self) -> ProjectSpec:
        """What ``seeknal_project.yml`` says."""
        return self.home.spec

    @property
    def settings(self) -> Settings:
        """What this machine sets."""
        return self.home.settings

    @property
    def target(self) -> Path:
        """The folder of what Seeknal makes."""
        return self.home.target

    @property
    def data_root(self) -> Path:
        """The folder that relative paths of specs start from."""
        return self.home.data_root

    @property
    def redis_url(self) -> str | None:
        """The address of the shared store, or None for the embedded one."""
        return self.home.redis_url

    # -- its flows --------------------------------------------------------------------------

    def flow(self, name: str) -> Flow:
        """Return a flow.

        Raises:
            UnknownNameError: there is none of that name.
            ConfigError: its file is not valid.
        """
        return Flow.load(name, self)

    def flow_files(self) -> list[FlowFile]:
        """Return the flows' files, valid or not, sorted by name."""
        return [FlowFile(path, self.home) for path in self.home.flow_paths()]

    def flows(self) -> list[Flow]:
        """Return all flows, sorted by name.

        Raises:
            ConfigError: a file is not valid; :meth:`check_flows` goes on to the others.
        """
        return [file.load() for file in self.flow_files()]

    def check_flows(self) -> tuple[list[Flow], list[SeeknalError]]:
        """Return the flows whose files are valid, and the errors of the others."""
        flows: list[Flow] = []
        errors: list[SeeknalError] = []
        for file in self.flow_files():
            try:
                flows.append(file.load())
            except SeeknalError as error:
                errors.append(error)
        return flows, errors

    # -- where things are on this machine -----------------------------------------------------

    def resolve_database(self, value: str) -> Path:
        """Return the DuckDB file that a database input names; see :meth:`Home.resolve_database`.

        Raises:
            DataUnavailableError: the file is not there; the message lists where it should be.
        """
        return self.home.resolve_database(value)

    def resolve_paths(self, flow: Flow) -> tuple[str, ...]:
        """Return a flow's input as absolute paths, globs or URIs of this machine.

        Raises:
            DataUnavailableError: the input is a database that is not there.
        """
        if flow.input.kind == "database":
            return tuple(str(self.resolve_database(value)) for value in flow.input.paths)
        return tuple(self.home.locate(path) for path in flow.input.paths)

    def output_path(self, flow: Flow) -> Path:
        """Return the folder of a flow's output: ``target/output/<flow>`` under the data root.

        Raises:
            UsageError: the flow keeps no output, or names a URI.
        """
        if flow.output.kind == "none":
            raise UsageError(f"The flow {flow.name!r} keeps no output.")
        value = flow.output.value
        if value is None:
            return self.data_root / "target" / "output" / flow.name
        if is_uri(value):
            raise UsageError(
                f"The flow {flow.name!r} writes to {value!r}; this version writes to folders only."
            )
        return Path(self.home.locate(value))

    def open_store(self) -> Store:
        """Open the project's store; the caller closes it.

        Raises:
            StoreError: the store cannot be used.
        """
        return self.home.open_store()

    def __repr__(self) -> str:
        where = f", root={str(self._home.root)!r}" if self._home else ""
        return f"Project({self._name!r}{where})"


def current_project() -> Project | None:
    """Return the project that flows made in this process belong to, if there is one."""
    home = current_home()
    return None if home is None else Project.of(home)
