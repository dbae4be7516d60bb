"""What holds for every shape, mask and number of steps, whatever the numbers."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from refimpl.maml import adapt, meta_loss, mlp, task_losses
from refimpl.tasks import TaskBatch

COUNTS = {
    "tasks": st.integers(1, 4),
    "shots": st.integers(1, 5),
    "queries": st.integers(1, 4),
    "inputs": st.integers(1, 3),
    "outputs": st.integers(1, 2),
}
SIZES = st.fixed_dictionaries(COUNTS)
STEPS = st.integers(0, 4)
SEED = st.integers(0, 2**32 - 1)


def random_batch(tasks, shots, queries, inputs, outputs, rng):
    """Some places are empty; a support set, or a query set, may be altogether."""
    arrays = []
    for examples in (shots, queries):
        mask = rng.integers(0, 2, size=(tasks, examples)).astype(float)
        for last in (inputs, outputs):
            values = rng.normal(size=(tasks, examples, last))
            arrays.append(values * mask[..., None])
        arrays.append(mask)
    return TaskBatch(*arrays)


def start(batch, seed):
    inputs, outputs = batch.query_x.shape[2], batch.query_y.shape[2]
    model = mlp(inputs, 4, outputs, activation=torch.nn.Tanh, seed=seed).double()
    return model, dict(model.named_parameters())


def made(sizes, seed):
    batch = random_batch(**sizes, rng=np.random.default_rng(seed))
    return batch, *start(batch, seed % 1000)


@settings(max_examples=25, deadline=None)
@given(sizes=SIZES, steps=STEPS, seed=SEED, empty=st.integers(1, 3))
def test_more_empty_places_change_nothing(sizes, steps, seed, empty):
    batch, model, params = made(sizes, seed)

    def padded(array):
        shape = [(0, 0), (0, empty)] + [(0, 0)] * (array.ndim - 2)
        return np.pad(array, shape)

    inner = {"fast_lr": 0.1, "num_steps": steps}
    torch.testing.assert_close(
        task_losses(model, params, batch.map(padded), **inner),
        task_losses(model, params, batch, **inner),
    )


@settings(max_examples=25, deadline=None)
@given(sizes=SIZES, steps=STEPS, seed=SEED)
def test_order_does_not_matter(sizes, steps, seed):
    batch, model, params = made(sizes, seed)
    inner = {"fast_lr": 0.1, "num_steps": steps}
    backward = batch.map(lambda array: array[::-1, ::-1].copy())
    torch.testing.assert_close(
        task_losses(model, params, backward, **inner).flip(0),
        task_losses(model, params, batch, **inner),
    )


@settings(max_examples=25, deadline=None)
@given(sizes=SIZES, first=STEPS, then=STEPS, seed=SEED)
def test_steps_add_up(sizes, first, then, seed):
    batch, model, params = made(sizes, seed)
    arrays = (batch.support_x[0], batch.support_y[0], batch.support_mask[0])
    x, y, mask = map(torch.as_tensor, arrays)
    half = adapt(model, params, x, y, mask, fast_lr=0.1, num_steps=first)
    both = adapt(model, half, x, y, mask, fast_lr=0.1, num_steps=then)
    once = adapt(model, params, x, y, mask, fast_lr=0.1, num_steps=first + then)
    for name in params:
        torch.testing.assert_close(both[name], once[name])


@settings(max_examples=25, deadline=None)
@given(sizes=SIZES, steps=STEPS, seed=SEED)
def test_first_order_changes_the_gradient_alone(sizes, steps, seed):
    batch, model, params = made(sizes, seed)
    losses, gradients = [], []
    for first_order in (False, True):
        loss = meta_loss(
            model, params, batch, fast_lr=0.1, num_steps=steps, first_order=first_order
        )
        losses.append(loss)
        gradients.append(torch.autograd.grad(loss, [*params.values()]))
    assert torch.equal(*losses)
    if steps == 0:
        assert all(map(torch.equal, *gradients))
    assert all(g.isfinite().all() for pair in gradients for g in pair)


@settings(max_examples=25, deadline=None)
@given(sizes=SIZES, steps=STEPS, seed=SEED)
def test_a_task_without_queries_teaches_nothing(sizes, steps, seed):
    batch, model, params = made(sizes, seed)
    batch.query_mask[0] = 0
    loss = task_losses(model, params, batch, fast_lr=0.1, num_steps=steps)[0]
    gradients = torch.autograd.grad(loss, [*params.values()])
    assert loss == 0
    assert all((g == 0).all() for g in gradients)
