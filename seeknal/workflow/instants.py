"""Datetimes at the public edge: what people write, and integer UTC epoch seconds.

A value without an offset is the wall clock of the zone given with it. A local time that a clock
change skips is the first instant after the gap; one that exists twice is the first of the two,
unless a datetime says ``fold=1`` or a text carries its offset. Fractions of a second are dropped.
The years are 1900 to 2100, up to the first midnight after them; anything beyond is a TimeError.
"""

import re
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from seeknal.errors import TimeError
from seeknal.workflow.zones import DAY, EPOCH, EPOCH_ORDINAL, load_zone, local_to_instant

Instant = datetime | date | str | int

_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = r"[0-9]{2}(:[0-9]{2}(:[0-9]{2}([.,][0-9]{1,9})?)?)?"
_OFFSET = r"(Z|[+-][0-9]{2}(:?[0-9]{2}(:?[0-9]{2})?)?)"
_BARE = re.compile(_DATE)
_ISO = re.compile(f"{_DATE}([T ]{_TIME}{_OFFSET}?)?", re.IGNORECASE)
_SECOND = timedelta(seconds=1)
_FIRST, _LAST = datetime(1900, 1, 1), datetime(2101, 1, 1)  # noqa: DTZ001


def to_seconds(value: Instant, timezone: str) -> int:
    """Return the instant of ``value`` in UTC epoch seconds.

    Naive datetimes, dates (their first instant) and texts without an offset are local times of
    ``timezone``; aware datetimes are converted; integers are UTC epoch seconds already. TimeError
    for what is none of these or outside 1900 to 2100, ScheduleError for an unknown zone.
    """
    zone = load_zone(timezone)
    if isinstance(value, datetime):
        return _from_datetime(value, zone)
    if isinstance(value, date):
        return _from_datetime(datetime.combine(value, time()), zone)
    if isinstance(value, str):
        return parse_instant(value, timezone)
    if isinstance(value, int) and not isinstance(value, bool):
        return _checked(value, zone)
    raise TimeError(f"{value!r} is not a time; give a datetime, a date or ISO text.")


def parse_instant(text: str, timezone: str) -> int:
    """Return the instant of an ISO 8601 text in UTC epoch seconds.

    ``2024-01-31`` is the first instant of that day; ``2024-01-31T05:00`` is local to ``timezone``,
    with or without seconds, a space may stand for the T; an offset or ``Z`` overrides the zone.
    TimeError for any other form.
    """
    plain = text.strip()
    if _ISO.fullmatch(plain):
        try:
            value = datetime.fromisoformat(plain.upper())
        except ValueError as error:
            raise TimeError(f"{text!r} is not a time: {error}; correct it.") from error
        return _from_datetime(value, load_zone(timezone))
    raise TimeError(
        f"{text!r} is not a time; write 2024-01-31, 2024-01-31T05:00 or 2024-01-31T05:00:00+02:00."
    )


def is_bare_date(text: str) -> bool:
    """Return whether ``text`` has the form of a date without a time: ``2024-01-31``."""
    return _BARE.fullmatch(text.strip()) is not None


def has_offset(value: Instant) -> bool:
    """Return whether ``value`` names its instant by itself, without a zone beside it."""
    if isinstance(value, datetime):
        return value.utcoffset() is not None
    if isinstance(value, str):
        match = _ISO.fullmatch(value.strip())
        return match is not None and match.group(5) is not None
    return isinstance(value, int)


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
    first, last = to_datetime(start, timezone), to_datetime(end, timezone)
    dates = _date_text(first), _date_text(last)
    if all(dates):
        return f"{dates[0]} to {dates[1]}"
    with_seconds = bool(first.second or last.second)
    return (
        f"{_time_text(first, with_seconds=with_seconds)} to "
        f"{_time_text(last, with_seconds=with_seconds)}"
    )


def _from_datetime(value: datetime, zone: ZoneInfo) -> int:
    """Return the instant of a datetime, a naive one being local to ``zone``."""
    if not _FIRST <= value.replace(tzinfo=None) <= _LAST:
        raise TimeError(
            f"{value.isoformat()} is outside the years 1900 to 2100; choose a date within them."
        )
    if value.utcoffset() is not None:
        return (value - EPOCH) // _SECOND
    local = (value.toordinal() - EPOCH_ORDINAL) * DAY
    local += value.hour * 3600 + value.minute * 60 + value.second
    return local_to_instant(zone, local, value.fold)


def _checked(seconds: int, zone: ZoneInfo) -> int:
    """Return ``seconds`` if they lie in the supported years, else TimeError."""
    try:
        local = (EPOCH + timedelta(seconds=seconds)).astimezone(zone).replace(tzinfo=None)
        inside = _FIRST <= local <= _LAST
    except OverflowError:
        inside = False
    if not inside:
        raise TimeError(
            f"{seconds} is no second of the years 1900 to 2100; "
            "give UTC epoch seconds, not milliseconds."
        )
    return seconds


def _date_text(local: datetime) -> str:
    """Return the date if the local day begins at this instant, else the empty text."""
    midnight = local.replace(hour=0, minute=0, second=0, fold=0)
    if midnight.replace(tzinfo=None) == local.replace(tzinfo=None):
        begins = local.fold == 0
    elif midnight.utcoffset() == midnight.replace(fold=1).utcoffset():
        begins = False
    else:
        begins = _from_datetime(midnight.replace(tzinfo=None), _zone(local)) == _epoch(local)
    return local.date().isoformat() if begins else ""


def _time_text(local: datetime, *, with_seconds: bool) -> str:
    """Return the local time, with its offset if the wall clock shows it twice."""
    repeated = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
    shown = local if repeated else local.replace(tzinfo=None)
    return shown.isoformat(timespec="seconds" if with_seconds else "minutes")


def _zone(local: datetime) -> ZoneInfo:
    assert isinstance(local.tzinfo, ZoneInfo)
    return local.tzinfo


def _epoch(local: datetime) -> int:
    return (local - EPOCH) // _SECOND
