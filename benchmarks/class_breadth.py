"""What the class model has met decides: its ablations, for chapter 6.4 (an hour).

    python -m benchmarks.class_breadth --parts DIR [--tests DIR]

Trains the class model on the quantitative test alone, on made-up classes alone, and on
both, for 200, 800 and 3,200 iterations; and for 3,200 without one of the made-up
worlds by turns. Writes benchmarks/results/class_breadth.csv: for each of these, and
each set of benchmarks.classes, how many classes training met, the log-loss, and how far
that is above "everything" after as many iterations, with the 95 % interval as there. A
trained model is kept in DIR, and not made again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from benchmarks import class_model
from benchmarks.classes import bootstrapped, log_losses, read, sets
from benchmarks.results_file import RESULTS, write_table
from refimpl.context import trained_class_model

LADDER = [200, 800, 3200]
OVER_TIME = ["everything", "quantitative test alone", "made-up classes alone"]


def trained(run: str, iterations: int, classes: int, parts: Path) -> Path:
    """The weights of a run, trained if they are not in the folder ``parts``."""
    path = parts / f"{run.replace(' ', '_')}_{iterations}.safetensors"
    if not path.exists():
        class_model.main(run, iterations, classes, parts, path)
    return path


def classes_met(run: str, iterations: int) -> int:
    """How many classes training draws: fewer if they are large."""
    most = class_model.SIZES[1] if run != "quantitative test alone" else 50
    total = 0
    for iteration in range(iterations):
        students, items = class_model.sizes(np.random.default_rng([0, iteration]), most)
        total += int(np.clip(class_model.ANSWERS // (students * items), 4, 64))
    return total


def main(
    ladder: list[int], classes: int, held: int, parts: Path, tests, out: Path
) -> None:
    torch.set_num_threads(1)
    every = sets(classes, tests)
    runs = [(run, n) for run in OVER_TIME for n in ladder]
    runs += [(run, ladder[-1]) for run in class_model.RUNS if run not in OVER_TIME]
    losses, rows = {}, []
    for run, iterations in runs:
        forecast = read(trained_class_model(trained(run, iterations, held, parts)))
        met = classes_met(run, iterations)
        for name, own in every.items():
            loss = log_losses(forecast(own), own)
            losses[run, iterations, name] = loss
            row = {"run": run, "iterations": iterations, "classes": met, "set": name}
            row["log_loss"] = loss.sum() / (~own.known).sum()
            base = losses["everything", iterations, name]
            rows.append(row | bootstrapped(loss - base, own))
        print(run, iterations, met, flush=True)
    command = "python -m benchmarks.class_breadth"
    write_table(out / "class_breadth.csv", pd.DataFrame(rows), command)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ladder", type=int, nargs="+", default=LADDER)
    parser.add_argument("--classes", type=int, default=400, help="of a set")
    parser.add_argument("--held", type=int, default=2000, help="to calibrate on")
    parser.add_argument("--parts", type=Path, required=True)
    parser.add_argument("--tests", type=Path)
    parser.add_argument("--out", type=Path, default=RESULTS)
    main(**vars(parser.parse_args()))
