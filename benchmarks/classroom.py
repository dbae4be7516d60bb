"""What a chapter needs of a classroom's server: memory and processor (10 minutes)

    python -m benchmarks.classroom                # every chapter, one after the other
    python -m benchmarks.classroom --only 03_1    # one; the others' rows are kept

Executes each notebook as a student would, all cells at once, and watches the kernel
with all that it starts. Keeps benchmarks/results/classroom.csv: chapter, ``seconds``
from start to end, ``cpu_seconds`` (processor time, of all cores together), and
``megabytes`` at the peak (resident memory; what processes share counts for each, so
it is an upper bound).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import pandas as pd
import psutil  # comes with ipykernel

from benchmarks.results_file import RESULTS, write_table

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"


def resident(processes: Iterable[psutil.Process]) -> int:
    """Bytes in memory; what processes share counts for each: an upper bound."""
    total = 0
    for process in processes:
        with suppress(psutil.NoSuchProcess):  # it has just ended
            total += process.memory_info().rss
    return total


def watch(process: psutil.Popen) -> dict[str, float]:
    """Peak memory and processor time of all that the process starts, until it ends."""
    start, peak, cpu = time.monotonic(), 0, {}
    while process.poll() is None:
        children = process.children(recursive=True)
        peak = max(peak, resident(children))
        for child in children:
            with suppress(psutil.NoSuchProcess):
                times = child.cpu_times()
                cpu[child.pid] = times.user + times.system
        time.sleep(0.1)
    return {
        "seconds": round(time.monotonic() - start, 1),
        "cpu_seconds": round(sum(cpu.values()), 1),
        "megabytes": round(peak / 1e6),
    }


def measure(notebook: Path) -> dict[str, float]:
    """Execute one notebook and watch it; raises if a cell fails."""
    command = [sys.executable, "-m", "jupyter", "execute", notebook.name]
    with tempfile.TemporaryFile("w+") as log:
        streams = {"stdout": log, "stderr": subprocess.STDOUT}
        process = psutil.Popen(command, cwd=notebook.parent, **streams)
        found = watch(process)
        if process.returncode != 0:
            log.seek(0)
            raise RuntimeError(f"{notebook.name} failed:\n{log.read()[-2000:]}")
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="chapters whose name has this")
    parser.add_argument("--notebooks", type=Path, default=NOTEBOOKS)
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args(arguments)
    path = options.results / "classroom.csv"
    rows = {}
    if path.exists():
        kept = pd.read_csv(path, comment="#").to_dict("records")
        rows = {row["chapter"]: row for row in kept}
    for notebook in sorted(options.notebooks.glob("*.ipynb")):
        if options.only not in notebook.stem:
            continue
        rows[notebook.stem] = {"chapter": notebook.stem, **measure(notebook)}
        print(*rows[notebook.stem].values(), flush=True)
        table = pd.DataFrame([rows[name] for name in sorted(rows)])
        command = "python -m benchmarks.classroom"
        write_table(path, table, command, ("torch", "tensorflow", "jupyter-client"))


if __name__ == "__main__":
    main()
