"""What an estimate says of a backfill, against what the backfill then takes.

The flights of 2013 by local day, on one worker; interleaved with nothing, because the sample and
the rest are parts of one backfill. A ratio of 1 is a right estimate.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from demo import flights

ROUNDS = 5


def seeknal(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "seeknal.cli.main", *arguments]
    done = subprocess.run(
        command, cwd=folder, check=True, capture_output=True, text=True, timeout=900
    )
    return done.stdout


def measure(folder: Path) -> tuple[float, float]:
    """Return the seconds that are estimated, and those that units then came apart."""
    estimated: dict[str, Any] = json.loads(
        seeknal(folder, "run", "--backfill", "--estimate", "--json")
    )["flows"][0]
    started = time.perf_counter()
    seeknal(folder, "run", "--backfill", "--workers", "1", "--dry-run")
    idle = time.perf_counter() - started
    started = time.perf_counter()
    seeknal(folder, "run", "--backfill", "--workers", "1")
    return estimated["seconds"]["1"]["mean"], time.perf_counter() - started - idle


def main() -> None:
    ratios = []
    print("flights by day, one worker: seconds estimated / measured, less the command's start")
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory(prefix="seeknal-bench-") as folder:
            flights.FOLDER = Path(folder)
            flights.load_flights(flights.FOLDER / "flights.duckdb")
            flights.declare()
            said, took = measure(flights.FOLDER)
        ratios.append(said / took)
        print(f"  {said:6.2f} / {took:6.2f} = {said / took:.2f}", flush=True)
    print(f"  median {median(ratios):.2f} (within 0.67 to 1.5 is the aim)")


if __name__ == "__main__":
    main()
