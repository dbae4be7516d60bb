"""MAML on chapter 5.1's study habits, trained for too long (three minutes).

    python -m benchmarks.habits

Chapter 5.1's students, network and rates, but 1,500 iterations: once from the same 300
students, and once from students who are new in every iteration. Writes
benchmarks/results/habits.csv: for each of these, seed and every 50 iterations, the
root mean squared error after five inner steps on the 300 students that it learns from
(in the second case they are as new as others), on the 200 for choosing, and on 500
new ones.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from benchmarks.results_file import RESULTS, write_table
from refimpl.maml import History, meta_train, mlp, predict
from refimpl.tasks import TaskBatch, rmse

EVERY = 50
FAST_LR, STEPS = 0.01, 5
WORLD = np.random.default_rng(0)
COMMON = WORLD.normal(0, 0.5, size=10)  # what habits do on average
WAYS = WORLD.normal(0, 0.5, size=(2, 10))  # in which students differ


def students(count: int, rng: np.random.Generator) -> TaskBatch:
    """Tasks: ten known weeks and ten asked ones of each student, as in the chapter."""
    effects = COMMON + rng.normal(size=(count, 2)) @ WAYS
    habits = rng.normal(size=(count, 20, 10))
    luck = rng.normal(0, 0.5, size=(count, 20))
    progress = np.einsum("mwh,mh->mw", habits, effects) + luck
    x, y = habits.astype(np.float32), progress[..., None].astype(np.float32)
    mask = np.ones((count, 20), np.float32)
    known, asked = slice(0, 10), slice(10, 20)
    return TaskBatch(
        *(array[:, part] for part in (known, asked) for array in (x, y, mask))
    )


GROUPS = {
    "known": students(300, np.random.default_rng(1)),
    "validation": students(200, np.random.default_rng(3)),
    "new": students(500, np.random.default_rng(2)),
}


def the_300(rng: np.random.Generator) -> TaskBatch:
    chosen = rng.choice(300, size=16, replace=False)
    return GROUPS["known"].map(lambda array: array[chosen])


def always_new(rng: np.random.Generator) -> TaskBatch:
    return students(16, rng)


def curve(draw, seed: int, iterations: int) -> pd.DataFrame:
    """Errors of every group while one network is trained."""
    model, rows = mlp(10, 64, 1, seed=seed), []

    def note(history: History) -> None:
        if len(history.loss) % EVERY == 0:
            params, row = dict(model.named_parameters()), {}
            for name, batch in GROUPS.items():
                made = predict(model, params, batch, num_steps=STEPS, fast_lr=FAST_LR)
                row[name] = rmse(made[-1], batch)
            rows.append({"iterations": len(history.loss)} | row)

    inner = {"num_steps": STEPS, "fast_lr": FAST_LR}
    outer = {"meta_lr": 0.005, "iterations": iterations, "seed": seed}
    meta_train(model, draw, **inner, **outer, callback=note)
    return pd.DataFrame(rows)


def main(iterations: int, seeds: int, out: Path) -> None:
    torch.set_num_threads(1)
    tables = []
    for name, draw in (("300", the_300), ("always new", always_new)):
        for seed in range(seeds):
            own = curve(draw, seed, iterations)
            tables.append(own.assign(students=name, seed=seed))
    columns = ["students", "seed", "iterations", *GROUPS]
    command = f"python -m benchmarks.habits --iterations {iterations} --seeds {seeds}"
    write_table(out / "habits.csv", pd.concat(tables)[columns], command)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--iterations", type=int, default=1500)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS)
    main(**vars(parser.parse_args()))
