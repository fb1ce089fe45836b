"""What the tests of schedules share: random crons, croniter and cronsim as oracles, brute force."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo, available_timezones

from croniter import croniter
from cronsim import CronSim

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY = 86_400
ZONES = sorted(
    name
    for name in available_timezones()
    if name != "localtime" and not name.startswith(("right/", "posix/"))
)
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]


def utc(*parts: int) -> int:
    """Seconds of a UTC wall clock time."""
    return int(datetime(*parts, tzinfo=UTC).timestamp())  # type: ignore[arg-type,misc]


def at(instant: int, zone: str) -> datetime:
    return (EPOCH + timedelta(seconds=instant)).astimezone(ZoneInfo(zone))


def seconds_of(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(seconds=1)


def _field(random: Random, low: int, high: int, names: list[str] | None = None) -> str:
    def value(number: int) -> str:
        return names[number - low] if names and random.random() < 0.3 else str(number)

    kind = random.randrange(7)
    first, last = sorted(random.sample(range(low, high + 1), 2))
    if kind == 0:
        return "*"
    if kind == 1:
        return f"*/{random.randint(1, max(2, (high - low) // 2))}"
    if kind == 2:
        return f"{value(first)}-{value(last)}"
    if kind == 3:
        return f"{first}-{last}/{random.randint(1, 5)}"
    if kind == 4:
        count = random.randint(2, 4)
        return ",".join(value(n) for n in sorted(random.sample(range(low, high + 1), count)))
    return value(random.randint(low, high))


def random_cron(random: Random, *, seconds: bool = True) -> str:
    """A cron that can fire, over the whole of what croniter accepts."""
    minute, hour = _field(random, 0, 59), _field(random, 0, 23)
    if random.random() < 0.25:
        minute = random.choice(("0", "30", "15", "*/15", "*/30"))
    day = month = weekday = "*"
    if random.random() < 0.35:
        day = _field(random, 1, 31) if random.random() < 0.7 else random.choice(("L", "15,L", "?"))
    if random.random() < 0.25:
        month = _field(random, 1, 12, MONTHS)
    if random.random() < 0.35:
        special = (f"{random.randint(0, 6)}#{random.randint(1, 5)}", f"L{random.randint(0, 6)}")
        weekday = (
            _field(random, 0, 6, WEEKDAYS) if random.random() < 0.7 else random.choice(special)
        )
    if day not in ("*", "?") and weekday == "*" and month != "*":
        day = str(random.randint(1, 28))
    cron = f"{minute} {hour} {day} {month} {weekday}"
    if seconds and random.random() < 0.1:
        cron += f" {_field(random, 0, 59)}"
    return cron


def croniter_ticks(cron: str, start: int, count: int) -> Iterator[int]:
    """The first ticks after ``start`` in UTC, as croniter steps."""
    stepper = croniter(cron, float(start))
    for _ in range(count):
        yield int(stepper.get_next(float))


def cronsim_text(cron: str) -> str:
    """The same expression as cronsim writes it: seconds first, ``5L`` for the last Friday."""
    fields = cron.split()
    if len(fields[4]) == 2 and fields[4][0] == "L":
        fields[4] = f"{fields[4][1]}L"
    fields = ["*" if field == "?" else field for field in fields]
    return " ".join(fields[5:] + fields[:5])


def cronsim_ticks(cron: str, zone: str, start: int, count: int) -> Iterator[int]:
    """The first ticks after ``start`` in a zone, as cronsim steps."""
    stepper = CronSim(cronsim_text(cron), at(start, zone))
    for _ in range(count):
        yield seconds_of(next(stepper))


def starred_days(cron: str) -> bool:
    """Both day fields are restricted, and one of them begins with ``*``."""
    day, weekday = cron.split()[2], cron.split()[4]
    return not {day, weekday} & {"*", "?"} and "*" in (day[0], weekday[0])


def numbered_and_dated(cron: str) -> bool:
    """A day of month beside a weekday with ``#`` or ``L``."""
    day, weekday = cron.split()[2], cron.split()[4]
    return day not in ("*", "?") and ("#" in weekday or "L" in weekday)


def follows_clock(cron: str) -> bool:
    """The minute or hour field begins with ``*``, or there are seconds."""
    fields = cron.split()
    return len(fields) == 6 or "*" in (fields[0][0], fields[1][0])


def offset(instant: int, zone: str) -> int:
    shown = at(instant, zone).utcoffset()
    assert shown is not None
    return shown // timedelta(seconds=1)


def changes(zone: str, start: int, end: int, probe: int = DAY) -> list[tuple[int, int]]:
    """The (instant, shift in seconds) of each clock change in a range, found by bisection.

    A ``probe`` of more than three days may miss two changes of which one takes back the other.
    """
    found = []
    shown = offset(start, zone)
    for left in range(start, end, probe):
        low, high = left, min(left + probe, end)
        before, shown = shown, offset(high, zone)
        if before == shown:
            continue
        while high - low > 1:
            middle = (low + high) // 2
            if offset(middle, zone) == before:
                low = middle
            else:
                high = middle
        found.append((high, shown - before))
    return found


def near_a_change(random: Random, zone: str) -> int:
    """An instant before a clock change of the zone, at any of several distances.

    Before some month, if the zone has no change in any of a few years.
    """
    for _ in range(4):
        year = random.randrange(1901, 2095)
        some = changes(zone, utc(year, 1, 1), utc(year + 1, 1, 1), 7 * DAY)
        if some:
            break
    change = random.choice(some)[0] if some else utc(year, random.randrange(1, 13), 1)
    return change - random.choice((0, 600, 7200, 30 * 3600, 5 * DAY)) - random.randrange(3600)


def real_matches(cron: str, zone: str, start: int, end: int) -> list[int]:
    """Every instant of ``[start, end)`` at which the wall clock shows a match of five fields.

    By looking at each minute: the oracle for schedules that follow the clock.
    """
    minute, hour, *days = cron.split()
    (minutes, hours, *_), _ = croniter.expand(f"{minute} {hour} * * *")
    dates: dict[str, bool] = {}
    found = []
    for instant in range(start - 60, end + 60, 60):
        near = instant - (instant + offset(instant, zone)) % 60 + 60
        shown = at(near, zone).replace(tzinfo=None)
        if shown.second or ("*" not in minutes and shown.minute not in minutes):
            continue
        if "*" not in hours and shown.hour not in hours:
            continue
        date = shown.date().isoformat()
        if date not in dates:
            midnight = shown.replace(hour=0, minute=0, fold=0)
            dates[date] = croniter.match(f"0 0 {' '.join(days)}", midnight)
        if dates[date] and start <= near < end:
            found.append(near)
    return sorted(set(found))


def why_cronsim_differs(cron: str, zone: str, start: int, end: int) -> str | None:
    """Name the known artefact of cronsim that a range contains, if there is one."""
    for change, shift in changes(zone, start, end):
        opens = change + offset(change, zone)
        if follows_clock(cron):
            if shift % 3600 or opens % 3600:
                return "shift of, or within, a broken hour"
            if shift > 0 and (opens - shift) // DAY != (opens - 1) // DAY:
                return "midnight that does not exist"
            if shift > 0 and (opens - shift) % DAY == 0:
                return "midnight that does not exist"
        elif shift > 0 and opens % 60:
            return "gap that ends within a minute"
    return None
