"""Train the class model of chapter 6.4 (65 minutes of a busy core).

    python -m benchmarks.class_model --parts DIR

Every iteration draws about 12,000 answers: classes of 5 to 60 students and questions.
The learning rate rises, then falls to 0 by a half cosine. Afterwards the intervals are
stretched so that they cover four fifths of the means of the students of 2,000 classes
that were held out: validation people and items, and new made-up classes. A run goes on
where it was interrupted, from its checkpoint in DIR. Writes
refimpl/context/class_model.safetensors; with --out DIR there, or to another file.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn

from refimpl.context import ClassModel, calibrate, class_losses
from refimpl.context.weights import WEIGHTS
from refimpl.maml import meta_train, save_tensors
from refimpl.tasks import TaskBatch
from refimpl.tasks.classes import EVERYTHING, ITEM_CUTS, ClassTasks

ANSWERS = 12_000  # of an iteration, about
SIZES = 5, 60
ITERATIONS = 46_000
RATE = 0.004
MADE_UP = {name: w for name, w in EVERYTHING.items() if name != "quantitative"}
RUNS = {
    "everything": EVERYTHING,
    "quantitative test alone": {"quantitative": 1},
    "made-up classes alone": MADE_UP,
    "without procedures": {n: w for n, w in EVERYTHING.items() if n != "procedures"},
    "without passages": {n: w for n, w in EVERYTHING.items() if n != "passages"},
}


def sizes(rng: np.random.Generator, most: int = SIZES[1]) -> tuple[int, int]:
    """Students and items, small numbers more often."""
    students, items = np.exp(
        rng.uniform(np.log(SIZES[0]), np.log([SIZES[1] + 1, most + 1]))
    ).astype(int)
    return int(students), int(items)


def sources(run: str, own: int) -> tuple[int, Callable[[int], ClassTasks]]:
    """The most items, and where classes of so many come from.

    Only made-up ones have more than ``own``, the number that the test has for a split.
    """
    weights = RUNS[run]
    made_up = {n: w for n, w in weights.items() if n in MADE_UP}
    small = ClassTasks(weights)
    large = ClassTasks(made_up) if made_up else small
    most = SIZES[1] if made_up else own
    return most, lambda items: small if items <= own else large


def source(run: str) -> Callable[[np.random.Generator], TaskBatch]:
    """An iteration's classes."""
    most, by_items = sources(run, ITEM_CUTS[0])

    def draw(rng: np.random.Generator) -> TaskBatch:
        students, items = sizes(rng, most)
        classes = int(np.clip(ANSWERS // (students * items), 4, 64))
        return by_items(items).sample(classes, "train", rng, students, items)

    return draw


def schedule(iterations: int) -> Callable[[int], float]:
    def rate(i: int) -> float:
        return RATE * min(1, (i + 1) / 200) * (1 + np.cos(np.pi * i / iterations)) / 2

    return rate


def held_out(run: str, classes: int) -> Iterator[TaskBatch]:
    """Classes of the validation split, twenty of a size; a tenth to two thirds known.

    Training meets more extreme shares, too, where intervals are wider than need be.
    """
    rng = np.random.default_rng(5)
    most, by_items = sources(run, ITEM_CUTS[1] - ITEM_CUTS[0])
    for _ in range(max(classes // 20, 1)):
        students, items = sizes(rng, most)
        known = rng.uniform(0.1, 0.67)
        yield by_items(items).sample(20, "validation", rng, students, items, known)


def main(run: str, iterations: int, classes: int, parts: Path, out: Path) -> None:
    torch.set_num_threads(1)
    parts.mkdir(parents=True, exist_ok=True)
    name = f"{run.replace(' ', '_')}_{iterations}"
    model = ClassModel(seed=0)
    if iterations >= 100:  # a wait of 15 s; a little faster here, more elsewhere
        for layer in model.layers:
            layer.compile(dynamic=True)
    history = meta_train(
        model,
        source(run),
        num_steps=0,
        meta_lr=schedule(iterations),
        iterations=iterations,
        seed=0,
        objective=class_losses,
        max_grad_norm=1.0,
        checkpoint=parts / f"{name}.checkpoint",
        checkpoint_every=500,
    )
    calibrate(model, held_out(run, classes))
    path = out / WEIGHTS.name if out.is_dir() else out
    note = {"run": run, "iterations": iterations, "loss": history.loss[-1]}
    save_tensors(path, nn.ModuleDict({"model": model}).state_dict(), note)
    print(
        f"{path}: stretch {model.stretch:.3f}, loss {np.mean(history.loss[-500:]):.4f}"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run", choices=[*RUNS], default="everything")
    parser.add_argument("--iterations", type=int, default=ITERATIONS)
    parser.add_argument("--classes", type=int, default=2000, help="to calibrate on")
    parser.add_argument("--parts", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=WEIGHTS.parent)
    main(**vars(parser.parse_args()))
