"""How long help and the tab key take beside ``python -c "import typer"``, which they cannot beat.

They alternate, so that whatever else the machine does hits all alike; medians are compared.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

ROUNDS = 15
MOST = 2.0
SEEKNAL = str(Path(sys.executable).parent / "seeknal")
TAB = {"_SEEKNAL_COMPLETE": "complete_bash", "COMP_WORDS": "seeknal run --flow ", "COMP_CWORD": "3"}
CASES: dict[str, tuple[list[str], dict[str, str]]] = {
    "python -c 'import typer'": ([sys.executable, "-c", "import typer"], {}),
    "seeknal --help": ([SEEKNAL, "--help"], {}),
    "seeknal run --flow <tab>": ([SEEKNAL], TAB),
}


def seconds(command: list[str], variables: dict[str, str], folder: Path) -> float:
    began = time.perf_counter()
    subprocess.run(
        command,
        check=True,
        stdout=subprocess.DEVNULL,
        cwd=folder,
        env={**os.environ, **variables},
    )
    return time.perf_counter() - began


def main() -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "flows").mkdir()
        (folder / "seeknal_project.yml").write_text("name: shop\n")
        (folder / "flows" / "sales.yml").write_text("name: sales\n")
        taken: dict[str, list[float]] = {case: [] for case in CASES}
        for _ in range(1 + ROUNDS):
            for case, (command, variables) in CASES.items():
                taken[case].append(seconds(command, variables, folder))
    # The first round reads files from the disk.
    medians = {case: statistics.median(times[1:]) for case, times in taken.items()}
    least, *_ = medians.values()
    for case, median in medians.items():
        print(f"{case:26} {median * 1000:5.0f} ms (median of {ROUNDS}) {median / least:6.2f}")
    print(f"at most {MOST}")
    if max(medians.values()) > MOST * least:
        sys.exit("Too slow: something heavy is imported before it is needed.")


if __name__ == "__main__":
    main()
