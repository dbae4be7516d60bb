"""What chapter B does with a class, tried on classes of the Swedish SAT (half an hour).

    python -m benchmarks.own_class --parts DIR

Classes are drawn from test people and all 80 items of the verbal test, which the class
model has never met. Writes to benchmarks/results/

- own_class_choice.csv: 20 items, half of the answers known; by size of class and way of
  choosing the model (always one of them; the smallest loss on hidden answers; chapter
  B's one-standard-error rule): the log-loss of the answers that are not known, how far
  it is above the class model's, with the 95 % interval over the classes, and how often
  the class model was chosen;
- own_class_intervals.csv: the share of the students' means that 80 % intervals hold,
  and their width: the class model's own, and CV+ of each model;
- own_class_asking.csv: five answers of each student are known, some more are asked, by
  each rule: the log-loss of others, never asked; and what a rule gains on chance, with
  the 95 % interval over the classes. In classes of 25, by the class model, and for 30
  of 600 students, of whom the others have answered half of 80 items, by item response
  theory.

A finished part is kept in DIR, and not made again.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from benchmarks.results_file import RESULTS, kept, write_table
from refimpl.baselines import Posterior
from refimpl.baselines.item_fit import ItemPriors, fit_items
from refimpl.own_class import (
    ClassReader,
    cv_plus,
    one_standard_error,
    readers,
    student_losses,
    tried,
    worth_asking,
)
from refimpl.own_class.choosing import Trial
from refimpl.own_class.tables import draw_known, reveal
from refimpl.tasks import ResponseTasks, summarize

SIZES = {5: 200, 10: 200, 25: 200, 60: 60, 120: 16, 300: 4}  # students: classes
ITEMS = 20
ASKING = {  # students, items: asked, never asked, of how many students, classes
    (25, 20): (3, 7, 25, 60),
    (25, 60): (5, 30, 10, 14),
    (600, 80): (5, 37, 30, 40),
}


def drawn(students: int, place: int, items: int = ITEMS) -> np.ndarray:
    """Answers of a class [students, items], all of them."""
    data, rng = ResponseTasks("verbal"), np.random.default_rng([31, students, place])
    people = rng.choice(data.splits["test"], students, replace=False)
    which = rng.choice(data.correct.shape[1], items, replace=False)
    return data.correct[np.ix_(people, which)].astype(np.float32)


def one_class(students: int, place: int) -> dict[str, np.ndarray]:
    """Of each reader: losses of what is open, and of what was hidden; intervals."""
    answers, rng = drawn(students, place), np.random.default_rng([32, students, place])
    scores = np.where(rng.random(answers.shape) < 0.5, answers, np.nan)
    open_ = np.isnan(scores)
    mean = np.where(open_, answers, 0).sum(axis=1) / np.maximum(open_.sum(axis=1), 1)
    found: dict[str, np.ndarray] = {}
    hidden = {}
    for name, reader in readers(students, binary=True).items():
        made, trials = reader(scores), tried(reader, scores, np.random.default_rng(0))
        hidden[name] = student_losses(trials, scores)
        loss = student_losses([Trial(open_, made.forecast)], answers)
        ends = {"CV+": cv_plus(trials, scores)}
        if made.ends is not None:
            ends["own"] = made.ends
        found[f"{name}/loss"] = np.nanmean(loss)
        found[f"{name}/hidden"] = np.nanmean(hidden[name])
        some = open_.any(axis=1)
        for kind, each in ends.items():
            inside = (each[:, 0] <= mean) & (mean <= each[:, 1])
            width = each[:, 1] - each[:, 0]
            found[f"{name}/{kind}"] = np.array(
                [inside[some].mean(), width[some].mean()]
            )
    found["rule"] = np.array([*hidden].index(one_standard_error(hidden)))
    return found


def choice(parts: Path | None, sizes: dict[int, int]) -> tuple[list, list]:
    rows, intervals = [], []
    for students, classes in sizes.items():
        runs = []
        for place in range(classes):
            own = parts and parts / f"class_{students}_{place}.npz"
            runs.append(kept(own, partial(one_class, students, place)))
        names = [*readers(students, binary=True)]
        loss = {n: np.array([float(r[f"{n}/loss"]) for r in runs]) for n in names}
        hidden = np.array([[float(r[f"{n}/hidden"]) for r in runs] for n in names])
        every = np.stack([loss[n] for n in names])
        picks = {
            "smallest loss": hidden.argmin(axis=0),
            "one standard error": np.array([int(r["rule"]) for r in runs]),
        }
        ways = {f"always {n}": loss[n] for n in names}
        ways |= {w: every[p, np.arange(len(p))] for w, p in picks.items()}
        for way, value in ways.items():
            row = {"students": students, "way": way, "log_loss": value.mean()}
            gap = summarize(value - loss["class model"])
            row |= {k: gap[k] for k in ("mean", "low", "high")}
            row["class_model"] = (picks[way] == 0).mean() if way in picks else np.nan
            rows.append(row)
        for name in names:
            for kind in ("own", "CV+"):
                found = [r[f"{name}/{kind}"] for r in runs if f"{name}/{kind}" in r]
                if found:
                    inside, width = np.mean(found, axis=0)
                    row = {"students": students, "model": name, "interval": kind}
                    intervals.append(row | {"inside": inside, "width": width})
        print(students, {w: round(v.mean(), 4) for w, v in ways.items()}, flush=True)
    return rows, intervals


def bank_of(scores: np.ndarray) -> Posterior:
    """The two-parameter model of the items, with weak priors."""
    batch, items = reveal(scores, ~np.isnan(scores)), scores.shape[1]
    fitted = fit_items(batch, items, 1, False, priors=ItemPriors())
    return Posterior(fitted.slopes[:, 0], fitted.easiness, np.zeros(items))


def information(bank: Posterior, own: np.ndarray) -> np.ndarray:
    """Of each item [J] of ``bank``, at a student's posterior mean (Lord 1980).

    ``own`` [J] are the student's answers, NaN where there is none.
    """
    items = np.flatnonzero(~np.isnan(own))[None]
    return bank.information(bank.mean(items, own[items]))[0]


def one_asking(students: int, items: int, place: int) -> dict[str, np.ndarray]:
    """The mean log-loss of what is never asked, by rule, of the first students."""
    answers = drawn(students, 1000 + place, items)
    asked, never, some, _ = ASKING[students, items]
    rng = np.random.default_rng([33, students, place])
    first = draw_known(answers, 5, rng)
    goal = draw_known(np.where(first, np.nan, answers), never, rng)
    if students > 60:  # the others have answered half of the items
        first[some:] = rng.random(first[some:].shape) < 0.5
    start = np.where(first, answers, np.nan)
    read = ClassReader
    if students > 60:
        read = readers(students, binary=True)["IRT with priors"]
    reader, found = read(start), {}
    bank = bank_of(start)

    def nearest(i: int, own: np.ndarray) -> np.ndarray:
        return -abs(reader.after(i, own[None])[0] - 0.5)

    chance = np.random.default_rng([34, students, place])
    rules = {
        "none": None,
        "chance": lambda i, own: chance.random(items),
        "nearest one half": nearest,
        "maximum information": lambda i, own: information(bank, own),
        "worth": lambda i, own: worth_asking(reader, i, own),
    }
    for name, rule in rules.items():
        after = start.copy()
        for i in range(some):
            for _ in range(asked if rule else 0):
                open_ = np.isnan(after[i]) & ~goal[i]
                best = np.where(open_, rule(i, after[i]), -np.inf).argmax()
                after[i, best] = answers[i, best]
        made = reader.after(0, after[:some]) if students > 60 else read(after).forecast
        trial = Trial(goal[:some], made[:some])
        found[name] = student_losses([trial], answers[:some]).mean()
    return found


def asking(parts: Path | None, share: float) -> list:
    rows = []
    for (students, items), (*_, classes) in ASKING.items():
        runs = [
            kept(
                parts and parts / f"asking_{students}_{items}_{m}.npz",
                partial(one_asking, students, items, m),
            )
            for m in range(max(2, int(classes * share)))
        ]
        for name in runs[0]:
            loss = np.array([float(r[name]) for r in runs])
            gain = summarize(np.array([float(r["chance"]) for r in runs]) - loss)
            row = {"students": students, "items": items, "rule": name}
            row |= {"log_loss": loss.mean()}
            rows.append(row | {k: gain[k] for k in ("mean", "low", "high")})
            print(*rows[-1].values(), flush=True)
        if share < 1:
            break
    return rows


def main(share: float, parts: Path | None, out: Path) -> None:
    torch.set_num_threads(1)
    sizes = {size: max(2, int(share * n)) for size, n in SIZES.items()}
    command = "python -m benchmarks.own_class"
    rows = asking(parts, share)
    write_table(out / "own_class_asking.csv", pd.DataFrame(rows), command)
    rows, intervals = choice(parts, sizes if share == 1 else {5: 2, 120: 2})
    write_table(out / "own_class_choice.csv", pd.DataFrame(rows), command)
    write_table(out / "own_class_intervals.csv", pd.DataFrame(intervals), command)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--share", type=float, default=1, help="of the classes")
    parser.add_argument("--parts", type=Path)
    parser.add_argument("--out", type=Path, default=RESULTS)
    main(**vars(parser.parse_args()))
