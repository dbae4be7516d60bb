"""What MAML costs in time and memory, for chapter 8 (about 20 minutes).

    python -m benchmarks.cost

Sine waves, K = Q = 10, one thread. Writes three tables to benchmarks/results/:

cost.csv
    One meta-gradient of 400 tasks, a 1-40-40-1 network and one inner step, and of the
    same with one of these changed: median milliseconds of ``plain`` (the forward and
    backward passes of its steps, without adapting), ``second`` and ``first`` order,
    ``compiled``, called in turn; and peak megabytes above those of the process before,
    each in a process of its own, which sees two meta-gradients.
cost_students.csv
    A pass over so many students, each in one batch of 100: seconds of meta-training,
    and of adapting to them with five steps; and what the line through the passes of up
    to 30,000 students predicts.
cost_processes.csv
    Milliseconds of an iteration of examples/distributed.py by one and by two processes,
    a median of repeats in turn: the difference of a long run and a short one, over the
    difference of their iterations.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.func import grad
from torch.nn.functional import mse_loss as mse

from benchmarks.results_file import RESULTS, write_table
from refimpl.maml import meta_loss, mlp, predict
from refimpl.tasks import SinusoidTasks, TaskBatch

BASE = {"tasks": 400, "width": 40, "steps": 1}
LARGER = {
    "steps": [1, 2, 5, 10, 20],
    "width": [40, 80, 160, 320],
    "tasks": [25, 100, 400, 1600],
}
ROOT = Path(__file__).parent.parent


def settings() -> list[dict[str, int]]:
    """The base, and each setting with one number larger."""
    found = [BASE | {name: v} for name, values in LARGER.items() for v in values]
    return [s for i, s in enumerate(found) if s not in found[:i]]


def draw(tasks: int, seed: int = 0) -> TaskBatch:
    rng = np.random.default_rng(seed)
    return SinusoidTasks().sample(tasks, 10, 10, rng).map(torch.as_tensor)


def meta_gradients(tasks: int, width: int, steps: int) -> dict[str, Callable[[], None]]:
    """Each computes one meta-gradient and throws it away."""
    model, batch = mlp(1, width, width, 1, seed=0), draw(tasks)
    params = dict(model.named_parameters())
    inner = {"fast_lr": 0.001, "num_steps": steps}
    compiled = torch.compile(grad(lambda p, b: meta_loss(model, p, b, **inner)))
    constants = {name: p.detach() for name, p in params.items()}
    arrays = types.SimpleNamespace(**vars(batch))

    def plain() -> None:
        for _ in range(2 * steps):
            loss = mse(model(batch.support_x), batch.support_y)
            loss.backward()
        mse(model(batch.query_x), batch.query_y).backward()
        model.zero_grad()

    def eager(first_order: bool) -> None:
        meta_loss(model, params, batch, first_order=first_order, **inner).backward()
        model.zero_grad()

    return {
        "plain": plain,
        "second": lambda: eager(False),
        "first": lambda: eager(True),
        "compiled": lambda: compiled(constants, arrays),
    }


def medians(calls: dict[str, Callable[[], None]], seconds: float) -> dict[str, float]:
    """Milliseconds; calls in turn, after one of each that does not count."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    until = time.perf_counter() + seconds
    while time.perf_counter() < until or len(times["plain"]) < 3:
        for name, call in calls.items():
            begin = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - begin)
    return {name: 1000 * float(np.median(spent)) for name, spent in times.items()}


def peak_megabytes(kind: str, setting: dict[str, int]) -> float:
    """In this process: by how much two meta-gradients raise its memory (Linux)."""
    meta_gradients(**BASE | {"tasks": 1})[kind]()  # what PyTorch loads at first use
    call = meta_gradients(**setting)[kind]
    Path("/proc/self/clear_refs").write_text("5")  # the peak is now what is in use
    before = peak()
    call()
    call()
    return peak() - before


def peak() -> float:
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024  # type: ignore[index]


def in_own_process(kind: str, setting: dict[str, int]) -> float:
    numbers = [f"{name}={value}" for name, value in setting.items()]
    command = [sys.executable, "-m", "benchmarks.cost", "--measure", kind, *numbers]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    return float(done.stdout)


def cost_table(all_settings: list[dict[str, int]], seconds: float) -> pd.DataFrame:
    rows = []
    for setting in all_settings:
        torch.compiler.reset()
        row = setting | medians(meta_gradients(**setting), seconds)
        for kind in ("second", "first"):
            row[f"{kind}.megabytes"] = in_own_process(kind, setting)
        rows.append(row)
        print({name: round(value, 2) for name, value in row.items()}, flush=True)
    return pd.DataFrame(rows)


def students_table(counts: list[int], fitted: int) -> pd.DataFrame:
    """Seconds of one pass, each student once; the line is fitted up to ``fitted``."""
    model = mlp(1, 40, 40, 1, seed=0)
    params = dict(model.named_parameters())
    optimizer = torch.optim.Adam(params.values(), fused=True)
    rows = []
    for count in counts:
        row = {"students": count, "training": 0.0, "adapting": 0.0}
        for part in range(count // 100):
            batch = draw(100, part)
            begin = time.perf_counter()
            optimizer.zero_grad()
            meta_loss(model, params, batch, fast_lr=0.001, num_steps=1).backward()
            optimizer.step()
            middle = time.perf_counter()
            predict(model, params, batch, num_steps=5, fast_lr=0.001)
            row["training"] += middle - begin
            row["adapting"] += time.perf_counter() - middle
        rows.append(row)
        print(row, flush=True)
    table = pd.DataFrame(rows)
    small = table[table["students"] <= fitted]
    for name in ("training", "adapting"):  # relative errors count alike
        each = (small[name] / small["students"]).mean()
        table[f"{name}.predicted"] = each * table["students"]
    return table


def processes_table(tasks: list[int], short: int, long: int, repeats: int):
    rows = []
    for count in tasks:
        spent: dict[int, list[float]] = {1: [], 2: []}
        for _ in range(repeats):
            for processes in spent:
                seconds = [run_distributed(processes, count, n) for n in (short, long)]
                spent[processes].append(1000 * (seconds[1] - seconds[0]))
        one, two = (np.median(spent[n]) / (long - short) for n in (1, 2))
        rows.append({"tasks": count, "one": one, "two": two, "ratio": one / two})
        print(rows[-1], flush=True)
    return pd.DataFrame(rows)


def run_distributed(processes: int, tasks: int, iterations: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
        script = [f"--nproc-per-node={processes}", ROOT / "examples" / "distributed.py"]
        numbers = ["--iterations", str(iterations), "--tasks", str(tasks)]
        out = ["--out", Path(folder, "weights.safetensors")]
        begin = time.perf_counter()
        subprocess.run(
            [*torchrun, *script, *numbers, *out], check=True, capture_output=True
        )
        return time.perf_counter() - begin


def main(quick: bool, out: Path) -> None:
    torch.set_num_threads(1)
    command = "python -m benchmarks.cost" + (" --quick" if quick else "")
    packages = ("torch", "numpy")
    students = [100, 200] if quick else [1000, 3000, 10_000, 30_000, 100_000, 1_000_000]
    table = cost_table(settings()[:1] if quick else settings(), 0 if quick else 10)
    write_table(out / "cost.csv", table, command, packages)
    table = students_table(students, 100 if quick else 30_000)
    write_table(out / "cost_students.csv", table, command, packages)
    sizes = ([4], 1, 2, 1) if quick else ([400, 6400], 10, 60, 3)
    table = processes_table(*sizes)
    write_table(out / "cost_processes.csv", table, command, packages)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="the first moments")
    parser.add_argument("--measure", nargs="+", help="KIND NAME=NUMBER ...")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    if given.measure:
        torch.set_num_threads(1)
        kind, *numbers = given.measure
        named = {n: int(v) for n, v in (number.split("=") for number in numbers)}
        print(peak_megabytes(kind, named))
    else:
        main(given.quick, given.out)
