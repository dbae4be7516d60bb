"""How tasks are computed together: how many at a time, and what an error says."""

import numpy as np
import pytest
import torch

from refimpl.maml.over_tasks import over_tasks
from refimpl.tasks import SinusoidTasks

PARAMS = {"weight": torch.zeros(1)}


@pytest.fixture
def batch():
    return SinusoidTasks().sample(6, shots=3, queries=2, rng=np.random.default_rng(0))


@pytest.mark.parametrize(
    ("how", "calls"), [({}, 1), (True, 1), (1, 6), (4, 2), (6, 1), (False, 6)]
)
def test_a_call_of_the_function_serves_as_many_tasks_as_one_says(batch, how, calls):
    called = []

    def mean_support(*arrays):
        called.append(None)
        return arrays[1].mean()

    options = how if how == {} else {"vectorize": how}
    means = over_tasks(mean_support, batch, PARAMS, **options)
    torch.testing.assert_close(
        means, torch.as_tensor(batch.support_y.mean(axis=(1, 2)))
    )
    assert len(called) == calls


def test_arrays_may_be_turned_round(batch):
    """PyTorch takes no negative strides."""
    turned = batch.map(lambda array: array[::-1])
    there, back = (
        over_tasks(lambda *arrays: arrays[4].sum(), one, PARAMS)
        for one in (batch, turned)
    )
    torch.testing.assert_close(there.flip(0), back)


def test_an_error_says_what_vmap_said(batch):
    with pytest.raises(RuntimeError) as caught:
        over_tasks(
            lambda *arrays: arrays[1].mean() * arrays[1][0].item(), batch, PARAMS
        )
    said = "vmap: It looks like you're calling .item() on a Tensor"
    assert f"side by side ({said}); use vectorize=False" in str(caught.value)


def test_an_error_that_has_nothing_to_do_with_vmap_comes_as_it_is(batch):
    with pytest.raises(ZeroDivisionError):
        over_tasks(lambda *arrays: arrays[1].mean() / (1 // 0), batch, PARAMS)
