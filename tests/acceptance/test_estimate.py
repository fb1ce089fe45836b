"""Before a backfill: what one unit comes to, and how long all of them will take."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fleet import fleet
from tests.projects import Sandbox

DAYS = 60


@pytest.fixture
def shop(tmp_path: Path) -> Sandbox:
    """Sixty days of hourly events, none of them done."""
    return Sandbox(tmp_path / "shop").declare().events("2024-01-01", DAYS * 24, "1 hour")


def test_explaining_shows_the_sql_what_it_reads_and_where_it_goes(shop: Sandbox) -> None:
    shown = shop.seeknal("run", "--explain", "2024-01-04").out
    assert shown.startswith("Unit 2024-01-04 to 2024-01-05 of events_flow: missing\n")
    assert "event_time >= TIMESTAMP '2024-01-04 00:00:00'" in shown
    assert "scan of raw_events.main.events: columns " in shown
    assert "filter: event_time>='2024-01-04 00:00:00'" in shown
    path = shop.root / "target/output/events_flow/interval_month=2024-01"
    assert f"Output: {path}/20240104T000000Z_20240105T000000Z.parquet" in shown
    assert shop.files() == {}
    with shop.store() as store:
        assert store.runs() == []


def test_explaining_says_of_a_unit_why_it_would_run_or_not(shop: Sandbox) -> None:
    shop.seeknal("run", "--start-date", "2024-01-01", "--end-date", "2024-01-03")
    shop.seeknal("intervals", "restate", "--start", "2024-01-02", "--end", "2024-01-03",
                 "--reason", "late data")  # fmt: skip
    reasons = {
        typed: shop.seeknal("run", "--explain", typed, "--json").json["reason"]
        for typed in ("2024-01-01", "2024-01-02 to 2024-01-03", "2024-01-05", "2024-05-01",
                      "2099-01-01")
    }  # fmt: skip
    assert list(reasons.values()) == ["done", "restated", "missing", "no data yet", "not due"]
    found = shop.seeknal("run", "--explain", "2024-01-01", "--json").json
    (run,) = [run for key, run in shop.runs_of_files().items() if key.startswith("20240101")]
    assert found["published"]["seeknal_run"] == run
    assert found["scans"][0]["filters"]


def test_explaining_tells_when_every_unit_reads_everything(shop: Sandbox) -> None:
    shop.declare(
        sql="SELECT * FROM events WHERE event_time + to_days(id % 1) >= '__START__' "
        "AND event_time + to_days(id % 1) < '__END__'",
        time_column="event_time",
    )
    assert "all of it is read for every unit" in shop.seeknal("run", "--explain", "2024-01-04").out


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("2024-01-04T05:00", "is not one interval of flow 'events_flow'; name one, for example"),
        ("2024-01-04 to 2024-01-06", "'2024-01-04 to 2024-01-05'"),
        ("tomorrow", "'tomorrow'"),
    ],
)
def test_what_is_no_unit_is_not_explained(shop: Sandbox, typed: str, said: str) -> None:
    assert said in shop.call("run", "--explain", typed, code=2).err


def test_an_estimate_keeps_its_sample_and_names_the_command_for_the_rest(shop: Sandbox) -> None:
    first = shop.seeknal("run", "--backfill", "--estimate")
    assert "Sample of events_flow: 24 of 60 units are done, and stay done." in first.lines
    assert "The other 36 units would make about 864 rows (864 to 864)" in first.out
    assert {line.split()[0] for line in first.lines[-4:]} == {"1", "4", "16", "64"}
    assert len(shop.files()) == 24
    with shop.store() as store:
        events = [event for run in store.runs() for event in store.events(run.id)]
    who = {event.worker for event in events if event.kind == "completed"}
    assert len(who) == 1, "a unit's time is that between the completions of one thread"
    command = first.err.partition("Run them with: ")[2].strip()
    assert command == "seeknal run --flow events_flow --backfill"
    rest = shop.bash(command)
    assert rest.lines[0] == "Processing 36 missing intervals (2024-01-01 to 2024-03-01)"
    shop.assert_output_is("SELECT * FROM events")
    again = shop.seeknal("run", "--backfill", "--estimate")
    assert again.lines == ["Nothing to do for events_flow."]


def test_an_estimate_as_json_grows_with_what_is_left(shop: Sandbox) -> None:
    (found,) = shop.seeknal("run", "--backfill", "--estimate", "--json").json["flows"]
    assert (found["units"], found["sampled"], found["left"]) == (60, 24, 36)
    assert found["rows"]["mean"] == 36 * 24
    seconds = {int(workers): spread["mean"] for workers, spread in found["seconds"].items()}
    assert seconds[1] == pytest.approx(found["unit_seconds"]["mean"] * 36)
    assert seconds[1] >= seconds[4] >= seconds[16] >= seconds[64] >= found["unit_seconds_longest"]


def test_an_estimate_of_values_and_of_failing_units(shop: Sandbox) -> None:
    shop.declare(
        schedule=None,
        partition={"column": "amount"},
        sql="SELECT id FROM events WHERE amount = '__PARTITION__'",
    )
    (found,) = shop.seeknal("run", "--backfill", "--estimate", "--json").json["flows"]
    assert (found["units"], found["sampled"]) == (97, 24)
    shop.declare(sql=[
        "SELECT *, CASE WHEN id >= 0 THEN error('broken') END AS e FROM events "
        "WHERE event_time >= '__START__' AND event_time < '__END__'"
    ])  # fmt: skip
    failed = shop.seeknal("run", "--backfill", "--estimate", "--max-attempts", "1", code=1)
    assert "No estimate of events_flow: no unit of the sample was completed; " in failed.err
    assert "seeknal intervals failed --flow events_flow" in failed.err


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ((), "--estimate is for backfills; add --backfill."),
        (("--backfill", "--dry-run"), "leave out --dry-run"),
        (("--backfill", "--workers", "2"), "leave out --workers"),
    ],
)
def test_what_an_estimate_does_not_go_with(shop: Sandbox, more: tuple[str, ...], said: str) -> None:
    assert said in shop.call("run", "--estimate", *more, code=2).err
    assert shop.files() == {}


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Sandbox]:
    with fleet(tmp_path) as ships:
        ships.box.events("2024-01-01", DAYS * 24, "1 hour").declare()
        ships.worker(2)
        yield ships.box


def test_workers_run_the_sample_where_they_share_a_redis(box: Sandbox) -> None:
    (found,) = box.seeknal("run", "--backfill", "--estimate", "--json").json["flows"]
    assert (found["units"], found["sampled"], found["left"]) == (60, 24, 36)
    assert len(box.files()) == 24
