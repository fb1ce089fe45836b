"""Workers, pool processes, the server and the coordinator die: all units complete, once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.chaos.arena import Arena, report
from tests.chaos.storm import Storm, Weather

MINUTE = Weather(kill_every=1.5, least=2, child_every=4.0, restarts=2, calm_after=60, seconds=400)
LONG = Weather(kill_every=1.0, child_every=5.0, restarts=2, seconds=2400)


@pytest.mark.timeout(600)
def test_a_minute_of_chaos(make_arena: Callable[..., Arena], seed: int) -> None:
    weather(make_arena, seed, MINUTE, units=500, slow=0.1)


@pytest.mark.chaos
@pytest.mark.timeout(2700)
def test_long_chaos(make_arena: Callable[..., Arena], seed: int) -> None:
    weather(make_arena, seed, LONG, units=2000, slow=0.05, slow_ms=(2000, 2000))


def weather(
    make_arena: Callable[..., Arena], seed: int, weather: Weather, *, units: int, **slow: Any
) -> None:
    arena = make_arena(lease=5.0, concurrency=2)
    arena.declare(units, seed=seed, **slow)
    arena.fleet.start(4)
    storm = Storm(arena, weather, seed)
    run = arena.launch_and_die()
    storm.rage(run)
    arena.assert_settled(run)
    arena.assert_nothing_left_behind()
    report(f"{units} units in {storm.seconds:.0f} s", storm.did, arena.happened(run))
