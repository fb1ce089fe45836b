"""Schedules against croniter in UTC, against cronsim where clocks change, against brute force.

The oracles do not agree with each other everywhere. DIFFERENCES lists where Seeknal departs from
one of them on purpose, with an example that shows it, and why.
"""

from collections import Counter
from random import Random

import pytest
from croniter import croniter
from croniter.croniter import CroniterBadDateError
from cronsim import CronSim, CronSimError

from seeknal.errors import ScheduleError
from seeknal.workflow.schedule import Schedule
from tests.unit.schedule_oracles import (
    DAY,
    ZONES,
    at,
    changes,
    croniter_ticks,
    cronsim_ticks,
    follows_clock,
    near_a_change,
    numbered_and_dated,
    offset,
    random_cron,
    real_matches,
    seconds_of,
    starred_days,
    utc,
    why_cronsim_differs,
)

# Expression, zone, start, the oracle and what it says instead (None: it refuses), and the reason.
CRONITER, CRONSIM = "croniter", "cronsim"
TICKS, FEW = 8, 3
DIFFERENCES = [
    (
        ("0 0 10 * 1#2", "UTC", utc(2025, 6, 1), CRONITER),
        [utc(2025, 6, 9), utc(2025, 7, 14)],
        [utc(2025, 6, 9), utc(2025, 6, 10)],
        "croniter forgets the day of month beside # or L, or finds no date at all; the rule that "
        "either of two restricted day fields suffices holds for them as well",
    ),
    (
        ("0 0 10W * 1", "UTC", utc(2025, 6, 1), CRONITER),
        [utc(2025, 6, 10), utc(2025, 7, 10)],
        [utc(2025, 6, 2), utc(2025, 6, 9)],
        "croniter forgets the weekday beside W; either of two restricted day fields suffices",
    ),
    (
        ("0 0 */10 * 1", "UTC", utc(2025, 6, 1), CRONSIM),
        [utc(2025, 7, 21), utc(2025, 8, 11)],
        [utc(2025, 6, 2), utc(2025, 6, 9)],
        "Debian needs both day fields to match when one begins with *; which days a cron means "
        "follows croniter, whose reading people's data tools share: a step restricts the field",
    ),
    (
        ("0 5-5 * * *", "UTC", utc(2025, 6, 1), CRONSIM),
        [utc(2025, 6, 1, 5), utc(2025, 6, 2, 5)],
        [utc(2025, 6, 1, 1), utc(2025, 6, 1, 2)],
        "croniter reads a range of one value as the whole field, and croniter expands the fields",
    ),
    (
        ("0 0 * * 5/2", "UTC", utc(2025, 6, 3), CRONSIM),
        [utc(2025, 6, 6), utc(2025, 6, 8)],
        [utc(2025, 6, 6), utc(2025, 6, 13)],
        "for croniter a week has the days 0 to 6, so that a step never reaches 7 as Sunday",
    ),
    (
        ("0 22-2 * * *", "UTC", utc(2025, 6, 1), CRONSIM),
        None,
        [utc(2025, 6, 1, 1), utc(2025, 6, 1, 2)],
        "cronsim refuses ranges that wrap around; croniter has them",
    ),
    (
        ("0 0 15W * *", "UTC", utc(2025, 6, 1), CRONSIM),
        None,
        [utc(2025, 6, 16), utc(2025, 7, 15)],
        "cronsim has no nearest weekday; croniter has it",
    ),
    (
        ("34 * * * *", "Asia/Kathmandu", utc(1985, 12, 31, 18, 10), CRONSIM),
        [utc(1985, 12, 31, 19, 49), utc(1985, 12, 31, 20, 49)],
        [utc(1985, 12, 31, 18, 49), utc(1985, 12, 31, 19, 49)],
        "cronsim steps by whole hours and misses real matches when a clock moves by a part of one",
    ),
    (
        ("33,49 */2 * * *", "Asia/Hong_Kong", utc(1959, 3, 21, 18, 40), CRONSIM),
        [utc(1959, 3, 21, 18, 49), utc(1959, 3, 21, 21, 33)],
        [utc(1959, 3, 21, 18, 49), utc(1959, 3, 21, 19, 33)],
        "it misses them as well when a clock moves by an hour in the middle of one",
    ),
    (
        ("*/30 0 * * 0", "America/Sao_Paulo", utc(2018, 11, 3, 12), CRONSIM),
        [utc(2018, 11, 4, 3), utc(2018, 11, 11, 2)],
        [utc(2018, 11, 11, 2), utc(2018, 11, 11, 2, 30)],
        "cronsim sets the clock to a midnight that does not exist; only real matches fire",
    ),
    (
        ("45 0 * * *", "Canada/Mountain", utc(1906, 8, 31, 20), CRONSIM),
        None,
        None,
        "cronsim looks for the end of a gap minute by minute; the tick is its first instant, also "
        "where a zone left solar time within a minute",
    ),
    (
        ("0 0 30 2 *", "UTC", utc(2025, 6, 1), CRONITER),
        None,
        None,
        "a cron that never fires is refused when it is written, not when it is first asked",
    ),
]


def first(oracle: str, cron: str, zone: str, start: int) -> list[int] | None:
    """The first two ticks after ``start``; None when the oracle refuses."""
    try:
        if oracle == CRONITER:
            return list(croniter_ticks(cron, start, 2))
        return list(cronsim_ticks(cron, zone, start, 2))
    except (CroniterBadDateError, CronSimError):
        return None


@pytest.mark.parametrize(("case", "theirs", "ours", "reason"), DIFFERENCES)
def test_the_deliberate_differences(
    case: tuple[str, str, int, str], theirs: list[int] | None, ours: list[int] | None, reason: str
) -> None:
    cron, zone, start, oracle = case
    if ours is not None:
        assert first(oracle, cron, zone, start) == theirs
        schedule = Schedule(cron, zone)
        tick = schedule.next(start)
        assert [tick, schedule.next(tick)] == ours
    assert theirs != ours or reason.startswith(("a cron", "cronsim looks"))


def test_a_gap_that_ends_within_a_minute_fires_at_its_end() -> None:
    """Mountain Time left the sun at 07:33:52 UTC of 1906-09-01: 00:00:00 became 00:33:52."""
    zone, start = "Canada/Mountain", utc(1906, 9, 1, 7)
    change = utc(1906, 9, 1, 7, 33, 52)
    assert [when for when, _ in changes(zone, start, start + DAY)] == [change]
    assert Schedule("20 0 * * *", zone).next(start) == change
    assert next(cronsim_ticks("20 0 * * *", zone, start, 1)) == change + 8


def test_what_never_fires_is_known_when_it_is_written() -> None:
    croniter("0 0 30 2 *")
    with pytest.raises(ScheduleError, match="never fires"):
        Schedule("0 0 30 2 *")


def test_agreement_with_croniter_in_utc() -> None:
    random, compared = Random(20250309), 0
    while compared < 10_000:
        cron = random_cron(random)
        start = random.randrange(utc(1901, 1, 1), utc(2090, 1, 1))
        if numbered_and_dated(cron):
            continue
        expected = list(croniter_ticks(cron, start, FEW))
        assert Schedule(cron).ticks(start + 1, expected[-1] + 1) == expected, (cron, start)
        compared += 1


def test_agreement_with_cronsim_where_clocks_change() -> None:
    """Ten thousand crons, zones and windows; those that differ must show a known artefact.

    Few ticks each, from right before a change: what could differ is near it.
    """
    random, compared, crossed, artefacts = Random(20251102), 0, 0, Counter[str]()
    zone, start = "UTC", 0
    while compared < 10_000:
        cron = random_cron(random)
        if starred_days(cron):
            continue
        if compared % 3 == 0:
            zone = random.choice(ZONES)
            start = near_a_change(random, zone)
        schedule = Schedule(cron, zone)
        expected = [t for t in cronsim_ticks(cron, zone, start, TICKS) if t < utc(2149, 1, 1)]
        compared += 1
        crossed += bool(expected) and offset(start, zone) != offset(expected[-1], zone)
        if not expected or schedule.ticks(start + 1, expected[-1] + 1) == expected:
            continue
        reason = why_cronsim_differs(cron, zone, start, expected[-1])
        assert reason is not None, (cron, zone, start)
        artefacts[reason] += 1
        if follows_clock(cron) and len(cron.split()) == 5:
            end = min(expected[-1] + 1, start + 3 * DAY)
            assert schedule.ticks(start + 1, end) == real_matches(cron, zone, start + 1, end)
    assert artefacts.total() < compared / 50
    assert crossed > compared / 5


def test_agreement_with_brute_force_where_clocks_change_by_odd_amounts() -> None:
    random, compared = Random(5), 0
    zones = ["Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Monrovia"]
    zones += ["Antarctica/Troll", "Europe/Amsterdam", "Pacific/Apia", "Asia/Manila"]
    while compared < 250:
        zone = random.choice(zones)
        cron = f"{random.choice(('*', '*/7', '5-50/9', '34'))} {random.choice(('*', '*/2'))} * * *"
        start = near_a_change(random, zone)
        end = start + random.randrange(3600, DAY)
        assert Schedule(cron, zone).ticks(start, end) == real_matches(cron, zone, start, end)
        compared += 1


def test_the_first_tick_of_a_window_needs_no_run_up() -> None:
    """Asking from within a repeated hour is the same as asking from days before."""
    random, within = Random(11), 0
    while within < 300:
        zone = random.choice(ZONES)
        cron = random.choice((random_cron(random, seconds=False), "5,25,45 0-23 * * *"))
        schedule, start = Schedule(cron, zone), near_a_change(random, zone) - DAY
        end = start + 50 * DAY
        some = changes(zone, start, end)
        if not some:
            continue
        change = random.choice(some)[0]
        cut = change + random.randrange(-7200, 7200)
        ticks = schedule.ticks(change - 4 * DAY, change + 4 * DAY)
        later = [tick for tick in ticks if tick >= cut]
        assert schedule.ticks(cut, change + 4 * DAY) == later, (cron, zone, cut)
        assert not later or schedule.ceil(cut) == later[0]
        assert schedule.floor(cut) <= cut
        within += 1


def test_cronsim_is_read_as_it_was_meant() -> None:
    """The oracle itself: the transcription of crons and instants loses nothing."""
    moment = at(utc(2025, 3, 9, 9), "America/Los_Angeles")
    assert seconds_of(next(CronSim("30 2 * * *", moment))) == utc(2025, 3, 9, 10)
    ticks = list(cronsim_ticks("0 0 * * L5 30", "UTC", utc(2025, 6, 1), 1))
    assert ticks == [utc(2025, 6, 27, 0, 0, 30)]
