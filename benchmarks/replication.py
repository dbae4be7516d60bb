"""The sine waves of the MAML paper, trained as there (about 20 minutes).

    python -m benchmarks.replication

Finn, Abbeel & Levine (2017), section 5.1: the 1-40-40-1 network, one inner step
of 0.01, 25 waves an iteration, 70,000 iterations of Adam at 0.001, with K = 10
and K = 5 points of each wave; here with three seeds and compiled steps.
Writes benchmarks/results/replication.csv: for each K, seed and number of inner
steps from 0 to 10, the squared error on 1,000 new waves with 50 queries each
(mean, its 95 % interval over waves, and median); and the seconds of training.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from benchmarks.results_file import RESULTS, write_table
from refimpl.maml import evaluate, meta_train, sinusoid_network
from refimpl.tasks import SinusoidTasks, TaskBatch, summarize


def main(iterations: int, seeds: int, shots: list[int], out: Path) -> None:
    torch.set_num_threads(1)
    command = (
        f"python -m benchmarks.replication --iterations {iterations} --seeds {seeds} "
        f"--shots {' '.join(map(str, shots))}"
    )
    waves = SinusoidTasks()
    rows = []
    for k in shots:
        new = waves.sample(1000, k, queries=50, rng=np.random.default_rng([k, 1]))

        def draw(rng: np.random.Generator, k: int = k) -> TaskBatch:
            return waves.sample(25, k, queries=k, rng=rng)

        for seed in range(seeds):
            model = sinusoid_network(seed)
            begin = time.perf_counter()
            settings = {"iterations": iterations, "seed": seed, "compile": True}
            meta_train(model, draw, num_steps=1, **settings)
            seconds = time.perf_counter() - begin
            params = dict(model.named_parameters())
            result = summarize(evaluate(model, params, new, num_steps=10))
            for step in range(11):
                row = {"shots": k, "seed": seed, "step": step, "seconds": seconds}
                rows.append(row | {n: values[step] for n, values in result.items()})
            print(k, seed, f"{seconds:.0f} s", result["mean"].round(3))
    write_table(out / "replication.csv", pd.DataFrame(rows), command)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--iterations", type=int, default=70_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--shots", type=int, nargs="+", default=[10, 5])
    parser.add_argument("--out", type=Path, default=RESULTS)
    main(**vars(parser.parse_args()))
