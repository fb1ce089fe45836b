"""Plans against an oracle that lists every unit: any state, any request, any company."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from seeknal.plan import (
    Data,
    Exclusion,
    Held,
    Plan,
    Reason,
    Taken,
    Window,
    count_planned,
    make_plan,
)
from seeknal.workflow.intervals import IntervalSet
from seeknal.workflow.schedule import Schedule
from seeknal.workflow.state import Completion, FlowState, Origin, Restatement, Run
from seeknal.workflow.units import PlannedRange
from tests.unit.plan_oracle import HOUR, Oracle, Slot, hours, listed, slots
from tests.unit.plan_requests import (
    EARLIEST,
    LAST,
    SHAPES,
    SIX_HOURLY,
    hour,
    published,
    some,
    window_of,
)


def state_of(chance: random.Random, schedule: str, shapes: tuple[str, ...]) -> FlowState:
    done = published(chance, shapes, EARLIEST, LAST)
    restated = some(chance, done, 0.3)
    covered = hours((u.start, u.end) for u in done) - hours((u.start, u.end) for u in restated)
    never = [u for u in slots(schedule, EARLIEST, LAST) if not u.hours() & covered]
    unfinished = some(chance, never + restated, 0.4)
    failed = some(chance, unfinished, 0.5)
    origins = (Origin.RUN, Origin.BACKFILL, Origin.MANUAL)
    return FlowState(
        completions=tuple(
            Completion(u.start, u.end, chance.choice(origins), u.schedule, "f") for u in done
        ),
        restatements=tuple(Restatement(u.start, u.end, u.schedule, "bug") for u in restated),
        unfinished=IntervalSet((u.start, u.end) for u in unfinished),
        failed=IntervalSet((u.start, u.end) for u in failed),
    )


def taken_of(chance: random.Random, shapes: tuple[str, ...]) -> Taken:
    """Other runs' units, which never overlap; and what failed, or was done again, meanwhile."""
    units = slots(chance.choice(shapes), EARLIEST, LAST)
    mine = some(chance, units, 0.25)
    runs = tuple(
        Run(f"run-{n}", "events", {}, "f", tuple(_planned(u) for u in mine[n::2]), 0)
        for n in range(chance.choice((0, 2)))
    )
    return Taken(
        runs,
        Held.of_planned(_planned(u) for u in some(chance, units, 0.1)),
        Held.of_planned(_planned(u) for u in some(chance, units, 0.1)),
    )


def _planned(unit: Slot) -> PlannedRange:
    return PlannedRange(unit.start, unit.end, unit.schedule, Origin.RUN)


def request(chance: random.Random, schedule: str = "", shapes: tuple[str, ...] = SHAPES) -> Oracle:
    """Any request, in any state; of one shape, if one is given."""
    schedule = schedule or chance.choice(SHAPES)
    extent = sorted((float(hour(chance)), float(hour(chance, 24))))
    return Oracle(
        schedule,
        state_of(chance, schedule, shapes),
        Data(None if chance.random() < 0.05 else (extent[0], extent[1])),
        window_of(chance),
        now=hour(chance, 4 * 24),
        start=hour(chance) if chance.random() < 0.3 else None,
        lag=chance.choice((0, 0, 5 * HOUR)),
        taken=taken_of(chance, shapes) if chance.random() < 0.6 else Taken(),
        earliest=EARLIEST,
        last=LAST,
    )


def planned(asked: Oracle, window: Window | None = None) -> Plan:
    return make_plan(
        "events",
        Schedule.parse(asked.schedule),
        asked.state,
        asked.data,
        window or asked.window,
        now=asked.now,
        start=asked.start,
        lag=asked.lag,
        taken=asked.taken,
    )


@settings(max_examples=500, deadline=None)
@given(st.integers(0, 2**32))
def test_a_plan_is_what_listing_every_unit_comes_to(seed: int) -> None:
    asked = request(random.Random(seed))
    plan = planned(asked)
    expected = asked.answer()
    assert listed(plan) == expected
    assert plan.count() == len(expected)
    assert Counter(reason for _, reason in expected) == Counter(
        {reason: plan.count(reason) for reason in dict.fromkeys(p.reason for p in plan.parts)}
    )


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32))
def test_every_unit_of_the_window_is_run_or_left_out_for_one_reason(seed: int) -> None:
    asked = request(random.Random(seed), SIX_HOURLY, (SIX_HOURLY,))
    plan = planned(asked)
    ceil = Schedule.parse(asked.schedule).ceil(asked.now)
    bounded = asked.window.ranges or asked.window.end is not None
    window = asked.asked(asked.schedule, LAST if bounded else ceil)
    found = Counter(_units(asked, [p.planned for p in plan.parts]))
    for hold in plan.held:
        found.update(_units(asked, [p.planned for p in hold.parts]))
    for why in Exclusion:
        left = plan.left_out(why)
        assert count_planned(left) == len(_units(asked, left))
        found.update(_units(asked, left))
    assert set(found.values()) <= {1}
    outside = set(found) - set(window)
    every = listed(planned(asked, replace(asked.window, limit=None)))
    assert outside <= {slot for slot, reason in every if reason is Reason.LOOKBACK}
    answered = hours(asked.taken.answered.time) | hours(asked.taken.again.time)
    assert all(slot.hours() & answered for slot in set(window) - set(found))


def _units(asked: Oracle, stretches: object) -> list[Slot]:
    assert isinstance(stretches, list | tuple)
    return [s for p in stretches for s in slots(p.schedule, p.start, p.end)]
