"""MAML against every baseline on the children, for chapter 3.1 (about 10 minutes).

    python -m benchmarks.growth

Writes three tables to benchmarks/results/:

growth_seeds.csv
    The book's split, MAML with eight seeds: RMSE on the validation and the
    test children, for two and three known tests.
growth_history.csv
    The same runs' error on the validation children while they train: RMSE
    over two and three known tests together, every 50 iterations.
growth_folds.csv
    Five folds over all 846 children, one row per child and number of known
    tests: its school, its number of queries, and for each method the sum over
    them of squared errors (method.squared) and of errors, prediction minus
    truth (method.error). MAML's are the means over three seeds. From these,
    paired comparisons and their intervals can be computed.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from benchmarks.results_file import RESULTS, write_table
from refimpl.baselines import (
    direct_regression,
    each_alone,
    hierarchical_polynomial,
    pooled_polynomial,
)
from refimpl.maml import LearnedRates, meta_train, mlp, predict
from refimpl.tasks import GrowthTasks, TaskBatch, rmse

NUM_STEPS = 5
DEGREES = {"linear": 1, "quadratic": 2, "cubic": 3, "quartic": 4}


def maml(children: GrowthTasks, seed: int, iterations: int, first_order: bool = False):
    """Meta-train as chapter 3.1 does.

    Returns a function from batch to predictions, and the training's History.
    """
    model = mlp(1, 40, 40, 1, activation=torch.nn.Tanh, seed=seed)
    rates = LearnedRates(model, initial=math.exp(-4))

    def draw(rng: np.random.Generator) -> TaskBatch:
        return children.sample(64, shots=rng.integers(2, 4), split="train", rng=rng)

    def predictor(batch: TaskBatch) -> np.ndarray:
        params = dict(model.named_parameters())
        return predict(model, params, batch, num_steps=NUM_STEPS, fast_lr=rates)[-1]

    validation = [children.all(shots, "validation") for shots in (2, 3)]
    history = meta_train(
        model,
        draw,
        NUM_STEPS,
        rates,
        iterations=iterations,
        seed=seed,
        first_order=first_order,
        validate=lambda: (
            np.mean([rmse(predictor(b), b) ** 2 for b in validation]) ** 0.5
        ),
        validate_every=50,
    )
    return predictor, history


def seeds_tables(seeds: int, iterations: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    children = GrowthTasks()
    rows, curves = [], []
    for seed in range(seeds):
        predictor, history = maml(children, seed, iterations)
        for shots in (2, 3):
            row = {"seed": seed, "shots": shots}
            for split in ("validation", "test"):
                batch = children.all(shots, split)
                row[split] = rmse(predictor(batch), batch)
            rows.append(row)
        for iteration, score in history.validation:
            curves.append({"seed": seed, "iteration": iteration, "rmse": score})
    return pd.DataFrame(rows), pd.DataFrame(curves)


def folds_table(folds: int, seeds: int, iterations: int) -> pd.DataFrame:
    tables = []
    for fold in range(folds):
        children = GrowthTasks(fold=fold)
        train = children.all(3, "train")
        methods = {
            "pooled": pooled_polynomial(train),
            "alone": each_alone,
            "direct": direct_regression(train),
        }
        for name, degree in DEGREES.items():
            methods[name] = hierarchical_polynomial(train, degree)
        validation = [children.all(shots, "validation") for shots in (2, 3)]
        chosen = min(
            DEGREES, key=lambda name: sum(rmse(methods[name](b), b) for b in validation)
        )
        methods["chosen"] = methods[chosen]
        learned = [maml(children, seed, iterations)[0] for seed in range(seeds)]
        for shots in (2, 3):
            batch = children.all(shots, "test")
            test = children.splits["test"]
            table = {
                "fold": fold,
                "child": test,
                "school": children.schools[test],
                "shots": shots,
                "queries": batch.query_mask.sum(axis=1).astype(int),
            }
            for name, method in methods.items():
                table |= sums(name, [method(batch)], batch)
            table |= sums("maml", [method(batch) for method in learned], batch)
            tables.append(pd.DataFrame(table))
    return pd.concat(tables).sort_values(["child", "shots"], ignore_index=True)


def sums(
    name: str, predictions: list[np.ndarray], batch: TaskBatch
) -> dict[str, np.ndarray]:
    """Each child's sums of squared errors and of errors, means over predictions."""
    errors = np.stack(predictions).astype(np.float64)[..., 0] - batch.query_y[..., 0]
    errors = np.where(batch.query_mask == 1, errors, 0)
    squared = np.square(errors).sum(axis=2).mean(axis=0)
    return {
        f"{name}.squared": squared,
        f"{name}.error": errors.sum(axis=2).mean(axis=0),
    }


def main(iterations: int, seeds: int, folds: int, fold_seeds: int, out: Path) -> None:
    torch.set_num_threads(1)
    command = (
        f"python -m benchmarks.growth --iterations {iterations} --seeds {seeds} "
        f"--folds {folds} --fold-seeds {fold_seeds}"
    )
    table, curves = seeds_tables(seeds, iterations)
    write_table(out / "growth_seeds.csv", table, command)
    write_table(out / "growth_history.csv", curves, command)
    print(table.groupby("shots")[["validation", "test"]].agg(["mean", "min", "max"]))
    table = folds_table(folds, fold_seeds, iterations)
    write_table(out / "growth_folds.csv", table, command)
    total = table.groupby("shots").sum()
    print(np.sqrt(total.filter(like=".squared").div(total["queries"], axis=0)).T)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--iterations", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--fold-seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS)
    main(**vars(parser.parse_args()))
