"""What there is to see of a run, by counts, events and a clock that the test sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from seeknal.view import NAMED, Crew, Pace, Picture
from seeknal.workflow.state import Counts, Event, Run, RunStatus, UnitRecord, UnitStatus
from seeknal.workflow.units import PlannedUnit, Unit

RUN = Run("r", "f", {}, "print", (), 1000, created=100.0)


def event(number: int, at: float, kind: str = "completed", **more: object) -> Event:
    values: dict[str, object] = {"unit": f"u{number}", **more}
    return replace(Event(str(number), at, kind), **values)  # type: ignore[arg-type]


def running(since: float, number: int) -> UnitRecord:
    unit = Unit("f", number, number + 1)
    return UnitRecord("r", PlannedUnit(unit, "run"), UnitStatus.RUNNING, since=since)


def pace(samples: Sequence[tuple[float, int, int]]) -> Pace:
    made = Pace()
    for at, done, failed in samples:
        made.note(at, Counts(1000, done, failed))
    return made


# -- pace -----------------------------------------------------------------------------------------


def test_nothing_is_known_before_the_first_look() -> None:
    assert Pace().rate == 0
    assert Pace().left(Counts(10)) is None


def test_the_rate_is_what_was_done_since_the_first_look() -> None:
    known = pace([(0, 100, 0), (10, 150, 0)])
    assert known.rate == 5
    assert known.left(Counts(1000, 150)) == 170


def test_the_rate_is_of_the_last_minute_alone() -> None:
    # A thousand in the first second, then one every two seconds.
    looks = [(0.0, 0, 0), *((t, 1000 + int(t) // 2, 0) for t in range(1, 200))]
    assert pace(looks).rate == pytest.approx(0.5, abs=0.02)


def test_the_minute_begins_where_it_does_not_where_the_last_look_before_it_was() -> None:
    # Nothing happened between 0 and 150: what was true at 0 still was at 140.
    assert pace([(0, 10, 0), (150, 10, 0), (200, 40, 0)]).rate == 0.5


def test_a_run_that_stands_still_has_no_end() -> None:
    known = pace([(0, 100, 0), (100, 100, 0), (200, 100, 0)])
    assert known.rate == 0
    assert known.left(Counts(1000, 100)) is None


def test_what_fails_is_not_done_but_settled() -> None:
    known = pace([(0, 0, 0), (10, 10, 10)])
    assert known.rate == 1
    assert known.left(Counts(1000, 10, 10)) == 490  # 980 left, two settled in a second


def test_nothing_is_left_of_a_run_that_is_through() -> None:
    assert pace([(0, 0, 0)]).left(Counts(10, 10)) == 0


def test_a_moment_is_too_short_for_a_rate() -> None:
    assert pace([(0, 0, 0), (0.001, 5, 0)]).rate == 5  # not 5,000 a second


def test_events_say_what_went_before_the_first_look() -> None:
    known = Pace()
    newest_first = [event(n, 1000 - n) for n in range(30)]
    known.begin(Counts(1000, 500), [*newest_first, event(99, 970, "registered", unit="")])
    known.note(1000, Counts(1000, 500))
    assert known.rate == 1


def test_events_of_long_ago_are_no_part_of_the_rate() -> None:
    known = Pace()
    known.begin(Counts(1000, 500), [event(1, 990), event(2, 500), event(3, 400)])
    known.note(1000, Counts(1000, 500))
    assert known.rate == pytest.approx(1 / 60)


def test_failures_and_what_others_did_count_as_settled() -> None:
    known = Pace()
    events = [event(1, 99, "failed"), event(2, 98, "skipped"), event(3, 97, "retry")]
    known.begin(Counts(10, 1, 1), [*events, event(4, 90, "registered", unit="")])
    known.note(100, Counts(10, 1, 1))
    assert known.rate == 0.1
    assert known.left(Counts(10, 1, 1)) == 40


def test_a_run_that_failed_is_no_unit_that_failed() -> None:
    known, picture = Pace(), Picture()
    events = [event(2, 99, "failed", unit=""), event(1, 98, "failed"), event(0, 90, "registered")]
    known.begin(Counts(2, 0, 1), events)
    known.note(100, Counts(2, 0, 1))
    assert known.left(Counts(2, 0, 1)) == 10  # one settled in ten seconds
    picture.begin(Counts(2, 0, 1), events)
    assert [e.unit for e in picture.view(100, RUN, Counts(2, 0, 1)).failures] == ["u1"]


# -- a picture ------------------------------------------------------------------------------------


def test_what_runs_longest_comes_first() -> None:
    records = [
        running(since, number) for number, since in enumerate((170, 120, 150, 199, 110, 190))
    ]
    view = Picture().view(200, RUN, Counts(10, running=6), records)
    assert [200 - record.since for record in view.running] == [90, 80, 50, 30, 10]


def test_the_slowest_of_the_latest_come_first() -> None:
    picture = Picture()
    picture.add(event(n, 100 + n, seconds=float(n % 7)) for n in range(20))
    slowest = picture.view(200, RUN, Counts(100, 20)).slowest
    assert [e.seconds for e in slowest] == [6, 6, 5, 5, 5]


def test_the_slowest_of_long_ago_is_forgotten() -> None:
    picture = Picture()
    picture.add([event(0, 0, seconds=99.0)])
    picture.add(event(n, n, seconds=1.0) for n in range(1, 1001))
    assert {e.seconds for e in picture.view(2000, RUN, Counts(9999)).slowest} == {1.0}


def test_the_latest_failure_of_each_unit_comes_first() -> None:
    picture = Picture()
    picture.add([event(1, 1, "retry", detail="a"), event(2, 2, "failed", detail="b")])
    picture.add([event(1, 3, "failed", detail="c"), event(3, 4, "completed")])
    failures = picture.view(10, RUN, Counts(10)).failures
    assert [(e.unit, e.detail) for e in failures] == [("u1", "c"), ("u2", "b")]


def test_no_more_is_kept_than_is_shown() -> None:
    picture = Picture()
    picture.add(event(n, n, "failed", detail=f"e{n}") for n in range(10_000))
    view = picture.view(10_000, RUN, Counts(10_000))
    assert [e.detail for e in view.failures] == [f"e{n}" for n in range(9999, 9994, -1)]
    assert len(view.failures) == NAMED


def test_what_was_before_the_first_look_is_seen_as_well() -> None:
    picture = Picture()
    picture.begin(Counts(10, 2, 1), [event(3, 9, "failed"), event(2, 8, seconds=4.0), event(1, 7)])
    view = picture.view(10, RUN, Counts(10, 2, 1))
    assert [e.unit for e in view.slowest] == ["u2", "u1"]
    assert [e.unit for e in view.failures] == ["u3"]


@pytest.mark.parametrize("status", [RunStatus.PAUSED, RunStatus.DONE, RunStatus.CANCELLED])
def test_a_run_that_does_not_go_on_has_no_pace(status: RunStatus) -> None:
    picture = Picture()
    picture.view(100, RUN, Counts(10, 1))
    view = picture.view(110, replace(RUN, status=status), Counts(10, 5))
    assert (view.rate, view.left) == (0, None)


def test_a_run_takes_until_now_or_until_its_end() -> None:
    assert Picture().view(160, RUN, Counts(10)).elapsed == 60
    assert Picture().view(160, replace(RUN, ended=130.0), Counts(10)).elapsed == 30


def test_the_workers_are_shown_as_they_were_told() -> None:
    assert Picture().view(1, RUN, Counts(1), crew=Crew(4, 16, 9)).crew == Crew(4, 16, 9)
