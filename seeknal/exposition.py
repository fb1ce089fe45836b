"""Serves metrics to Prometheus over HTTP, in a thread of its own; what they are, a face says."""

from __future__ import annotations

import errno
import logging
import os
import socket
import socketserver
import threading
from http.server import ThreadingHTTPServer
from typing import Any, Final

from prometheus_client import MetricsHandler, disable_created_metrics
from prometheus_client.registry import Collector

from seeknal.config import listen_address
from seeknal.errors import UsageError
from seeknal.workflow.state import Counts

# Whoever connects and asks nothing for so many seconds is hung up on.
_SILENCE: Final = 10.0

logger = logging.getLogger("seeknal.metrics")

# When each counter began doubles what is sent, and nobody asks for it.
disable_created_metrics()  # type: ignore[no-untyped-call]


def by_state(counts: Counts) -> dict[str, int]:
    """Return a run's units by state: each is in one."""
    return {
        "queued": counts.queued,
        "running": counts.running,
        "done": counts.done,
        "failed": counts.failed,
    }


class Exposition:
    """An address where a collector's metrics are served, from :meth:`start` to :meth:`close`.

    It listens from the beginning, so that an address that cannot be had is noticed at once;
    connections wait for :meth:`start`. A forked child does not listen.

    Raises:
        UsageError: nobody can listen there, or somebody does.
    """

    def __init__(self, address: str, collector: Collector) -> None:
        host, port = listen_address(address)
        try:
            family = _family(host, port)
            self._server = _server(family)((host, port), _handler(collector))
        except OSError as error:
            raise UsageError(_refused(address, host, port, error)) from None
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name="metrics"
        )
        self._thread.daemon = True
        # A child that outlives us would keep the port from whoever takes our place.
        os.register_at_fork(after_in_child=self._server.socket.close)

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def close(self) -> None:
        """Listen no longer."""
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()


def _refused(address: str, host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} for metrics is in use on {host}; give another with --metrics-port."
    return (
        f"Cannot serve metrics at {address}: {error.strerror or error}; give another port, or an "
        "address of this machine, with --metrics-port."
    )


def _family(host: str, port: int) -> socket.AddressFamily:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return found[0][0]


def _server(family: socket.AddressFamily) -> type[ThreadingHTTPServer]:
    class Server(ThreadingHTTPServer):
        address_family = family

        def server_bind(self) -> None:
            """Bind; and do not ask for the address's name, which takes long where none answers."""
            socketserver.TCPServer.server_bind(self)
            self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

        def handle_error(self, request: Any, client_address: Any) -> None:
            logger.debug("A scrape from %s was cut off", client_address, exc_info=True)

    return Server


def _handler(collector: Collector) -> type[MetricsHandler]:
    class Handler(MetricsHandler):
        registry = collector
        timeout = _SILENCE

    return Handler
