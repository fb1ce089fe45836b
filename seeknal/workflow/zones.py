"""Time zones as stretches of constant UTC offset.

Units: instants are integer UTC epoch seconds; local seconds are the same count read off the wall
clock, so that ``local = instant + offset``. Ranges are half-open. Rules come from the IANA database
through :mod:`zoneinfo` (the system's copy, else the ``tzdata`` package).
"""

import difflib
import functools
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from seeknal.errors import ScheduleError, TimeError

DAY = 86_400
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_ORDINAL = EPOCH.toordinal()

#: The instants that schedules take. The years people may ask for are 1900 to 2100; the margin of
#: fifty years keeps the interval at either edge whole, however rare its schedule's ticks are.
EARLIEST = int(datetime(1850, 1, 1, tzinfo=UTC).timestamp())
LATEST = int(datetime(2151, 1, 1, tzinfo=UTC).timestamp())

#: How far back a local time can have been shown before: offsets are shorter than a day, so what a
#: zone did three days ago cannot repeat the wall clock of now.
LOOKBACK = 3 * DAY

# Two clock changes of one zone are never closer than 3.98 days (Freetown, 1939), so that probing
# every second day sees each of them; a test holds this against the whole database.
_PROBE = 2 * DAY
_FIXED = frozenset({"UTC", "UCT", "Zulu", "Universal", "GMT", "GMT0", "Greenwich"})
_LONGEST = 60


class Stretch(NamedTuple):
    """The instants ``[start, end)``, through which the wall clock shows instant + ``offset``."""

    start: int
    end: int
    offset: int


def load_zone(name: str) -> ZoneInfo:
    """Return the IANA zone called ``name``; ScheduleError when there is none."""
    if isinstance(name, str):
        return _load_zone(name)
    raise ScheduleError(
        f"{quoted(name)} is no time zone; write an IANA name such as 'Europe/London'."
    )


@functools.lru_cache(maxsize=1024)
def _load_zone(name: str) -> ZoneInfo:
    # By the list, not by trying: ZoneInfo also takes what a file system or an import path lets
    # through, such as other cases, which the next machine may not.
    names = _zone_names()
    if names.get(name.lower()) == name:
        return ZoneInfo(name)
    near = difflib.get_close_matches(name[:_LONGEST].lower(), names, 1, 0.6)
    hint = (
        f"did you mean {names[near[0]]!r}?" if near else "use an IANA name such as 'Europe/London'."
    )
    raise ScheduleError(f"There is no time zone {quoted(name)}; {hint}")


@functools.cache
def _zone_names() -> dict[str, str]:
    """Return the names that mean the same on every machine, by their lower case."""
    return {name.lower(): name for name in sorted(available_timezones() - {"localtime"})}


def quoted(value: object) -> str:
    """Return what somebody gave as a message shows it: quoted, and not longer than a line."""
    text = repr(value)
    return text if len(text) <= _LONGEST + 2 else f"{text[: _LONGEST - 3]}...{text[-1]}"


def check_instant(instant: int) -> int:
    """Return ``instant`` if it is whole seconds inside the supported range, else TimeError."""
    if type(instant) is not int:
        raise TimeError(f"{instant!r} is not an instant; give whole UTC epoch seconds.")
    if not EARLIEST <= instant <= LATEST:
        raise TimeError(
            f"{describe(instant)} is outside the years 1850 to 2150 that schedules know; "
            "choose dates between 1900 and 2100."
        )
    return instant


def describe(instant: int) -> str:
    """Return ``instant`` as people read it in a message: ISO text in UTC, if it has one."""
    try:
        return (EPOCH + timedelta(seconds=instant)).strftime("%Y-%m-%dT%H:%M:%SZ")
    except OverflowError:
        return f"The instant {instant}"


def offset_at(zone: tzinfo, instant: int) -> int:
    """Return the zone's UTC offset at ``instant``, in seconds (east is positive)."""
    offset = (EPOCH + timedelta(seconds=instant)).astimezone(zone).utcoffset()
    return 0 if offset is None else offset // timedelta(seconds=1)


def year_start(year: int) -> int:
    """Return the instant at which ``year`` begins in UTC."""
    return (date(year, 1, 1).toordinal() - EPOCH_ORDINAL) * DAY


@functools.lru_cache(maxsize=65_536)
def year_changes(name: str, year: int) -> tuple[tuple[int, int], ...]:
    """Return (instant, offset) at the start of a UTC year and at every change within it."""
    zone = load_zone(name)
    start, end = year_start(year), year_start(year + 1)
    offset = offset_at(zone, start)
    found = [(start, offset)]
    for before in range(start, end, _PROBE):
        after = min(before + _PROBE, end)
        if offset_at(zone, after) == offset:
            continue
        change = first_change(zone, before, after, offset)
        offset = offset_at(zone, after)
        if change < end:
            found.append((change, offset))
    return tuple(found)


def first_change(zone: tzinfo, before: int, after: int, offset: int) -> int:
    """Bisect for the one change in (before, after], at which the offset is no longer ``offset``."""
    while after - before > 1:
        middle = (before + after) // 2
        if offset_at(zone, middle) == offset:
            before = middle
        else:
            after = middle
    return after


def stretches(zone: ZoneInfo, start: int, end: int) -> Iterator[Stretch]:
    """Yield the stretches of constant offset that tile ``[start, end)``, cut at both ends.

    Lazy: years that the caller does not reach are never looked at.
    """
    if start >= end:
        return
    name = zone.key
    if name in _FIXED or name.startswith("Etc/"):
        yield Stretch(start, end, offset_at(zone, start))
        return
    year = (EPOCH + timedelta(seconds=start)).year
    since, offset = start, offset_at(zone, start)
    while year_start(year) < end:
        for change, new in year_changes(name, year):
            if change <= since or new == offset:
                continue
            if change >= end:
                break
            yield Stretch(since, change, offset)
            since, offset = change, new
        year += 1
    yield Stretch(since, end, offset)


def local_to_instant(zone: ZoneInfo, local: int, fold: int = 0) -> int:
    """Return the instant at which the zone's wall clock shows ``local`` (local seconds).

    A time that exists twice is the first of the two, or the second with ``fold=1``; one that a
    clock change skips is the first instant after the gap.
    """
    shown: list[int] = []
    for stretch in stretches(zone, local - LOOKBACK, local + LOOKBACK):
        opens = stretch.start + stretch.offset
        if opens <= local < stretch.end + stretch.offset:
            shown.append(local - stretch.offset)
        elif opens > local and not shown:
            return stretch.start
    return shown[-1] if fold else shown[0]


def latest_local(zone: ZoneInfo, instant: int) -> int:
    """Return the latest local time that the zone's wall clock has shown by ``instant``.

    That is what it shows, except while it repeats a span: the clock was ahead of itself before.
    """
    past = stretches(zone, instant - LOOKBACK, instant + 1)
    return max(stretch.end - 1 + stretch.offset for stretch in past)
