"""The embedded store: one project's state in one SQLite file, shared by its processes."""

from __future__ import annotations

from seeknal.stores.sqlite_flows import FlowVerbs
from seeknal.stores.sqlite_progress import ProgressVerbs
from seeknal.stores.sqlite_runs import RunVerbs
from seeknal.stores.sqlite_units import UnitVerbs


class SQLiteStore(FlowVerbs, RunVerbs, ProgressVerbs, UnitVerbs):
    """Implements :class:`seeknal.stores.base.Store` on ``path``, by default ``target/state.db``.

    Every verb that changes something is one ``BEGIN IMMEDIATE`` transaction on a file in WAL
    mode, so several processes of one machine may use it at once. Workers and runs' owners are
    named by :func:`seeknal.stores.owners.process_owner`; when such a process is dead its units are
    free and its runs interrupted.

    Raises:
        StoreError: from every verb, when the file is damaged, full, or cannot be written.
    """
