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
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.stats
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
from refimpl.tasks import RatingTasks, ResponseTasks, TaskBatch

SHOTS = (5, 10)
ITEMS, OPTIONS = 80, 6
Predictor = Callable[[TaskBatch], np.ndarray]


def answer_model(
    tasks: ResponseTasks, seed: int, iterations: int
) -> tuple[StudentModel, ContextRates]:
    """A student model of a test, trained with 5 and 10 known answers in turn."""
    rng = np.random.default_rng(0)
    means = item_means(tasks.all(79, "train", rng, queries=1), ITEMS)
    options = OPTIONS if tasks.options else 0
    model = StudentModel(np.log(means / (1 - means)), options, seed=seed)

    def draw(rng: np.random.Generator) -> TaskBatch:
        return tasks.sample(64, int(rng.choice(SHOTS)), "train", rng, queries=60)

    rates = learn(model, draw, binary_cross_entropy, iterations=iterations, seed=seed)
    return model, rates


def rating_model(
    tasks: RatingTasks, start: np.ndarray, seed: int, iterations: int
) -> tuple[StudentModel, ContextRates]:
    """A student model of ratings; students differ little, so it is small."""
    model = StudentModel(start, context=1, embedding=2, width=4, seed=seed)

    def draw(rng: np.random.Generator) -> TaskBatch:
        return tasks.sample(64, int(rng.choice(SHOTS)), "train", rng)

    rates = learn(model, draw, mse, fast_lr=0.02, iterations=iterations, seed=seed)
    return model, rates


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

        def judge(
            method: str,
            predict: Predictor,
            seed: int,
            tasks: ResponseTasks | RatingTasks,
            losses: dict = losses,
            name: str = name,
        ) -> None:
            for k in SHOTS:
                batch = tasks.all(k, "test", np.random.default_rng([seed, k]))
                made = predict(batch)
                is_rating = name == "ratings"
                found = scores(made, batch, is_rating)
                key = {"data": name, "method": method, "shots": k, "seed": seed}
                rows.append(key | found)
                own = student_losses(made, batch, is_rating)
                losses.setdefault((method, k), []).append(own)
                print(*rows[-1].values(), flush=True)

        if ratings:
            plain = RatingTasks()
            known = plain.all(0, "train", np.random.default_rng(0))
            crossed = crossed_effects(known, plain.lecturers)
            start = crossed.mean + crossed.items
            rivals = {
                "item mean": item_mean(known, plain.lecturers),
                "shrunken student mean": shrunken_student_mean(known, plain.lecturers),
                "crossed effects": crossed,
            }
            models = {"student model": plain}
        else:
            plain, told = (ResponseTasks(name, options=o) for o in (False, True))
            known = told.all(79, "train", np.random.default_rng(0), queries=1)
            rivals = {
                "item mean": item_mean(known, ITEMS),
                "shrunken student mean": shrunken_student_mean(known, ITEMS),
                "2PL": item_response(known, ITEMS),
                "3PL": item_response(known, ITEMS, guessing=True),
                "3PL, two dimensions": item_response(known, ITEMS, 2, guessing=True),
                "nested logit, options": item_response(
                    known, ITEMS, 2, guessing=True, options=OPTIONS
                ),
            }
            models = {"student model": plain, "student model, options": told}
        for seed in range(seeds):
            for method, predict in rivals.items():
                tasks = plain if ratings or "options" not in method else told
                judge(method, predict, seed, tasks)
            for method, tasks in models.items():
                if ratings:
                    made = rating_model(tasks, start, seed, max(3, iterations // 10))
                else:
                    made = answer_model(tasks, seed, iterations)
                model, rates = made
                loss_fn = mse if ratings else binary_cross_entropy
                judge(
                    method,
                    lambda batch, m=model, r=rates, f=loss_fn: forecast(
                        m, r(), batch, f
                    ),
                    seed,
                    tasks,
                )
                if seed == 0:  # of the tests the last, which is told the options
                    save(out / f"students_{name}.safetensors", model, rates, command)
        for (method, k), own in losses.items():
            ours = "student model" + ", options" * ("options" in method)
            if method == ours:
                continue
            gap = np.mean(own, axis=0) - np.mean(losses[ours, k], axis=0)
            half = scipy.stats.sem(gap) * scipy.stats.t.ppf(0.975, len(gap) - 1)
            row = {"data": name, "rival": method, "against": ours, "shots": k}
            row |= {"gap": gap.mean(), "low": gap.mean() - half}
            pairs.append(row | {"high": gap.mean() + half})
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
