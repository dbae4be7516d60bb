"""Train the sine-wave networks that chapter 3.1 loads (about 6 minutes a seed).

    python -m benchmarks.sinusoid

For each of three seeds, the network of Finn, Abbeel & Levine (2017) is
meta-trained in their setting (K = 10, one inner step of 0.01, 25 waves an
iteration, 70,000 iterations of Adam at 0.001), and the same network is
trained on the same waves without adaptation: the "pre-trained" baseline.
Both land in one file, benchmarks/results/sinusoid.safetensors, as tensors
named METHOD.SEED.PARAMETER.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from refimpl.maml import meta_train, save_tensors, sinusoid_network
from refimpl.tasks import SinusoidTasks, TaskBatch

RESULTS = Path(__file__).parent / "results"
NUM_STEPS = {"maml": 1, "pretrained": 0}


def draw(rng: np.random.Generator) -> TaskBatch:
    return SinusoidTasks().sample(25, shots=10, queries=10, rng=rng)


def main(iterations: int, seeds: int, out: Path) -> None:
    torch.set_num_threads(1)
    tensors = {}
    for seed in range(seeds):
        for method, num_steps in NUM_STEPS.items():
            model = sinusoid_network(seed)
            history = meta_train(
                model, draw, num_steps, fast_lr=0.01, iterations=iterations, seed=seed
            )
            for name, tensor in model.named_parameters():
                tensors[f"{method}.{seed}.{name}"] = tensor
            print(
                f"{method}, seed {seed}: last losses {np.mean(history.loss[-100:]):.3f}"
            )
    out.parent.mkdir(parents=True, exist_ok=True)
    command = f"python -m benchmarks.sinusoid --iterations {iterations} --seeds {seeds}"
    save_tensors(out, tensors, note={"command": command, "torch": torch.__version__})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--iterations", type=int, default=70_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS / "sinusoid.safetensors")
    main(**vars(parser.parse_args()))
