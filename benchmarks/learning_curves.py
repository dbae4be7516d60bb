"""Error over the number of children met in training, for chapter 2 (about 5 minutes).

    python -m benchmarks.learning_curves

Writes benchmarks/results/learning_curves.csv, one row per number of training
children, random subset of that size, method and number of known tests: the
RMSE on the book's 127 test children, whom no method has met.

MAML is trained more briefly than in chapter 3.1: 300 iterations in place of
1,000, two inner steps in place of five, and a batch has from 0 to 3 known
tests. An RMSE is empty where the hierarchical line could not be fitted.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.results_file import RESULTS, write_table
from refimpl.baselines import (
    hierarchical_polynomial,
    pooled_polynomial,
    trusted_level,
)
from refimpl.baselines.random_walk import random_walk
from refimpl.maml import LearnedRates, meta_train, mlp, predict
from refimpl.tasks import GrowthTasks, TaskBatch, rmse

SIZES = (5, 10, 20, 50, 100, 200, 592)
SHOTS = (0, 1, 2, 3)
NUM_STEPS = 2
PENALTIES = np.logspace(-3, 3, 25)
META_LR = 0.003  # of 0.001, 0.003, 0.01 the best on the validation children, barely


def ridge_regression(train: TaskBatch) -> Callable[[TaskBatch], np.ndarray]:
    """A later score from its year, the first test's year and the known scores.

    ``direct_regression`` wants children tested in the very same years; a small
    sample has too few of them, so here one fit serves all years, with a ridge
    penalty chosen by ten-fold cross-validation over children: with ten of them or
    fewer, each is left out in turn.
    """

    def design(batch: TaskBatch, shots: int) -> np.ndarray:
        first_year = batch.support_x[:, : min(shots, 1), 0]
        known = np.hstack([first_year, batch.support_y[:, :shots, 0]])
        known = np.repeat(known[:, None], batch.query_x.shape[1], axis=1)
        return np.concatenate([batch.query_x, known], axis=2)

    def predict_scores(batch: TaskBatch) -> np.ndarray:
        shots = int(batch.support_mask[0].sum())
        child, place = np.nonzero(train.query_mask)
        x, y = design(train, shots)[child, place], train.query_y[child, place, 0]
        # The same target once for each penalty: all are fitted at once.
        y = np.repeat(y[:, None], len(PENALTIES), axis=1)
        ridge = make_pipeline(StandardScaler(), Ridge(PENALTIES))
        error = [
            ((ridge.fit(x[fit], y[fit]).predict(x[new]) - y[new]) ** 2).mean(axis=0)
            for fit, new in GroupKFold(min(len(train), 10)).split(x, groups=child)
        ]
        ridge.fit(x, y)
        rows = design(batch, shots)
        found = ridge.predict(rows.reshape(-1, rows.shape[2]))
        best = np.mean(error, axis=0).argmin()
        return found[:, best].reshape(batch.query_y.shape)

    return predict_scores


def maml(
    children: GrowthTasks, seed: int, iterations: int
) -> Callable[[TaskBatch], np.ndarray]:
    """Meta-train briefly; return a function from batch to predictions."""
    model = mlp(1, 40, 40, 1, activation=torch.nn.Tanh, seed=seed)
    rates = LearnedRates(model, initial=math.exp(-4))
    most = min(64, len(children.splits["train"]))

    def draw(rng: np.random.Generator) -> TaskBatch:
        return children.sample(most, int(rng.integers(4)), split="train", rng=rng)

    meta_train(model, draw, NUM_STEPS, rates, META_LR, iterations=iterations, seed=seed)
    params = dict(model.named_parameters())
    return lambda batch: predict(
        model, params, batch, num_steps=NUM_STEPS, fast_lr=rates
    )[-1]


def hierarchical_line(train: TaskBatch) -> Callable[[TaskBatch], np.ndarray]:
    """``hierarchical_polynomial``, or NaN where it cannot be fitted."""
    try:
        return hierarchical_polynomial(train, degree=1)
    except (RuntimeError, np.linalg.LinAlgError, ValueError):
        return lambda batch: np.full_like(batch.query_y, np.nan)


def main(subsets: int, iterations: int, out: Path) -> None:
    torch.set_num_threads(1)
    command = (
        f"python -m benchmarks.learning_curves --subsets {subsets} "
        f"--iterations {iterations}"
    )
    children = GrowthTasks()
    pool = children.splits["train"]
    tests = {shots: children.all(shots, "test") for shots in SHOTS}
    rows = []
    for size in SIZES:
        for subset in range(subsets):
            rng = np.random.default_rng([size, subset])
            children.splits["train"] = rng.choice(pool, size=size, replace=False)
            train = children.all(3, "train")
            methods = {
                "pooled line": pooled_polynomial(train),
                "trusted level": trusted_level(train),
                "ridge regression": ridge_regression(train),
                "hierarchical line": hierarchical_line(train),
                "random walk": random_walk(train),
                "MAML": maml(children, subset, iterations),
            }
            for name, method in methods.items():
                for shots, batch in tests.items():
                    row = {"children": size, "subset": subset, "method": name}
                    row |= {"shots": shots, "rmse": rmse(method(batch), batch)}
                    rows.append(row)
    table = pd.DataFrame(rows)
    write_table(out / "learning_curves.csv", table, command)
    spread = table.groupby(["shots", "method", "children"])["rmse"]
    print(spread.agg(["median", "min", "max", "count"]).round(3).to_string())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subsets", type=int, default=10)
    parser.add_argument("--iterations", type=int, default=300)
    parser.add_argument("--out", type=Path, default=RESULTS)
    main(**vars(parser.parse_args()))
