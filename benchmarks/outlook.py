"""What MAML has learned of children, and what happens with others (about 25 minutes).

    python -m benchmarks.outlook                 # all three files
    python -m benchmarks.outlook --only layers   # or growth, or shift

Writes three files to benchmarks/results/, for chapter 8:

outlook_growth.safetensors
    Networks meta-trained on the children of the book's split as in
    ``benchmarks.growth``, three seeds: ``maml``, whose layers all adapt, and ``anil``,
    whose last layer alone does, in training too. Tensors named METHOD.SEED.PARAMETER,
    their learned inner rates METHOD.SEED.rate.PARAMETER.
outlook_layers.csv
    What adapts (all layers, the head, the body, none) crossed with what the network
    was meta-trained on and its activation: the children, as above, or waves that differ
    in size alone, in phase alone or in both (25 a batch, K = Q = 10, one step of 0.01,
    four times the iterations). Errors after five steps (children, RMSE, three known
    tests) or ten (600 new waves, median of their mean squared errors).
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
from refimpl.tasks import GrowthTasks, SinusoidTasks, TaskBatch, rmse

HEAD = "4."
ADAPTS = {"no step": (), "all": ("",), "head": (HEAD,), "body": ("0.", "2.")}
WAVES = {  # the sizes and the phases
    "size": (SinusoidTasks.amplitude, (0.0, 0.0)),
    "phase": ((2.5, 2.5), SinusoidTasks.phase),
    "both": (SinusoidTasks.amplitude, SinusoidTasks.phase),
}


class HeadRates(LearnedRates):
    """Learned rates for the last layer; all others hold still (ANIL)."""

    def forward(self) -> dict[str, Tensor | None]:  # type: ignore[override]
        return {
            name: rate if name.startswith(HEAD) else None
            for name, rate in super().forward().items()
        }


def train(
    children: GrowthTasks,
    seed: int,
    iterations: int,
    rates: type[LearnedRates],
    activation: type[nn.Module] = nn.Tanh,
) -> tuple[nn.Module, LearnedRates]:
    """Meta-train as ``benchmarks.growth`` does."""
    model = mlp(1, 40, 40, 1, activation=activation, seed=seed)
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


def layers(seeds: int, iterations: int) -> pd.DataFrame:
    """Errors of what was trained with all layers adapting, when fewer do."""
    rows = []
    for activation in (nn.ReLU, nn.Tanh):
        for seed in range(seeds):
            for tasks in ("children", *WAVES):
                if tasks == "children":
                    children = GrowthTasks()
                    how = (seed, iterations, LearnedRates, activation)
                    model, learned = train(children, *how)
                    rates = {name: rate.detach() for name, rate in learned().items()}
                    batch, steps = children.all(3, "test"), NUM_STEPS
                    measure = rmse
                else:
                    waves = SinusoidTasks()
                    waves.amplitude, waves.phase = WAVES[tasks]
                    model = train_waves(waves, seed, 4 * iterations, activation)
                    rates = {n: torch.tensor(0.01) for n, _ in model.named_parameters()}
                    batch = waves.sample(600, 10, 50, np.random.default_rng(7))
                    steps, measure = 10, median_of_means
                params = dict(model.named_parameters())
                for name, moving in ADAPTS.items():
                    used = {
                        n: r if n.startswith(moving) else None for n, r in rates.items()
                    }
                    found = predict(
                        model, params, batch, num_steps=steps, fast_lr=used
                    )[-1]
                    case = (tasks, activation.__name__, seed, name)
                    rows.append((*case, measure(found, batch)))
                print(rows[-4:], flush=True)
    return pd.DataFrame(
        rows, columns=["tasks", "activation", "seed", "adapts", "error"]
    )


def train_waves(
    waves: SinusoidTasks, seed: int, iterations: int, activation: type[nn.Module]
) -> nn.Module:
    model = mlp(1, 40, 40, 1, activation=activation, seed=seed)

    def draw(rng: np.random.Generator) -> TaskBatch:
        return waves.sample(25, 10, 10, rng)

    meta_train(model, draw, 1, 0.01, iterations=iterations, seed=seed)
    return model


def median_of_means(predicted: np.ndarray, batch: TaskBatch) -> float:
    return float(np.median(((predicted - batch.query_y) ** 2).mean(axis=(1, 2))))


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
                table: dict = {
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
                table = {n: a for n, a in table.items() if not n.endswith(".error")}
                tables.append(pd.DataFrame(table))
        print("fold", fold, "rich", len(rich), "of", len(known), flush=True)
    return pd.concat(tables, ignore_index=True)


def main(
    only: list[str], seeds: int, iterations: int, folds: int, fold_seeds: int, out: Path
) -> None:
    torch.set_num_threads(1)
    command = (
        f"python -m benchmarks.outlook --seeds {seeds} --iterations {iterations} "
        f"--folds {folds} --fold-seeds {fold_seeds}"
    )
    out.mkdir(parents=True, exist_ok=True)
    if "growth" in only:
        note = {"command": command, "torch": torch.__version__}
        tensors = networks(seeds, iterations)
        save_tensors(out / "outlook_growth.safetensors", tensors, note)
    if "layers" in only:
        write_table(out / "outlook_layers.csv", layers(seeds, iterations), command)
    if "shift" in only:
        table = shift(folds, fold_seeds, iterations)
        write_table(out / "outlook_shift.csv", table, command)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = ["growth", "layers", "shift"]
    parser.add_argument("--only", nargs="+", choices=parts, default=parts)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--iterations", type=int, default=1000)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--fold-seeds", type=int, default=2)
    parser.add_argument("--out", type=Path, default=RESULTS)
    main(**vars(parser.parse_args()))
