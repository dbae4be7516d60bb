"""What MAML has learned of children, and what happens with others (about 20 minutes).

    python -m benchmarks.outlook

Writes two files to benchmarks/results/, for chapter 8:

outlook_growth.safetensors
    Networks meta-trained on the children of the book's split as in
    ``benchmarks.growth``, three seeds: ``maml``, whose layers all adapt, and ``anil``,
    whose last layer alone does, in training too. Tensors named METHOD.SEED.PARAMETER,
    their learned inner rates METHOD.SEED.rate.PARAMETER.
outlook_shift.csv
    Five folds over all 846 children. Each method learns from the training children of
    the schools with fewer pupils from poor families ("rich": "low income" below its
    median over all children) or from as many drawn from all training children ("all").
    One row for each child, number of known tests and training set: the school and its
    low income, queries, and each method's sum of squared errors (MAML: the mean over
    seeds).
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from benchmarks.growth import NUM_STEPS, sums
from benchmarks.results_file import RESULTS, write_table
from refimpl.baselines import hierarchical_polynomial, pooled_polynomial
from refimpl.maml import LearnedRates, meta_train, mlp, predict, save_tensors
from refimpl.tasks import GrowthTasks, TaskBatch, rmse

HEAD = "4."


class HeadRates(LearnedRates):
    """Learned rates for the last layer; all others hold still (ANIL)."""

    def forward(self) -> dict[str, Tensor | None]:  # type: ignore[override]
        return {
            name: rate if name.startswith(HEAD) else None
            for name, rate in super().forward().items()
        }


def train(
    children: GrowthTasks, seed: int, iterations: int, rates: type[LearnedRates]
) -> tuple[nn.Module, LearnedRates]:
    """Meta-train as ``benchmarks.growth`` does."""
    model = mlp(1, 40, 40, 1, activation=nn.Tanh, seed=seed)
    fast_lr = rates(model, initial=math.exp(-4))
    count = min(64, len(children.splits["train"]))

    def draw(rng: np.random.Generator) -> TaskBatch:
        return children.sample(count, shots=rng.integers(2, 4), split="train", rng=rng)

    meta_train(model, draw, NUM_STEPS, fast_lr, iterations=iterations, seed=seed)
    return model, fast_lr


def forecast(model: nn.Module, fast_lr: nn.Module, batch: TaskBatch) -> np.ndarray:
    params = dict(model.named_parameters())
    return predict(model, params, batch, num_steps=NUM_STEPS, fast_lr=fast_lr)[-1]


def networks(seeds: int, iterations: int) -> dict[str, Tensor]:
    children, tensors = GrowthTasks(), {}
    for method, rates in (("maml", LearnedRates), ("anil", HeadRates)):
        for seed in range(seeds):
            model, fast_lr = train(children, seed, iterations, rates)
            start = f"{method}.{seed}."
            tensors |= {start + n: p for n, p in model.named_parameters()}
            tensors |= {
                f"{start}rate.{n}": rate
                for n, rate in fast_lr().items()
                if rate is not None
            }
            errors = [
                rmse(forecast(model, fast_lr, batch), batch)
                for batch in (children.all(shots, "test") for shots in (2, 3))
            ]
            print(method, seed, np.round(errors, 3), flush=True)
    return tensors


def shift(folds: int, seeds: int, iterations: int) -> pd.DataFrame:
    tables = []
    poor = GrowthTasks().groups["low income"]
    for fold in range(folds):
        children = GrowthTasks(fold=fold)
        known = np.concatenate([children.splits[s] for s in ("train", "validation")])
        rich = known[poor[known] < np.median(poor)]
        mixed = np.random.default_rng(fold).permutation(known)[: len(rich)]
        for name, rows in (("rich", rich), ("all", mixed)):
            children.splits["train"] = np.sort(rows)
            everything = children.all(3, "train")
            methods = {
                "pooled": pooled_polynomial(everything),
                "cubic": hierarchical_polynomial(everything, 3),
            }
            learned = [
                train(children, seed, iterations, LearnedRates) for seed in range(seeds)
            ]
            for shots in (2, 3):
                batch, test = children.all(shots, "test"), children.splits["test"]
                table = {
                    "trained": name,
                    "fold": fold,
                    "child": test,
                    "school": children.schools[test],
                    "low_income": poor[test],
                    "shots": shots,
                    "queries": batch.query_mask.sum(axis=1).astype(int),
                }
                for method, predicted in methods.items():
                    table |= sums(method, [predicted(batch)], batch)
                own = [forecast(*network, batch) for network in learned]
                table |= sums("maml", own, batch)
                tables.append(pd.DataFrame(table))
        print("fold", fold, "rich", len(rich), "of", len(known), flush=True)
    return pd.concat(tables, ignore_index=True)


def main(seeds: int, iterations: int, folds: int, fold_seeds: int, out: Path) -> None:
    torch.set_num_threads(1)
    command = (
        f"python -m benchmarks.outlook --seeds {seeds} --iterations {iterations} "
        f"--folds {folds} --fold-seeds {fold_seeds}"
    )
    out.mkdir(parents=True, exist_ok=True)
    note = {"command": command, "torch": torch.__version__}
    save_tensors(out / "outlook_growth.safetensors", networks(seeds, iterations), note)
    table = shift(folds, fold_seeds, iterations)
    errors = [c for c in table.columns if c.endswith(".error")]
    write_table(out / "outlook_shift.csv", table.drop(columns=errors), command)
    total = table.assign(poor=pd.qcut(table["low_income"], 4)).groupby(
        ["shots", "trained", "poor"], observed=True
    )
    total = total.sum(numeric_only=True)
    print(np.sqrt(total.filter(like=".squared").div(total["queries"], axis=0)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--iterations", type=int, default=1000)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--fold-seeds", type=int, default=2)
    parser.add_argument("--out", type=Path, default=RESULTS)
    main(**vars(parser.parse_args()))
