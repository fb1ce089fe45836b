"""Registering a run that does done units again, and what a flow keeps of its runs' specs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seeknal.stores.base import Again, Change, Store
from seeknal.workflow.state import Origin, Restatement
from seeknal.workflow.units import Unit
from tests.contract.building import (
    CHANGE,
    FLOW,
    HOURLY,
    finish,
    hour,
    launch,
    new_run,
    planned,
    register,
    restate,
    restatement,
    run_units,
    span,
    take,
    value,
)
from tests.contract.harness import Harness

FORCED = Change("ada", "force", "some units", "the rates were wrong")


def again_of(*units: Unit, reason: str = "forced", change: Change | None = None) -> Again:
    """These units, to be done again."""
    return Again(
        tuple(restatement(unit, reason) for unit in units if unit.value is None),
        {unit.value: reason for unit in units if unit.value is not None},
        change,
    )


def launch_again(store: Store, again: Again, *units: Unit) -> str:
    """Register and feed a run that does these units again."""
    run = new_run(*units, origin=Origin.RESTATE)
    assert store.register(run, store.holds(FLOW).version, again)
    assert store.feed(run.id, [planned(u, Origin.RESTATE) for u in units], "", "end")
    return run.id


@pytest.mark.parametrize("unit", [hour(0), value("EU")])
def test_what_is_done_is_restated_and_leased_with_the_run(
    store: Store, harness: Harness, unit: Unit
) -> None:
    run_units(store, unit)
    run = launch_again(store, again_of(unit), unit)
    state = store.state(FLOW)
    if unit.value is None:
        assert state.restatements == (restatement(unit, "forced"),)
        assert state.completed == span(unit)
    else:
        assert dict(state.restated_values) == {unit.value: "forced"}
    claim = take(store, harness.lease, run)
    assert claim.unit == unit
    finish(store, claim)
    state = store.state(FLOW)
    assert (state.restatements, dict(state.restated_values)) == ((), {})
    assert store.counts(run).done == 1


def test_values_are_restated_each_for_its_reason(store: Store) -> None:
    run_units(store, value("EU"), value("US"))
    register_again(store, Again(values={"EU": "late", "US": "wrong"}))
    assert dict(store.state(FLOW).restated_values) == {"EU": "late", "US": "wrong"}


def register_again(store: Store, again: Again) -> None:
    assert store.register(new_run(hour(50)), store.holds(FLOW).version, again)


def test_what_is_not_done_is_not_restated(store: Store) -> None:
    run_units(store, hour(1), value("EU"))
    wanted = Again(
        (restatement(hour(0), "forced", last=hour(3)),), {"EU": "forced", "US": "forced"}
    )
    register_again(store, wanted)
    state = store.state(FLOW)
    assert state.restatements == (restatement(hour(1), "forced"),)
    assert set(state.restated_values) == {"EU"}


def test_what_is_restated_already_keeps_its_reason_and_shape(store: Store) -> None:
    run_units(store, *[hour(n) for n in range(4)], value("EU"))
    restate(store, hour(1), value("EU"), reason="late data")
    wide = Restatement(hour(0).start, hour(3).end, "every other hour", "forced")
    register_again(store, Again((wide,), {"EU": "forced"}))
    state = store.state(FLOW)
    assert [(r.start, r.end, r.schedule, r.reason) for r in state.restatements] == [
        (hour(0).start, hour(0).end, "every other hour", "forced"),
        (hour(1).start, hour(1).end, HOURLY, "late data"),
        (hour(2).start, hour(3).end, "every other hour", "forced"),
    ]
    assert dict(state.restated_values) == {"EU": "late data"}


def test_forced_units_are_audited_and_others_not(store: Store) -> None:
    run_units(store, hour(0))
    register_again(store, again_of(hour(0)))
    assert store.audit() == []
    register_again(store, again_of(hour(0), change=FORCED))
    (entry,) = store.audit()
    assert (entry.actor, entry.action, entry.flow) == ("ada", "force", FLOW)
    assert (entry.what, entry.reason) == ("some units", "the rates were wrong")


def test_a_refused_run_restates_and_audits_nothing(store: Store) -> None:
    run_units(store, hour(0), value("EU"))
    before = store.state(FLOW)
    refused = replace(new_run(hour(0)), fingerprint="other")
    again = again_of(hour(0), value("EU"), change=FORCED)
    assert not store.register(refused, store.holds(FLOW).version - 1, again)
    assert store.state(FLOW) == before
    assert store.audit() == []
    assert set(store.specs(FLOW)) == {"fp"}


def test_a_run_of_no_units_restates_all_the_same(store: Store) -> None:
    run_units(store, hour(0))
    assert store.register(new_run(), store.holds(FLOW).version, again_of(hour(0)))
    assert store.state(FLOW).restated == span(hour(0))


def test_each_fingerprint_keeps_the_spec_of_its_latest_run(store: Store) -> None:
    assert store.specs(FLOW) == {}
    for fingerprint, sql in [("a", "SELECT 1"), ("b", "SELECT 'ü'"), ("a", "SELECT 2")]:
        spec = {"tasks": [{"sql": sql}], "lag": None}
        register(store, replace(new_run(hour(0)), fingerprint=fingerprint, spec=spec))
    register(store, new_run(hour(0, "other")))
    register(store, replace(new_run(hour(0)), fingerprint=""))
    assert {f: spec["tasks"] for f, spec in store.specs(FLOW).items()} == {
        "a": [{"sql": "SELECT 2"}],
        "b": [{"sql": "SELECT 'ü'"}],
    }
    assert store.specs(FLOW)["a"] == {"tasks": [{"sql": "SELECT 2"}], "lag": None}
    assert set(store.specs("other")) == {"fp"}


def test_a_spec_outlives_the_units_of_its_run(store: Store) -> None:
    run_units(store, hour(0))
    store.mark(FLOW, [], [], CHANGE)
    assert store.specs(FLOW)["fp"] == new_run().spec


def test_the_time_and_the_values_of_failed_units_are_in_the_state(
    store: Store, harness: Harness
) -> None:
    units = [hour(0), hour(1), hour(4), value("EU"), value("")]
    run = launch(store, *units, hour(7), value("US"))
    for unit in units:
        store.fail(take(store, harness.lease, run, unit), "boom", None)
    store.fail(take(store, harness.lease, run, hour(7)), "boom", 60.0)
    state = store.state(FLOW)
    assert state.failed == span(hour(0), hour(1)) | span(hour(4))
    assert state.failed_values == {"EU", ""}
    register(store, new_run(hour(1), value("EU")))
    state = store.state(FLOW)
    assert state.failed == span(hour(0)) | span(hour(4))
    assert state.failed_values == {""}
