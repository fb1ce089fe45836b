"""The Celery app of the worker: ``celery -A worker.app worker``.

It serves every project whose runs were launched on the Redis that ``SEEKNAL_REDIS_URL`` names;
``SEEKNAL_DATA_ROOT`` is where their data are on this machine (default: the working folder).
"""

from __future__ import annotations

import os
import signal
import sys
import warnings
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any

from celery import signals
from celery.exceptions import CPendingDeprecationWarning
from celery.utils.log import current_process_index

from seeknal.config import load_settings
from seeknal.engine.machine import processors
from seeknal.errors import SeeknalError
from seeknal.executors.celery import make_app
from worker import broker
from worker.crew import Crew
from worker.desk import Desk
from worker.janitor import Janitor
from worker.steps import beside_pool
from worker.tasks import register

if TYPE_CHECKING:
    from worker.metrics import Metrics

try:
    settings = load_settings()
except SeeknalError as error:
    sys.exit(str(error))
if settings.redis_url is None:
    sys.exit("Set SEEKNAL_REDIS_URL to the address of the Redis that the workers share.")
url: str = settings.redis_url


def _desk() -> Desk:
    """Return the place of this pool process."""
    index = current_process_index(base=0) or 0
    meter = partial(crew.meters.tell, index) if settings.metrics_port is not None else None
    return Desk(settings, url, crew.name, crew.slots, crew.slate, meter)


def _metrics(address: str) -> Metrics:
    from worker.metrics import Metrics

    return Metrics(address, url, crew)


broker.use()
# Of how a later Celery will treat what runs when the connection is lost: that is set for good.
warnings.filterwarnings("ignore", category=CPendingDeprecationWarning)
crew = Crew()
app = make_app(url, grace=settings.grace)
app.set_current()
register(app, crew, _desk)

app.steps["worker"].add(beside_pool("janitor", lambda: Janitor(url, crew, lease=settings.lease)))
if settings.metrics_port is not None:
    app.steps["worker"].add(beside_pool("metrics", partial(_metrics, settings.metrics_port)))


def _assemble(sender: Any, **_: Any) -> None:
    if not isinstance(sender.concurrency, int):
        sender.concurrency = processors()
    crew.assemble(sender.hostname, sender.concurrency)
    # Nobody listens to what these would tell, and each costs connections and a second at start.
    # Heartbeats stay: without them Celery sends no event at all, and Flower shows nothing.
    sender.options.update(without_gossip=True, without_mingle=True)


def _attend(sender: Any, **_: Any) -> None:
    """Know the consumer; and tell the pool to stop before Celery begins to."""
    crew.attach(sender)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        _precede(number)


def _precede(number: signal.Signals) -> None:
    known = signal.getsignal(number)
    if not callable(known) or number in _preceded:
        return
    _preceded.add(number)
    main = os.getpid()

    def stop(signum: int, frame: FrameType | None) -> None:
        if os.getpid() == main:
            crew.slate.drain(0.0 if crew.slate.is_draining else settings.grace)
        known(signum, frame)

    signal.signal(number, stop)


_preceded: set[signal.Signals] = set()

signals.worker_init.connect(_assemble, weak=False)
signals.worker_ready.connect(_attend, weak=False)
