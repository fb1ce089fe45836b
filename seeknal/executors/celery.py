"""Celery's side of a distributed run: the app, and messages published in bulk.

The broker is the store's own Redis. A message names a unit, no more: the store decides who runs
it, and a message that is lost, late or doubled changes nothing.
"""

from __future__ import annotations

import json
import os
import re
from binascii import b2a_base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from celery import Celery
from kombu.entity import Queue
from kombu.serialization import dumps
from redis.exceptions import RedisError

from seeknal.errors import Explained, SeeknalError
from seeknal.stores.redis_core import connect
from seeknal.stores.redis_errors import address_of, explain
from seeknal.stores.redis_fleet import Due

QUEUE: Final = "seeknal"
UNIT_TASK: Final = "seeknal.unit"
PROBE_TASK: Final = "seeknal.probe"
# Headers: since when no message behind this one waits for longer, and this one's mark.
SENT: Final = "seeknal_sent"
MARK: Final = "seeknal_mark"

# How long children that are told to stop may take to hand back what they run, on top of their
# grace, before Celery kills them.
_HAND_BACK: Final = 8.0
_PUSHED_AT_ONCE: Final = 500
_SOCKET: Final = {
    "socket_timeout": 10,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    "health_check_interval": 10,
}
_GAPS: Final = re.compile("@(ID|ARGS|KWARGS|BODY|SENT|MARK)@")


@dataclass(frozen=True, slots=True)
class Message:
    """What a message says: whose unit it is, how a person names its slice, its key, its run.

    ``mark`` tells it from others about the unit (:class:`seeknal.stores.redis_fleet.Due`).
    """

    project: str
    flow: str
    slice: str
    key: str
    run: str
    mark: str = ""

    @property
    def args(self) -> tuple[str, str, str, str]:
        """The task's positional arguments: what Flower shows first."""
        return self.project, self.flow, self.slice, self.key

    @property
    def kwargs(self) -> dict[str, str]:
        """The task's keyword arguments."""
        return {"run": self.run}


def make_app(url: str, *, grace: float = 0.0) -> Celery:
    """Return the Celery app of a Redis.

    ``grace`` is how many seconds units run on in a worker that is told to stop.
    """
    app = Celery("seeknal", set_as_current=False)
    app.conf.update(
        broker_url=_broker_url(url),
        broker_transport_options=_transport(url),
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        result_backend=None,
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_default_queue=QUEUE,
        task_queues=[Queue(QUEUE)],
        worker_prefetch_multiplier=1,
        worker_concurrency="auto",
        # What could be finished is: its lease outlives the connection, its late ack is no loss.
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_soft_shutdown_timeout=grace + _HAND_BACK,
        worker_lost_wait=2.0,
        worker_proc_alive_timeout=60.0,
        worker_send_task_events=False,
        timezone="UTC",
    )
    return app


def _broker_url(url: str) -> str:
    """Return a Redis URL as kombu reads it."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        query = dict(parse_qsl(parts.query))
        host = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
        options = urlencode({"virtual_host": query.get("db", "0")})
        return f"redis+socket://{host}{parts.path}?{options}"
    if parts.scheme != "rediss":
        return url
    query = dict(parse_qsl(parts.query))
    query["ssl_cert_reqs"] = f"CERT_{query.get('ssl_cert_reqs', 'required').upper()}"
    return urlunsplit(parts._replace(query=urlencode(query, quote_via=quote)))


def _transport(url: str) -> dict[str, Any]:
    options: dict[str, Any] = dict(_SOCKET)
    if urlsplit(url).scheme == "unix":
        del options["socket_keepalive"]
    return options


class Publisher:
    """Puts messages into the queue; connects when first used, once per process.

    Every method raises StoreUnavailableError if Redis cannot be reached, and StoreError if it
    refuses. What was being published may then be there, or not.
    """

    def __init__(self, url: str, app: Celery | None = None) -> None:
        self._app = app or make_app(url)
        self._address = address_of(url)
        self._client: Any = connect(url)
        self._envelope: _Envelope | None = None

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def waiting(self) -> int:
        """Return how many messages wait in the queue."""
        with self._explained():
            return int(self._client.llen(QUEUE))

    def oldest(self) -> float | None:
        """Return when the queue's oldest message was sent, by the store's clock.

        None if the queue is empty; 0 if that message is not one of ours.
        """
        try:
            with self._explained():
                text = self._client.lindex(QUEUE, -1)
            if text is None:
                return None
            return float(json.loads(text)["headers"][SENT])
        except (ValueError, TypeError, KeyError):
            return 0.0

    def publish(self, messages: Sequence[Message], sent: float, *, ahead: bool = False) -> None:
        """Publish messages about units in this order; ``sent`` is by the store's clock.

        What goes ``ahead`` of all others is taken last first, and was ``sent`` no later than
        they were.
        """
        if not messages:
            return
        with self._explained():
            if self._envelope is None:
                try:
                    self._envelope = _Envelope(self._app)
                except (AttributeError, TypeError, KeyError):
                    # Another version of kombu: the way that every version has is slower.
                    self.publish_one_by_one(messages, sent)
                    return
            with self._client.pipeline(transaction=False) as pipe:
                for start in range(0, len(messages), _PUSHED_AT_ONCE):
                    some = messages[start : start + _PUSHED_AT_ONCE]
                    push = pipe.rpush if ahead else pipe.lpush
                    push(QUEUE, *self._envelope.fill(some, sent))
                pipe.execute()

    def publish_units(
        self, project: str, units: Sequence[tuple[Due, str]], sent: float, *, ahead: bool = False
    ) -> None:
        """Publish messages about units, each with how a person names its slice."""
        messages = [Message(project, d.flow, name, d.key, d.run, d.mark) for d, name in units]
        self.publish(messages, sent, ahead=ahead)

    def publish_one_by_one(self, messages: Sequence[Message], sent: float) -> None:
        """Publish messages as Celery documents it: in batches of kombu's, and slower."""
        # A connection of its own: all apps of a process share Celery's pools, also when one closes.
        connection = self._app.connection_for_write()
        producer = self._app.amqp.Producer(connection)
        with self._explained(), connection, producer, producer.batch():
            for message in messages:
                self._app.send_task(
                    UNIT_TASK,
                    message.args,
                    message.kwargs,
                    producer=producer,
                    queue=QUEUE,
                    headers={SENT: sent, MARK: message.mark},
                )

    def withdraw(self, run_id: str, below: int) -> None:
        """Take messages about a run with lower marks out of the queue.

        Those that are taken next are found at once, wherever the others are.
        """
        with self._explained(), self._client.pipeline(transaction=False) as pipe:
            for text in reversed(self._client.lrange(QUEUE, 0, -1)):
                if run_id in text and _is_outdated(text, run_id, below):
                    pipe.lrem(QUEUE, -1, text)
            pipe.execute()

    def ask(self, project: str, flow: str, question: str) -> None:
        """Publish a message that has a worker answer a question; it goes ahead of all others."""
        with self._explained():
            envelope = _Envelope(self._app, PROBE_TASK)
            text = next(envelope.fill([Message(project, flow, "probe", question, question)], 0.0))
            self._client.rpush(QUEUE, text)

    def _explained(self) -> Explained[str]:
        return Explained(_explain, self._address)


def _explain(error: BaseException, address: str) -> SeeknalError | None:
    known = next((e for e in (error, error.__cause__) if isinstance(e, RedisError)), None)
    return None if known is None else explain(known, address)


class _Envelope:
    """One message built by Celery and kombu, with gaps where messages differ from one another.

    Filling the gaps costs less than a tenth of building each anew.
    """

    def __init__(self, app: Celery, task: str = UNIT_TASK) -> None:
        with app.connection_for_write() as connection, connection.channel() as channel:
            text = json.dumps(_built(app, channel, task))
        self._text = _GAPS.sub(r"%(\1)s", text.replace("%", "%%"))
        self._embedded = json.dumps(
            {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
        )

    def fill(self, messages: Sequence[Message], sent: float) -> Iterator[str]:
        """Yield the texts of messages."""
        sent_text, run = repr(sent), None
        for message in messages:
            if message.run != run:  # it is the same for most
                run, kwargs = message.run, message.kwargs
                after = f"], {json.dumps(kwargs)}, {self._embedded}]"
                shown = _quoted(repr(kwargs))[1:-1]
            args = message.args
            body = f"[[{', '.join(map(_quoted, args))}{after}"
            yield self._text % {
                "ID": _new_id(),
                "ARGS": _quoted(repr(args))[1:-1],
                "KWARGS": shown,
                "BODY": b2a_base64(body.encode(), newline=False).decode(),
                "SENT": sent_text,
                "MARK": message.mark,
            }


def _is_outdated(text: str, run_id: str, below: int) -> bool:
    try:
        headers = json.loads(text)["headers"]
        about = headers["kwargsrepr"] == repr({"run": run_id})
        return about and 0 < int(headers[MARK] or 0) < below
    except (ValueError, TypeError, KeyError):
        return False  # it is not one of ours


def _new_id() -> str:
    """Return what nobody returned before, in the form of a UUID, which takes longer to make."""
    text = os.urandom(16).hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _built(app: Celery, channel: Any, task: str) -> dict[str, Any]:
    """Return a message of a task as kombu would push it, with marks where the gaps are."""
    made = app.amqp.as_task_v2(
        "@ID@",
        task,
        (),
        {},
        argsrepr="@ARGS@",
        kwargsrepr="@KWARGS@",
        ignore_result=True,
    )
    content_type, encoding, body = dumps(made.body, serializer="json")
    message: dict[str, Any] = channel.prepare_message(
        body,
        content_type=content_type,
        content_encoding=encoding,
        headers={**made.headers, SENT: "@SENT@", MARK: "@MARK@"},
        properties={**made.properties, "delivery_mode": 2},
    )
    properties = message["properties"]
    properties["body_encoding"] = channel.body_encoding
    properties["delivery_tag"] = "@ID@"
    properties["delivery_info"] = {"exchange": "", "routing_key": QUEUE}
    message["body"] = "@BODY@"
    return message
