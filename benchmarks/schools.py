"""What knowing a child's school is worth, for chapters 2, 3.1 and 6.1 (10 minutes).

    python -m benchmarks.schools

Five folds over all 846 children, cut by children and cut by schools. Writes
benchmarks/results/growth_schools.csv: one row per cut, child and number of known tests,
with the child's school, its number of queries, and for each method the sum over them of
squared errors (method.squared) and of errors, prediction minus truth (method.error), as
benchmarks.growth does: direct regression, the same with schoolmates' later scores
("later"), the same with what schoolmates scored in the known tests ("known"), and MAML,
means over three seeds.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd
import torch

from benchmarks.growth import maml, sums
from benchmarks.results_file import RESULTS, write_table
from refimpl.baselines import direct_regression
from refimpl.baselines.schools import with_schoolmates_known, with_schoolmates_later
from refimpl.tasks import GrowthTasks


def fold_table(split_by: str, fold: int, seeds: int, iterations: int) -> pd.DataFrame:
    children = GrowthTasks(fold=fold, split_by=split_by)
    test = children.splits["test"]
    own, theirs = (children.schools[children.splits[s]] for s in ("train", "test"))
    learned = [maml(children, seed, iterations)[0] for seed in range(seeds)]
    tables = []
    for shots in (2, 3):
        train, batch = children.all(shots, "train"), children.all(shots, "test")
        table = {"split by": split_by, "child": test, "school": theirs, "shots": shots}
        table["queries"] = batch.query_mask.sum(axis=1).astype(int)
        table |= sums("direct", [direct_regression(train)(batch)], batch)
        later, known = (
            learn(train, own)(batch, theirs)
            for learn in (with_schoolmates_later, with_schoolmates_known)
        )
        table |= sums("later", [later], batch) | sums("known", [known], batch)
        table |= sums("maml", [method(batch) for method in learned], batch)
        tables.append(pd.DataFrame(table))
    return pd.concat(tables)


def main(iterations: int, folds: int, seeds: int, out: Path) -> None:
    torch.set_num_threads(1)
    tables = []
    for split_by in ("child", "school"):
        for fold in range(folds):
            tables.append(fold_table(split_by, fold, seeds, iterations))
            print(split_by, fold, flush=True)
    command = f"python -m benchmarks.schools --iterations {iterations} --folds {folds}"
    command += f" --seeds {seeds}"
    table = pd.concat(tables).sort_values(["split by", "child", "shots"])
    write_table(out / "growth_schools.csv", table, command)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--iterations", type=int, default=1000)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS)
    main(**vars(parser.parse_args()))
