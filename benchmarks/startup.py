"""How long ``seeknal --help`` takes beside ``python -c "import typer"``, which it cannot beat.

The two alternate, so that whatever else the machine does hits both alike; medians are compared.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

ROUNDS = 15
MOST = 2.0
SEEKNAL = [str(Path(sys.executable).parent / "seeknal"), "--help"]
TYPER = [sys.executable, "-c", "import typer"]


def seconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    for command in (SEEKNAL, TYPER):
        seconds(command)  # the first one reads files from the disk
    runs = [(seconds(SEEKNAL), seconds(TYPER)) for _ in range(ROUNDS)]
    ours, theirs = (statistics.median(column) for column in zip(*runs, strict=True))
    ratio = ours / theirs
    print(f"seeknal --help            {ours * 1000:7.0f} ms (median of {ROUNDS})")
    print(f"python -c 'import typer'  {theirs * 1000:7.0f} ms")
    print(f"ratio                     {ratio:7.2f}    (at most {MOST})")
    if ratio > MOST:
        sys.exit("Too slow: something heavy is imported before it is needed.")


if __name__ == "__main__":
    main()
