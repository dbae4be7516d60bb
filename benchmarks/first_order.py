"""What chapter 4.1 asks of longer training than a notebook's (about 20 minutes).

    python -m benchmarks.first_order

Writes to benchmarks/results/:

first_order_waves.safetensors
    Chapter 3.1's network, meta-trained on sine waves as in benchmarks.sinusoid,
    but with inner rates of 0.003 and 0.03; tensors named RATE.SEED.PARAMETER.
    Compiled, so that another machine's rounding ends at other weights.
first_order_children.csv
    The children's network of chapter 3.1, meta-trained as in benchmarks.growth,
    but with first order; as in growth_history.csv, the RMSE on the validation
    children, every 50 iterations.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd
import torch

from benchmarks.growth import maml
from benchmarks.results_file import RESULTS, write_table
from benchmarks.sinusoid import draw
from refimpl.maml import meta_train, save_tensors, sinusoid_network
from refimpl.tasks import GrowthTasks

RATES = (0.003, 0.03)


def waves(iterations: int, seeds: int, compiled: bool) -> dict[str, torch.Tensor]:
    tensors = {}
    for seed in range(seeds):
        for rate in RATES:
            model = sinusoid_network(seed)
            settings = {"iterations": iterations, "seed": seed, "compile": compiled}
            meta_train(model, draw, num_steps=1, fast_lr=rate, **settings)
            for name, tensor in model.named_parameters():
                tensors[f"{rate}.{seed}.{name}"] = tensor
    return tensors


def children(iterations: int, seeds: int) -> pd.DataFrame:
    rows = []
    for seed in range(seeds):
        _, history = maml(GrowthTasks(), seed, iterations, first_order=True)
        for iteration, rmse in history.validation:
            rows.append({"seed": seed, "iteration": iteration, "rmse": rmse})
    return pd.DataFrame(rows)


def main(
    iterations: int,
    seeds: int,
    children_iterations: int,
    children_seeds: int,
    eager: bool,
    out: Path,
) -> None:
    torch.set_num_threads(1)
    command = (
        f"python -m benchmarks.first_order --iterations {iterations} --seeds {seeds} "
        f"--children-iterations {children_iterations} "
        f"--children-seeds {children_seeds}{' --eager' * eager}"
    )
    table = children(children_iterations, children_seeds)
    write_table(out / "first_order_children.csv", table, command)
    print(table.groupby("seed")["rmse"].agg(["min", "last"]))
    tensors = waves(iterations, seeds, compiled=not eager)
    note = {"command": command, "torch": torch.__version__}
    save_tensors(out / "first_order_waves.safetensors", tensors, note=note)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--iterations", type=int, default=70_000)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--children-iterations", type=int, default=1_000)
    parser.add_argument("--children-seeds", type=int, default=3)
    parser.add_argument("--eager", action="store_true", help="without torch.compile")
    parser.add_argument("--out", type=Path, default=RESULTS)
    main(**vars(parser.parse_args()))
