"""A store against a model that knows each second on its own."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from seeknal.feed import top_up
from seeknal.stores.base import Again, Change, Store
from seeknal.workflow.intervals import IntervalSet
from seeknal.workflow.state import Claim, Completion, Origin, Restatement, Run, UnitResult
from seeknal.workflow.units import PlannedRange, PlannedUnit, Unit
from tests.contract.harness import QUICK

Label = tuple[str, ...]

SECONDS = 24
SHAPES = {"every second": 1, "every two": 2, "every six": 6}

_flows = itertools.count()
_change = Change("ada", "test", "seconds", "because")

schedules = st.sampled_from(sorted(SHAPES))
fingerprints = st.sampled_from(["fp1", "fp2"])
origins = st.sampled_from([Origin.RUN, Origin.BACKFILL])


@st.composite
def spans(draw: st.DrawFn) -> tuple[int, int]:
    start = draw(st.integers(0, SECONDS - 1))
    return start, draw(st.integers(start + 1, SECONDS))


def stretches(seconds: dict[int, Label]) -> list[tuple[int, int, Label]]:
    """Join seconds that touch and are labelled alike."""
    joined: list[tuple[int, int, Label]] = []
    for second, label in sorted(seconds.items()):
        if joined and joined[-1][1] == second and joined[-1][2] == label:
            joined[-1] = (joined[-1][0], second + 1, label)
        else:
            joined.append((second, second + 1, label))
    return joined


class StoreMachine(RuleBasedStateMachine):
    """One flow of a store, and what each second of it should be."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.store = store
        self.flow = f"model-{next(_flows)}"
        self.completed: dict[int, Label] = {}
        self.restated: dict[int, Label] = {}
        self.unfinished: set[int] = set()
        self.forgotten: dict[int, Label] = {}
        self.failed: set[tuple[int, int]] = set()
        self.prepared: set[tuple[int, int]] = set()
        self.claims: list[Claim] = []

    def is_done(self, start: int, end: int) -> bool:
        seconds = range(start, end)
        return all(s in self.completed and s not in self.restated for s in seconds)

    def drop(self, units: set[tuple[int, int]], start: int, end: int) -> None:
        """Settle units within the span, and those that are done now that it is."""
        units.difference_update(
            [
                (s, e)
                for s, e in units
                if s < end and e > start and ((start <= s and e <= end) or self.is_done(s, e))
            ]
        )

    @rule(
        span=spans(),
        schedule=schedules,
        origin=origins,
        again=st.booleans(),
        newest_first=st.booleans(),
    )
    def launch(
        self, span: tuple[int, int], schedule: str, origin: Origin, again: bool, newest_first: bool
    ) -> None:
        """Run what of the span no live claim holds, and claim all that is to be had."""
        size = SHAPES[schedule]
        start, end = span[0] // size * size, -(-span[1] // size) * size
        units = [Unit(self.flow, s, s + size) for s in range(start, end, size)]
        run = Run(
            f"{self.flow}-{len(self.store.runs(self.flow))}",
            self.flow,
            {},
            "fp",
            (PlannedRange(start, end, schedule, origin),),
            len(units),
        )
        wanted = Again((Restatement(start, end, schedule, "again"),)) if again else None
        assert self.store.register(run, self.store.holds(self.flow).version, wanted)
        self.unfinished.update(range(start, end))
        self.drop(self.failed, start, end)
        if again:
            for second in self.completed.keys() & set(range(start, end)):
                self.restated.setdefault(second, (schedule, "again"))
        planned = [PlannedUnit(u, origin, schedule) for u in units]
        assert self.store.feed(run.id, planned, "", "end")
        if newest_first:
            assert self.store.steer(run.id, {"newest_first": True})
            assert top_up(self.store, run.id, len(units)) == len(units)
        records = [record.unit for record in self.store.records(run.id)]
        assert records == (units[::-1] if newest_first else units)
        held = {c.unit for c in self.claims}
        while claim := self.store.claim("worker", 1e6, run.id):
            assert claim.unit not in held
            assert not self.is_done(claim.unit.start, claim.unit.end)
            self.claims.append(claim)
        claimed = {c.unit for c in self.claims}
        for unit in units:
            assert unit in claimed or self.is_done(unit.start, unit.end)

    def pick(self, data: st.DataObject) -> Claim:
        return self.claims.pop(data.draw(st.integers(0, len(self.claims) - 1)))

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), fingerprint=fingerprints)
    def complete(self, data: st.DataObject, fingerprint: str) -> None:
        claim = self.pick(data)
        self.check_prepare(claim)
        self.store.complete(claim, fingerprint, UnitResult())
        seconds = range(claim.unit.start, claim.unit.end)
        label = (str(claim.planned.origin), claim.planned.schedule, fingerprint)
        for second in seconds:
            self.completed[second] = label
            self.restated.pop(second, None)
            self.forgotten.pop(second, None)
        self.unfinished.difference_update(seconds)
        self.drop(self.failed, claim.unit.start, claim.unit.end)
        self.drop(self.prepared, claim.unit.start, claim.unit.end)

    def check_prepare(self, claim: Claim) -> None:
        unit = claim.unit
        overlap = self.store.prepare(claim)
        both = stretches(self.completed) + stretches(self.forgotten)
        assert sorted((c.start, c.end, _label(c)) for c in overlap.completions) == sorted(
            s for s in both if s[0] < unit.end and s[1] > unit.start
        )
        assert [(u.start, u.end) for u in overlap.publishing] == sorted(
            (s, e)
            for s, e in self.prepared
            if s < unit.end and e > unit.start and (s, e) != (unit.start, unit.end)
        )
        self.prepared.add((unit.start, unit.end))

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), prepared=st.booleans())
    def fail(self, data: st.DataObject, prepared: bool) -> None:
        claim = self.pick(data)
        if prepared:
            self.check_prepare(claim)
        self.store.fail(claim, "boom", None)
        self.failed.add((claim.unit.start, claim.unit.end))

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), span=spans())
    def forget(self, data: st.DataObject, span: tuple[int, int]) -> None:
        claim = self.claims[data.draw(st.integers(0, len(self.claims) - 1))]
        self.store.forget(claim, IntervalSet([span]))
        for second in range(*span):
            self.restated.pop(second, None)
            if second in self.completed:
                self.forgotten[second] = self.completed.pop(second)
                self.unfinished.add(second)

    @rule(span=spans(), schedule=schedules, origin=st.sampled_from(sorted(Origin)))
    def mark(self, span: tuple[int, int], schedule: str, origin: Origin) -> None:
        completion = Completion(*span, origin, schedule, "")
        self.store.mark(self.flow, [completion], [], _change)
        for second in range(*span):
            self.completed.setdefault(second, (str(origin), schedule, ""))
            self.restated.pop(second, None)
        self.unfinished.difference_update(range(*span))
        self.drop(self.failed, *span)

    @rule(span=spans(), schedule=schedules, reason=st.sampled_from(["late", "wrong"]))
    def restate(self, span: tuple[int, int], schedule: str, reason: str) -> None:
        restatement = Restatement(*span, schedule, reason)
        self.store.restate(self.flow, [restatement], [], _change)
        for second in range(*span):
            if second in self.completed:
                self.restated[second] = (schedule, reason)

    @rule(span=spans())
    def withdraw(self, span: tuple[int, int]) -> None:
        self.store.clear_restatements(self.flow, IntervalSet([span]), [], _change)
        for second in range(*span):
            self.restated.pop(second, None)

    @invariant()
    def state_is_as_the_model_says(self) -> None:
        state = self.store.state(self.flow)
        completions = [(c.start, c.end, _label(c)) for c in state.completions]
        assert completions == stretches(self.completed)
        restatements = [(r.start, r.end, (r.schedule, r.reason)) for r in state.restatements]
        assert restatements == stretches(self.restated)
        assert state.unfinished == IntervalSet((s, s + 1) for s in self.unfinished)

    @invariant()
    def failures_are_as_the_model_says(self) -> None:
        failed = [(r.unit.start, r.unit.end) for r in self.store.failed(self.flow)]
        assert failed == sorted(self.failed)
        assert self.store.state(self.flow).failed == IntervalSet(failed)

    def teardown(self) -> None:
        """Compare the counts; the next example has a flow of its own."""
        for run in self.store.runs(self.flow):
            counts = self.store.counts(run.id)
            assert counts.running == sum(c.run == run.id for c in self.claims)
            assert counts.done + counts.failed + counts.running <= counts.units


def _label(completion: Completion) -> Label:
    return str(completion.origin), completion.schedule, completion.fingerprint


@pytest.mark.timeout(120)
@pytest.mark.parametrize("harness", QUICK, indirect=True)
def test_a_store_agrees_with_the_model(store: Store) -> None:
    run_state_machine_as_test(
        lambda: StoreMachine(store),  # type: ignore[arg-type]
        settings=settings(
            max_examples=100,
            stateful_step_count=25,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
