"""Where metrics are served: addresses, ports that are taken, scrapers that misbehave."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, Gauge

from seeknal.config import listen_address
from seeknal.errors import UsageError
from seeknal.exposition import Exposition, by_state
from seeknal.workflow.state import Counts
from tests.scraping import Scrape
from tests.server import free_port


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("9464", ("0.0.0.0", 9464)),
        ("127.0.0.1:9464", ("127.0.0.1", 9464)),
        ("localhost:1", ("localhost", 1)),
        ("[::1]:65535", ("::1", 65535)),
    ],
)
def test_an_address_is_a_port_or_a_host_and_a_port(text: str, means: tuple[str, int]) -> None:
    assert listen_address(text) == means


@pytest.mark.parametrize(
    "text", ["", "x", "0", "65536", "-1", "9464 ", ":9464", "host:", "a:b:1", "::1:9464", "1.5"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no port from 1 to 65535, nor HOST:PORT"):
        listen_address(text)


def served(value: float = 4.0) -> CollectorRegistry:
    registry = CollectorRegistry()
    Gauge("answer", "What is asked for.", registry=registry).set(value)
    return registry


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def exposition(port: int) -> Iterator[Exposition]:
    made = Exposition(f"127.0.0.1:{port}", served())
    made.start()
    yield made
    made.close()


@pytest.mark.usefixtures("exposition")
def test_what_is_collected_is_served(port: int) -> None:
    assert Scrape.of(port).one("answer") == 4.0


def test_a_port_alone_means_every_address(port: int) -> None:
    made = Exposition(str(port), served(5.0))
    made.start()
    try:
        for host in ("127.0.0.1", "127.0.0.2"):
            assert Scrape.of(port, host).one("answer") == 5.0
    finally:
        made.close()


def test_ipv6_is_an_address_too(port: int) -> None:
    try:
        made = Exposition(f"[::1]:{port}", served(6.0))
    except UsageError as error:
        pytest.skip(f"this machine has no IPv6: {error}")
    made.start()
    try:
        assert Scrape.of(port, "[::1]").one("answer") == 6.0
    finally:
        made.close()


@pytest.mark.usefixtures("exposition")
@pytest.mark.parametrize("host", ["127.0.0.1:", ""])
def test_a_port_in_use_is_said(port: int, host: str) -> None:
    with pytest.raises(UsageError, match=rf"Port {port} for metrics is in use on .* another with"):
        Exposition(f"{host}{port}", served())


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid"])
def test_an_address_that_is_not_ours_is_said(port: int, host: str) -> None:
    with pytest.raises(UsageError, match=rf"Cannot serve metrics at {host}:{port}: .* address"):
        Exposition(f"{host}:{port}", served())


def test_a_port_is_free_again_at_once(port: int) -> None:
    for value in (1.0, 2.0):
        made = Exposition(f"127.0.0.1:{port}", served(value))
        made.start()
        assert Scrape.of(port).one("answer") == value
        made.close()


def test_a_child_does_not_keep_the_port(port: int) -> None:
    made = Exposition(f"127.0.0.1:{port}", served())
    (wait, end), (told, tell) = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:  # it lives until its pipe closes, whatever becomes of this test
        os.close(end)
        os.write(tell, b"x")
        os.read(wait, 1)
        os._exit(0)
    try:
        os.read(told, 1)
        made.close()
        Exposition(f"127.0.0.1:{port}", served()).close()
    finally:
        for each in (wait, end, told, tell):
            os.close(each)
        os.waitpid(child, 0)


@pytest.mark.usefixtures("exposition")
def test_whoever_hangs_up_or_says_nothing_harms_nobody(
    port: int, capfd: pytest.CaptureFixture[str]
) -> None:
    silent = socket.create_connection(("127.0.0.1", port))
    with socket.create_connection(("127.0.0.1", port)) as rude:
        rude.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"  # a reset instead of a farewell
        rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    with socket.create_connection(("127.0.0.1", port)) as odd:
        odd.sendall(b"\x16\x03\x01 no HTTP\r\n\r\n")
        odd.recv(1000)
    assert Scrape.of(port).one("answer") == 4.0
    silent.close()
    assert capfd.readouterr() == ("", "")


def test_each_unit_is_in_one_state() -> None:
    counts = Counts(units=10, done=4, failed=1, running=2)
    assert by_state(counts) == {"queued": 3, "running": 2, "done": 4, "failed": 1}
