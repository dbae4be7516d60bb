"""The meta-gradient is that of TorchOpt, higher and learn2learn, where they are."""

import sys

import numpy as np
import pytest
import torch

from benchmarks import maml
from refimpl.tasks import SinusoidTasks

BENCH = maml.SOURCES.parent.parent  # filled by `make bench`


@pytest.mark.parametrize("library", ["learn2learn", "TorchOpt", "higher"])
@pytest.mark.parametrize("num_steps", [1, 3])
def test_meta_gradient_equals(library, num_steps, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path, str(BENCH)])
    batch = SinusoidTasks().sample(3, 5, 5, np.random.default_rng(0))
    steps = maml.implementations(batch.map(torch.as_tensor), num_steps)
    if library not in steps:
        pytest.skip(f"{library} is not installed: make bench")
    expected = steps["eager"]()
    for name, gradient in steps[library]().items():
        torch.testing.assert_close(gradient, expected[name], rtol=1e-5, atol=1e-6)
