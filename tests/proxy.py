"""A TCP proxy that misbehaves on demand: it loses replies, hangs up, or speaks TLS."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import suppress


class Proxy:
    """Stands before a loopback port, on a port of its own.

    ``lose`` makes it pass the next requests on and hang up instead of passing their replies;
    while ``down`` is set it hangs up on everybody. With ``context`` it speaks TLS to clients.
    """

    def __init__(self, target: int, context: ssl.SSLContext | None = None) -> None:
        self.down = False
        self._target = target
        self._context = context
        self._lock = threading.Lock()
        self._to_lose = 0
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def lose(self, replies: int = 1) -> None:
        with self._lock:
            self._to_lose = replies

    def hang_up(self) -> None:
        """End all connections."""
        with self._lock:
            ends, self._open = self._open, set()
        for end in ends:
            _end(end)

    def cut(self) -> None:
        """Be down, for connections that are there as well."""
        self.down = True
        self.hang_up()

    def mend(self) -> None:
        self.down = False

    def close(self) -> None:
        _end(self._listener)
        self.hang_up()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        if self.down:
            _end(near)
            return
        try:
            if self._context is not None:
                near = self._context.wrap_socket(near, server_side=True)
            far = socket.create_connection(("127.0.0.1", self._target))
        except OSError:
            _end(near)
            return
        with self._lock:
            self._open |= {near, far}
        threading.Thread(target=self._pass, args=(near, far, False), daemon=True).start()
        self._pass(far, near, True)

    def _pass(self, source: socket.socket, target: socket.socket, replies: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if replies and self._loses():
                    break
                target.sendall(data)
        for end in (source, target):
            _end(end)
        with self._lock:
            self._open -= {source, target}

    def _loses(self) -> bool:
        with self._lock:
            self._to_lose -= 1
            return self._to_lose >= 0


def _end(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
