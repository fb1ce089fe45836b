"""``make demo``, from end to end, in a folder of its own."""

from __future__ import annotations

from tests.acceptance.conftest import CHECKOUT
from tests.projects import Sandbox


def test_the_demo_does_and_checks_what_it_says(sandbox: Sandbox) -> None:
    (sandbox.root / "demo").mkdir()
    demo = sandbox.python((CHECKOUT / "demo" / "flights.py").read_text(), "demo/flights.py")
    first, second, third = demo.out.split("$ seeknal run --backfill\n")[1:]
    assert first.startswith("Processing 365 missing intervals (2013-01-01 to 2014-01-01)\n")
    assert ": 365 done, 336,776 rows, " in first
    assert second.startswith("Nothing to do for flights_by_day.\n")
    assert "Restated 7 intervals of flights_by_day (2013-03-04 to 2013-03-11)" in second
    assert "--reason Carrier codes were corrected" in second
    assert "Pending intervals (7):\n  2013-03-04 to 2013-03-05 (restated)\n" in second
    assert third.startswith("Processing 7 restated intervals (2013-03-04 to 2013-03-11)\n")
    assert ": 7 done, 6,546 rows, " in third
    assert "  2013-03-04 to 2013-03-11 ✓ (restated) (7 intervals)\n" in third
    assert "Checked: 336,776 flights; all 365 intervals hold exactly their day's.\n" in third
