"""The distributed store: a project's state in Redis or Valkey, shared by any number of machines."""

from __future__ import annotations

from seeknal.stores.redis_fleet import FleetVerbs
from seeknal.stores.redis_flows import FlowVerbs
from seeknal.stores.redis_progress import ProgressVerbs
from seeknal.stores.redis_runs import RunVerbs
from seeknal.stores.redis_units import UnitVerbs
from seeknal.stores.redis_worker import WorkerVerbs


class RedisStore(FlowVerbs, RunVerbs, ProgressVerbs, UnitVerbs, FleetVerbs, WorkerVerbs):
    """Implements :class:`seeknal.stores.base.Store` on a Redis 6.2 or later, or a Valkey.

    Every verb is one Lua script or one command, and so one round trip; the server's TIME is the
    only clock. All keys are listed in :mod:`seeknal.stores.redis_keys`. What is beyond the
    contract is in :class:`seeknal.stores.redis_fleet.FleetVerbs` (messages, workers, elections)
    and :class:`seeknal.stores.redis_worker.WorkerVerbs`.

    Raises:
        StoreUnavailableError: from every verb, when the server does not answer.
        StoreError: from every verb, when it refuses.
    """
