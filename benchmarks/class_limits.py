"""How sure the class model is, and what breaks it, for chapter 6.4 (five minutes).

    python -m benchmarks.class_limits

Writes to benchmarks/results/

- class_coverage.csv: by source, size of class and share known, how many of the means of
  students the 80 % intervals hold, and how wide they are;
- class_breaks.csv: for classes of 25 students and 15 questions of the verbal test, as
  they are and in four ways unlike all that it met, the log-loss of the class model, of
  the item mean and of the one-parameter model with priors; how much the class model
  expects too much, in students' means; the coverage; and in how many classes it warns,
  since its surprise is above that of 99 % of 2,000 held-out classes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from benchmarks.class_model import held_out
from benchmarks.class_rivals import read_priors
from benchmarks.classes import (
    Classes,
    log_losses,
    read,
    rivals,
    sets,
)
from benchmarks.results_file import RESULTS, write_table
from refimpl.context import ClassModel, read_class, surprise, trained_class_model
from refimpl.context.tables import student_means
from refimpl.context.weights import WEIGHTS
from refimpl.tasks import TaskBatch
from refimpl.tasks.classes import ClassTasks


def means(batch: TaskBatch, students: int) -> tuple[np.ndarray, np.ndarray]:
    """Each student's mean of the asked answers, and who has one: two [M, S]."""
    tensors = batch.map(torch.as_tensor)
    found = student_means(
        tensors.query_x, tensors.query_y, tensors.query_mask, students
    )
    return found[0].numpy(), found[1].numpy() > 0


def coverage(model: ClassModel, classes: int) -> pd.DataFrame:
    """How many of the means intervals hold, by source, size and share known."""
    rows = []
    for source in ("verbal", "skills", "points"):
        tasks = ClassTasks({source: 1})
        for students, items in ((5, 10), (12, 10), (25, 15), (25, 30), (60, 60)):
            for share in (0.15, 1 / 3, 0.6):
                rng = np.random.default_rng([students, items, int(100 * share)])
                batch = tasks.sample(classes, "test", rng, students, items, share)
                _, ends = read_class(model, batch)
                mean, asked = means(batch, students)
                inside = (ends[..., 0] <= mean) & (mean <= ends[..., 1])
                row = {"source": source, "students": students, "items": items}
                row |= {"known": share, "covered": inside[asked].mean()}
                row["width"] = (ends[..., 1] - ends[..., 0])[asked].mean()
                rows.append(row)
    return pd.DataFrame(rows)


def broken(classes: Classes, rng: np.random.Generator) -> dict[str, Classes]:
    """The same classes, and four ways in which they may be unlike all that it met."""
    answers, shape = classes.answers, classes.answers.shape
    right = answers == 1
    told = rng.random(shape) < np.where(right, 0.45, 0.15)  # a third, about
    keyed = rng.random((shape[0], 1, shape[2])) < 0.5
    half = rng.random((shape[0], shape[1], 1)) < 0.5
    topic = rng.random((shape[0], 1, shape[2])) < 0.5
    jigsaw = rng.random(shape) < np.where(half == topic, 0.95, 0.2)
    half_class = answers.copy()
    left = rng.random((shape[0], shape[1], 1)) < 0.3
    late = np.arange(shape[2]) >= shape[2] // 2
    half_class[left & late[None, None]] = 0
    return {
        "as it is": classes,
        "right answers told more often": classes._replace(known=told),
        "half of the key reversed": classes._replace(
            answers=np.where(keyed, 1 - answers, answers)
        ),
        "each half was taught one topic": classes._replace(
            answers=jigsaw.astype(np.float32)
        ),
        "three in ten left after half of the test": classes._replace(
            answers=half_class
        ),
    }


def warned(model: ClassModel, batch: TaskBatch, above: float) -> np.ndarray:
    return surprise(model, batch, np.random.default_rng(6)) > above


def limit(model: ClassModel, classes: int) -> float:
    """The surprise that one in a hundred ordinary classes goes beyond."""
    found = [
        surprise(model, batch, np.random.default_rng(6))
        for batch in held_out("everything", classes)
    ]
    return float(np.nanquantile(np.concatenate(found), 0.99))


def breaks(model: ClassModel, classes: int) -> pd.DataFrame:
    above, rows = limit(model, 10 * classes), []
    told = rivals(read_priors(), draws=100)
    methods = {"class model": read(model), "item mean": told["item mean"]}
    methods["1PL"] = told["1PL, priors all"]
    verbal = sets(classes, None)["verbal"]
    for name, own in broken(verbal, np.random.default_rng(8)).items():
        row: dict = {"classes": name, "limit": above}
        for method, forecast in methods.items():
            loss = log_losses(forecast(own), own)
            row[method] = loss.sum() / (~own.known).sum()
        batch = own.batch()
        forecast, ends = read_class(model, batch)
        mean, asked = means(batch, ends.shape[1])
        cells = forecast.reshape(own.answers.shape)
        expected = np.where(own.known, 0, cells).sum(2) / (~own.known).sum(2).clip(1)
        row["too much"] = (expected - mean)[asked].mean()
        inside = (ends[..., 0] <= mean) & (mean <= ends[..., 1])
        row["covered"] = inside[asked].mean()
        row["warned"] = warned(model, batch, above).mean()
        rows.append(row)
        print(*row.values(), flush=True)
    return pd.DataFrame(rows)


def main(classes: int, weights: Path, out: Path) -> None:
    torch.set_num_threads(1)
    model, command = trained_class_model(weights), "python -m benchmarks.class_limits"
    write_table(out / "class_coverage.csv", coverage(model, classes), command)
    write_table(out / "class_breaks.csv", breaks(model, classes), command)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--classes", type=int, default=200)
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--out", type=Path, default=RESULTS)
    main(**vars(parser.parse_args()))
