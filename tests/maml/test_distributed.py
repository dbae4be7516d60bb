"""Two processes take the same meta-steps as one."""

import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from refimpl.maml import load_tensors, meta_loss, meta_train, sinusoid_network
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


@pytest.fixture
def alone(tmp_path):
    """A group of one process."""
    store = f"file://{tmp_path / 'store'}"
    dist.init_process_group("gloo", init_method=store, rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def test_a_parameter_that_the_loss_does_not_use_stands_still(alone):
    fill_gradients = runpy.run_path(ROOT / "examples" / "distributed.py")[
        "fill_gradients"
    ]
    used, unused, frozen = (nn.Parameter(torch.ones(2)) for _ in range(3))
    frozen.requires_grad_(False)
    fill_gradients((3 * used).sum(), [used, unused, frozen])
    assert used.grad.tolist() == [3, 3]
    assert unused.grad.tolist() == [0, 0]
    assert frozen.grad is None


def test_pytorchs_own_wrapper_fails_where_the_example_says(alone):
    model = DistributedDataParallel(sinusoid_network(0))
    batch = SinusoidTasks().sample(2, 3, 3, np.random.default_rng(0))
    params = dict(model.named_parameters())
    meta_loss(model, params, batch).backward()
    with pytest.raises(RuntimeError):
        meta_loss(model, params, batch).backward()
