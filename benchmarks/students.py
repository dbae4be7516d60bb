"""New students on three data sets: the student model beside its rivals, for chapter
6.1 (about 20 minutes).

    python -m benchmarks.students

Every method predicts the same queries from the same support sets of the test split,
which differ by seed. The student model's weights start from the same seed. Writes to
benchmarks/results/:

students.csv
    For each data set, method, number of known answers (5, 10) and seed: AUC and
    log-loss for the two tests, RMSE for the ratings, over all queries of all test
    students.
students_paired.csv
    For each rival, how much larger its loss is than the student model's that is told
    the same (log-loss, or squared error), averaged over seeds, with the 95 % interval
    over students.
students_quantitative.safetensors, ..._verbal..., ..._ratings...
    The student models of seed 0 (of the tests, those that are told the options), with
    their inner rates as ``rates``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import log_loss, roc_auc_score

from benchmarks.results_file import RESULTS, write_table
from refimpl.baselines import (
    crossed_effects,
    item_mean,
    item_means,
    item_response,
    shrunken_student_mean,
)
from refimpl.maml import binary_cross_entropy, mse, save_tensors
from refimpl.students import ContextRates, StudentModel, forecast, learn
from refimpl.tasks import RatingTasks, ResponseTasks, TaskBatch, summarize

SHOTS = (5, 10)
ITEMS, OPTIONS = 80, 6
Predictor = Callable[[TaskBatch], np.ndarray]


@dataclass
class Method:
    """Predicts batches of ``tasks``; ``train`` gives a student model for a seed."""

    tasks: ResponseTasks | RatingTasks
    predict: Predictor | None = None
    train: Callable[[int], tuple[StudentModel, ContextRates]] | None = None


def answer_methods(test: str, iterations: int) -> dict[str, Method]:
    """What is compared on a test; the last is the model whose checkpoint is shipped."""
    plain, told = (ResponseTasks(test, options=options) for options in (False, True))
    known = told.all(79, "train", np.random.default_rng(0), queries=1)
    means = item_means(known, ITEMS)

    def train(seed: int, tasks: ResponseTasks, options: int):
        model = StudentModel(np.log(means / (1 - means)), options, seed=seed)

        def draw(rng: np.random.Generator) -> TaskBatch:
            return tasks.sample(64, int(rng.choice(SHOTS)), "train", rng, queries=60)

        loss_fn = binary_cross_entropy
        return model, learn(model, draw, loss_fn, iterations=iterations, seed=seed)

    irt = partial(item_response, known, ITEMS)
    return {
        "item mean": Method(plain, item_mean(known, ITEMS)),
        "shrunken student mean": Method(plain, shrunken_student_mean(known, ITEMS)),
        "2PL": Method(plain, irt()),
        "3PL": Method(plain, irt(guessing=True)),
        "3PL, two dimensions": Method(plain, irt(2, guessing=True)),
        "nested logit, options": Method(told, irt(2, guessing=True, options=OPTIONS)),
        "student model": Method(plain, train=partial(train, tasks=plain, options=0)),
        "student model, options": Method(
            told, train=partial(train, tasks=told, options=OPTIONS)
        ),
    }


def rating_methods(iterations: int) -> dict[str, Method]:
    """What is compared on the ratings. Students differ little: the model is small."""
    tasks = RatingTasks()
    items = tasks.lecturers
    known = tasks.all(0, "train", np.random.default_rng(0))
    crossed = crossed_effects(known, items)

    def train(seed: int):
        sizes = {"context": 1, "embedding": 2, "width": 4}
        model = StudentModel(crossed.mean + crossed.items, seed=seed, **sizes)

        def draw(rng: np.random.Generator) -> TaskBatch:
            return tasks.sample(64, int(rng.choice(SHOTS)), "train", rng)

        short = {"iterations": max(3, iterations // 10), "seed": seed}
        return model, learn(model, draw, mse, fast_lr=0.02, **short)

    return {
        "item mean": Method(tasks, item_mean(known, items)),
        "shrunken student mean": Method(tasks, shrunken_student_mean(known, items)),
        "crossed effects": Method(tasks, crossed),
        "student model": Method(tasks, train=train),
    }


def student_losses(prediction: np.ndarray, batch: TaskBatch, ratings: bool):
    """Each student's mean loss over the queries."""
    y, p = batch.query_y, prediction
    if ratings:
        each = (y - p) ** 2
    else:
        p = p.clip(1e-3, 1 - 1e-3)  # the shrunken mean can leave 0 to 1
        each = -np.where(y == 1, np.log(p), np.log(1 - p))
    return (each[..., 0] * batch.query_mask).sum(axis=1) / batch.query_mask.sum(axis=1)


def scores(prediction: np.ndarray, batch: TaskBatch, ratings: bool) -> dict:
    """Over all queries of all students."""
    asked = batch.query_mask == 1
    y, p = batch.query_y[asked][:, 0], prediction[asked][:, 0]
    if ratings:
        return {"rmse": np.sqrt(np.mean((y - p) ** 2))}
    return {"auc": roc_auc_score(y, p), "log_loss": log_loss(y, p.clip(1e-3, 1 - 1e-3))}


def save(path: Path, model: StudentModel, rates: ContextRates, command: str) -> None:
    tensors: dict[str, torch.Tensor] = dict(model.named_parameters())
    note = {"command": command, "torch": torch.__version__}
    save_tensors(path, tensors | {"rates": rates.log_rates.exp()}, note)


def main(seeds: int, iterations: int, data: list[str], out: Path) -> None:
    torch.set_num_threads(1)
    command = f"python -m benchmarks.students --seeds {seeds} --iterations {iterations}"
    rows, pairs = [], []
    for name in data:
        losses: dict[tuple, list[np.ndarray]] = {}
        ratings = name == "ratings"
        loss_fn = mse if ratings else binary_cross_entropy
        methods = (
            rating_methods(iterations) if ratings else answer_methods(name, iterations)
        )
        for seed in range(seeds):
            for method, how in methods.items():
                predict = how.predict
                if how.train:
                    model, rates = how.train(seed)
                    predict = partial(forecast, model, rates, loss_fn=loss_fn)
                    if seed == 0:  # the last one stays
                        save(
                            out / f"students_{name}.safetensors", model, rates, command
                        )
                for k in SHOTS:
                    batch = how.tasks.all(k, "test", np.random.default_rng([seed, k]))
                    made = predict(batch)
                    key = {"data": name, "method": method, "shots": k, "seed": seed}
                    rows.append(key | scores(made, batch, ratings))
                    own = student_losses(made, batch, ratings)
                    losses.setdefault((method, k), []).append(own)
                    print(*rows[-1].values(), flush=True)
        for (method, k), own in losses.items():
            ours = "student model" + ", options" * ("options" in method)
            if method == ours:
                continue
            gap = np.mean(own, axis=0) - np.mean(losses[ours, k], axis=0)
            found = summarize(gap)
            row = {"data": name, "rival": method, "against": ours, "shots": k}
            row |= {"gap": found["mean"], "low": found["low"], "high": found["high"]}
            pairs.append(row)
        write_table(out / "students.csv", pd.DataFrame(rows), command)
        write_table(out / "students_paired.csv", pd.DataFrame(pairs), command)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--iterations", type=int, default=3_000)
    names = ["quantitative", "verbal", "ratings"]
    parser.add_argument("--data", nargs="+", choices=names, default=names)
    parser.add_argument("--out", type=Path, default=RESULTS)
    main(**vars(parser.parse_args()))
