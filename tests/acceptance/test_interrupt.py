"""Ctrl-C: what runs is handed back, the process leaves, and the next run goes on."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.projects import Result, Sandbox
from tests.waiting import wait_until


@contextmanager
def running(sandbox: Sandbox, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start a run, and wait until only the slow day is left."""
    with sandbox.running("run", "--workers", "2", *arguments) as process:
        wait_until("five days are published", lambda: len(sandbox.files()) == 5, 60)
        # The last of them may still lack its completion, and would then rightly be done again.
        wait_until("all but the slow day are done", lambda: done(sandbox, 1) == 5, 60)
        yield process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_run_hands_back_and_the_next_one_goes_on(
    slow: Sandbox, number: signal.Signals
) -> None:
    with running(slow) as process:
        began = time.monotonic()
        process.send_signal(number)
        result = slow.wait(process, 130)
    assert time.monotonic() - began < 10
    assert result.err.splitlines()[-1] == (
        "Interrupted; what was running is handed back. Go on with: seeknal run"
    )
    assert "Traceback" not in result.err
    assert_nothing_held(slow)
    assert slow.leftovers() == []
    go_on(slow)


def test_advice_repeats_what_was_asked(slow: Sandbox) -> None:
    words = "--flow events_flow --backfill --start-date 2024-01-01T00:00 --include-empty"
    with running(slow, *words.split(), "--end-date", "2024-01-07 00:00") as process:
        process.send_signal(signal.SIGINT)
        result = slow.wait(process, 130)
    command = result.err.splitlines()[-1].split("Go on with: ")[1]
    assert command == (
        "seeknal run --flow events_flow --backfill --start-date 2024-01-01T00:00 "
        "--end-date '2024-01-07 00:00' --include-empty"
    )
    mend(slow)
    slow.bash(command)
    slow.assert_output_is("SELECT *, 0 AS n FROM events")


def test_advice_does_not_force_twice(slow: Sandbox) -> None:
    with slow.data() as connection:
        connection.execute("CREATE TABLE later AS FROM work; DELETE FROM work")
    slow.seeknal("run")
    with slow.data() as connection:
        connection.execute("INSERT INTO work FROM later")
    with slow.running("run", "--force", "--reason", "bug", "--workers", "2") as process:
        wait_until("all but the slow day are done again", lambda: done(slow, 2) == 5, 60)
        process.send_signal(signal.SIGINT)
        result = slow.wait(process, 130)
    command = result.err.splitlines()[-1].split("Go on with: ")[1]
    assert command == "seeknal run --flow events_flow --backfill"
    mend(slow)
    assert slow.bash(command).lines[0] == (
        "Processing 1 restated interval (2024-01-04 to 2024-01-05)"
    )


def done(sandbox: Sandbox, number: int) -> int:
    """How many units the latest run has done, once there were so many runs."""
    with sandbox.store() as store:
        runs = store.runs()
        return store.counts(runs[0].id).done if len(runs) == number else 0


def test_interrupt_while_the_input_is_looked_at_starts_nothing(slow: Sandbox) -> None:
    with slow.data() as connection:
        connection.execute("ALTER TABLE events RENAME TO stored")
        connection.execute(
            "CREATE VIEW events AS SELECT * REPLACE (event_time + to_seconds(i * j % 7) AS "
            "event_time) FROM stored, range(1000000) a(i), range(1000) b(j)"
        )
    with slow.running("run") as process:
        wait_until("DuckDB is at work", lambda: cpu_seconds(process.pid) > 1.5, 60)
        process.send_signal(signal.SIGINT)
        result = slow.wait(process, 130)
    assert result.err.splitlines()[-1] == "Interrupted; nothing was started."
    assert (result.out, slow.files()) == ("", {})


def test_operator_that_ignores_interrupts_is_left_after_a_while(deaf: Sandbox) -> None:
    with running(deaf) as process:
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        result = deaf.wait(process, 130)
    assert 4 < time.monotonic() - began < 20
    assert "Left what did not stop; it will be run again. Go on with: seeknal run" in result.err
    assert_nothing_held(deaf)
    go_on(deaf, "NULL")


def test_second_interrupt_leaves_at_once(deaf: Sandbox) -> None:
    with running(deaf) as process:
        result = press_twice(deaf, process)
    assert "Left at once; it will be run again. Go on with: seeknal run" in result.err
    assert_nothing_held(deaf)
    go_on(deaf, "NULL")


def test_whoever_goes_on_pressing_gets_the_exit_code_of_the_first(slow: Sandbox) -> None:
    with running(slow) as process:
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert any("Interrupted;" in line for line in process.stderr)
        while process.poll() is None:
            process.send_signal(signal.SIGINT)
        result = slow.wait(process, 130)
    assert "Traceback" not in result.err
    assert_nothing_held(slow)


def press_twice(sandbox: Sandbox, process: subprocess.Popen[str]) -> Result:
    """Interrupt; once the process has said that it heard, interrupt again."""
    assert process.stderr is not None
    process.send_signal(signal.SIGINT)
    heard = ""
    while "Ctrl-C again leaves at once" not in heard:
        line = process.stderr.readline()
        assert line, f"ended without a word: {heard}"
        heard += line
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    result = sandbox.wait(process, 130)
    assert time.monotonic() - began < 10
    return result


def test_ctrl_c_on_a_terminal_leaves_the_bar_and_says_how_to_go_on(slow: Sandbox) -> None:
    control, terminal = pty.openpty()
    os.set_blocking(control, False)
    process = slow.start("run", streams=terminal)
    os.close(terminal)
    shown = bytearray()

    def read() -> bytes:
        try:
            while more := os.read(control, 4096):
                shown.extend(more)
        except OSError:
            pass  # nothing to read now, or nobody writes any more
        return bytes(shown)

    try:
        wait_until("five of six units are on the bar", lambda: b"5/6" in read(), 60)
        process.send_signal(signal.SIGINT)
        wait_until("it left", lambda: (read(), process.poll())[1] is not None, 20)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        read()
        os.close(control)
    assert process.returncode == 130
    assert "Go on with: seeknal run" in shown.decode()
    assert "Traceback" not in shown.decode()


def assert_nothing_held(sandbox: Sandbox) -> None:
    with sandbox.store() as store:
        assert store.holds("events_flow").runs == ()
        (run,) = store.runs("events_flow")
        assert run.status == "interrupted"
        assert store.records(run.id) == []
        assert store.counts(run.id).done == 5
        assert not store.failed("events_flow")


def mend(sandbox: Sandbox) -> None:
    with sandbox.data() as connection:
        connection.execute("DELETE FROM work")


def go_on(sandbox: Sandbox, n: str = "0") -> None:
    """Mend the slow day; a plain run then does it, and it alone."""
    mend(sandbox)
    result = sandbox.seeknal("run")
    assert result.lines[0] == "Processing 1 unfinished interval (2024-01-04 to 2024-01-05)"
    sandbox.assert_output_is(f"SELECT *, {n} AS n FROM events")
    assert sandbox.leftovers() == []


def cpu_seconds(pid: int) -> float:
    """The processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
