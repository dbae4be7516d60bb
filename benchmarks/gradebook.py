"""A teacher's file of 1e5, 1e6 and 1e7 answers: seconds and memory (some minutes).

    python -m benchmarks.gradebook

Writes benchmarks/results/gradebook.csv. Each file, CSV and long, is made and then read
by ``GradebookTasks``, each in a process of its own; students have 25 answers each, to
500 items, identified by text; the order of the rows is random.

rows      answers in the file
file MB   its size
read s    wall-clock seconds to open it, on as many cores as Polars finds
all s     seconds to draw every training student's support and query set once
peak MB   the reading process's largest memory in both, Python and libraries included
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.results_file import RESULTS, write_table
from refimpl.tasks import GradebookTasks

ANSWERS, ITEMS = 25, 500


def make(rows: int, path: Path) -> None:
    """Write a long CSV of ``rows`` answers, a million lines at a time."""
    rng = np.random.default_rng(0)
    order = rng.permutation(rows)
    header = True
    for part in np.array_split(order, max(1, rows // 1_000_000)):
        student, turn = np.divmod(part, ANSWERS)
        pd.DataFrame(
            {
                "student": np.char.mod("pupil-%08d", student),
                # 37 is prime to 500, so a student's items differ.
                "item": np.char.mod("item %03d", (student + 37 * turn) % ITEMS),
                "score": rng.integers(0, 2, len(part)),
            }
        ).to_csv(path, mode="w" if header else "a", header=header, index=False)
        header = False


def measure(path: Path) -> None:
    """Read, draw, print seconds of each and the peak memory in MB."""
    begin = time.perf_counter()
    tasks = GradebookTasks(path, student="student", item="item", score="score")
    read = time.perf_counter() - begin
    begin = time.perf_counter()
    tasks.all(5, "train", np.random.default_rng(0))
    drawn = time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # KiB on Linux
    print(read, drawn, peak)


def in_own_process(*arguments: object) -> str:
    command = [sys.executable, "-m", "benchmarks.gradebook", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main(rows: list[int], out: Path) -> None:
    table = []
    for count in rows:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "answers.csv"
            in_own_process("--make", count, path)
            megabytes = path.stat().st_size / 2**20
            read, drawn, peak = map(float, in_own_process("--measure", path).split())
        table.append([count, megabytes, read, drawn, peak])
        print(*table[-1])
    columns = ["rows", "file MB", "read s", "all s", "peak MB"]
    write_table(
        out / "gradebook.csv",
        pd.DataFrame(table, columns=columns),
        "python -m benchmarks.gradebook",
        packages=("polars", "numpy"),
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, nargs="+", default=[10**5, 10**6, 10**7])
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--make", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.make:
        make(int(arguments.make[0]), Path(arguments.make[1]))
    elif arguments.measure:
        measure(arguments.measure)
    else:
        main(arguments.rows, arguments.out)
