"""Two processes take the same meta-steps as one."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import torch

from refimpl.maml import load_tensors, meta_train, sinusoid_network
from refimpl.tasks import SinusoidTasks

ROOT = Path(__file__).parent.parent.parent


def run(processes, out):
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    subprocess.run(
        [
            *torchrun,
            f"--nproc-per-node={processes}",
            ROOT / "examples" / "distributed.py",
            *("--iterations", "3", "--tasks", "5", "--out", out),
        ],
        check=True,
        capture_output=True,
    )
    return load_tensors(out)


def test_two_processes_equal_one_and_meta_train(tmp_path):
    two, note = run(2, tmp_path / "two.safetensors")
    assert note == {"processes": 2, "iterations": 3}

    def draw(rng: np.random.Generator):
        return SinusoidTasks().sample(5, shots=10, queries=10, rng=rng)

    model = sinusoid_network(0)
    meta_train(model, draw, num_steps=1, iterations=3, seed=0)
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(two[name], parameter.detach(), rtol=1e-5, atol=1e-7)
