"""Datetimes at the public edge: what people write, and integer UTC epoch seconds.

A value without an offset is the wall clock of the zone given with it. A local time that a clock
change skips is the first instant after the gap; one that exists twice is the first of the two,
unless a datetime says ``fold=1`` or a text carries its offset. Fractions of a second are dropped.
Texts are of the years 1900 to 2100, up to the first midnight after them. Datetimes and dates may
lie fifty years beyond, where the intervals at the edges begin and end, so that what was computed
can be given back. Anything else is a TimeError.
"""

import re
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from seeknal.errors import TimeError
from seeknal.workflow.zones import (
    EPOCH,
    first_change,
    load_zone,
    local_to_instant,
    offset_at,
    quoted,
)

Moment = datetime | date | str

_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = r"[0-9]{2}(:[0-9]{2}(:[0-9]{2}([.,][0-9]{1,9})?)?)?"
_OFFSET = r"(Z|[+-][0-9]{2}(:?[0-9]{2}(:?[0-9]{2})?)?)"
_BARE = re.compile(_DATE)
_ISO = re.compile(f"{_DATE}([T ]{_TIME}{_OFFSET}?)?", re.IGNORECASE)
_SECOND = timedelta(seconds=1)
_LOCAL_EPOCH = EPOCH.replace(tzinfo=None)
_YEARS = datetime(1900, 1, 1), datetime(2101, 1, 1)  # noqa: DTZ001
_MARGIN = datetime(1850, 1, 1), datetime(2151, 1, 1)  # noqa: DTZ001


def to_seconds(value: Moment, timezone: str) -> int:
    """Return the instant of ``value`` in UTC epoch seconds.

    Naive datetimes, dates (their first instant) and texts without an offset are local times of
    ``timezone``; aware datetimes are converted. TimeError for what is none of these or outside the
    years, ScheduleError for an unknown zone.
    """
    zone = load_zone(timezone)
    if isinstance(value, str):
        return parse_instant(value, timezone)
    if isinstance(value, datetime):
        return _from_datetime(value, zone, _MARGIN)
    if isinstance(value, date):
        return _from_datetime(datetime.combine(value, time()), zone, _MARGIN)
    raise TimeError(f"{quoted(value)} is not a time; give a datetime, a date or ISO text.")


def parse_instant(text: str, timezone: str, *, computed: bool = False) -> int:
    """Return the instant of an ISO 8601 text in UTC epoch seconds.

    ``2024-01-31`` is the first instant of that day; ``2024-01-31T05:00`` is local to ``timezone``,
    with or without seconds, a space may stand for the T; an offset or ``Z`` overrides the zone.
    TimeError for any other form. A ``computed`` text is not a person's but was written here: it may
    lie as far out as a datetime.
    """
    plain = text.strip()
    if _ISO.fullmatch(plain):
        try:
            value = datetime.fromisoformat(plain.upper())
        except ValueError as error:
            raise TimeError(f"{quoted(text)} is not a time: {error}; correct it.") from error
        return _from_datetime(value, load_zone(timezone), _MARGIN if computed else _YEARS)
    raise TimeError(
        f"{quoted(text)} is not a time; write 2024-01-31, 2024-01-31T05:00 or "
        "2024-01-31T05:00:00+02:00."
    )


def is_bare_date(text: str) -> bool:
    """Return whether ``text`` has the form of a date without a time: ``2024-01-31``."""
    return _BARE.fullmatch(text.strip()) is not None


def has_offset(value: Moment) -> bool:
    """Return whether ``value`` names its instant by itself, without a zone beside it."""
    if isinstance(value, datetime):
        return value.utcoffset() is not None
    if isinstance(value, str):
        match = _ISO.fullmatch(value.strip())
        return match is not None and match.group(5) is not None
    return False


def to_datetime(seconds: int, timezone: str, *, naive: bool = False) -> datetime:
    """Return the instant as a datetime of ``timezone``, aware unless ``naive``.

    :func:`to_seconds` reads either back to the same instant: a repeated local time keeps its fold.
    """
    local = (EPOCH + timedelta(seconds=seconds)).astimezone(load_zone(timezone))
    return local.replace(tzinfo=None) if naive else local


def format_instant(seconds: int, timezone: str) -> str:
    """Return the instant as :func:`parse_instant` reads it back in the same zone.

    A date when the local day begins at that instant, else ``2024-01-31T05:00``, with seconds unless
    they are zero, and with the UTC offset when that local time exists twice.
    """
    local = to_datetime(seconds, timezone)
    return _date_text(local) or _time_text(local, with_seconds=local.second != 0)


def format_interval(start: int, end: int, timezone: str) -> str:
    """Return ``START to END`` in local time, so that no two intervals of a zone read alike.

    Dates when both ends begin a local day, else times, as in :func:`format_instant`.
    """
    first, last = _shown(start, timezone), _shown(end, timezone)
    if first.date and last.date:
        return f"{first.date} to {last.date}"
    if first.local.second or last.local.second:
        return " to ".join(_time_text(each.local, with_seconds=True) for each in (first, last))
    return f"{first.minutes} to {last.minutes}"


def local_seconds(wall: datetime) -> int:
    """Return what a naive datetime shows as local seconds."""
    return (wall - _LOCAL_EPOCH) // _SECOND


def _from_datetime(value: datetime, zone: ZoneInfo, years: tuple[datetime, datetime]) -> int:
    """Return the instant of a datetime, a naive one being local to ``zone``."""
    if not years[0] <= value.replace(tzinfo=None) <= years[1]:
        raise TimeError(
            f"{value.isoformat()} is outside the years 1900 to 2100; choose a date within them."
        )
    if value.tzinfo is None or value.utcoffset() is None:
        return local_to_instant(zone, local_seconds(value.replace(tzinfo=None)), value.fold)
    first, second = (_epoch(value.replace(fold=fold)) for fold in (0, 1))
    if second < first:  # A clock change lies between the two and skips this time.
        return first_change(value.tzinfo, second, first, offset_at(value.tzinfo, second))
    return second if value.fold else first


class _Shown(NamedTuple):
    """An instant on the wall clock: its date if the day begins with it, its time in minutes."""

    local: datetime
    date: str
    minutes: str


@lru_cache(maxsize=64)  # the end of one interval is the start of the next
def _shown(seconds: int, timezone: str) -> _Shown:
    local = to_datetime(seconds, timezone)
    return _Shown(local, _date_text(local), _time_text(local, with_seconds=False))


def _date_text(local: datetime) -> str:
    """Return the date if the local day begins at this instant, else the empty text."""
    midnight = local.replace(hour=0, minute=0, second=0, fold=0)
    if midnight.replace(tzinfo=None) == local.replace(tzinfo=None):
        begins = local.fold == 0
    elif midnight.utcoffset() == midnight.replace(fold=1).utcoffset():
        begins = False
    else:
        start = local_to_instant(_zone(local), local_seconds(midnight.replace(tzinfo=None)))
        begins = start == _epoch(local)
    return local.date().isoformat() if begins else ""


def _time_text(local: datetime, *, with_seconds: bool) -> str:
    """Return the local time, with its offset if the wall clock shows it twice."""
    repeated = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
    shown = local if repeated else local.replace(tzinfo=None)
    return shown.isoformat(timespec="seconds" if with_seconds else "minutes")


def _zone(local: datetime) -> ZoneInfo:
    assert isinstance(local.tzinfo, ZoneInfo)
    return local.tzinfo


def _epoch(aware: datetime) -> int:
    return (aware - EPOCH) // _SECOND
