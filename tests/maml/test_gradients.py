"""The meta-gradient is right: by finite differences, by hand, and by a plain loop."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.func import functional_call

from refimpl.maml import LearnedRates, adapt, meta_loss, mlp, mse, task_losses
from refimpl.tasks import SinusoidTasks, TaskBatch


def waves(tasks=3, shots=4, queries=5, masked=False, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    batch = SinusoidTasks().sample(tasks, shots, queries, rng)
    if masked:
        batch.support_mask[0, 1:] = 0
        batch.support_mask[1] = 0
        batch.query_mask[2, 2:] = 0
    return batch.map(lambda array: array.astype(dtype))


def network(seed=0, dtype=torch.float64):
    model = mlp(1, 5, 4, 1, activation=nn.Tanh, seed=seed).to(dtype)
    return model, dict(model.named_parameters())


def gradients(loss, params):
    return torch.cat(
        [g.flatten() for g in torch.autograd.grad(loss, [*params.values()])]
    )


def central_differences(function, params, h=1e-5):
    numbers = []
    for name, tensor in params.items():
        for i in range(tensor.numel()):
            values = []
            for sign in (1, -1):
                moved = tensor.detach().clone()
                moved.view(-1)[i] += sign * h
                values.append(function({**params, name: moved}).item())
            numbers.append((values[0] - values[1]) / (2 * h))
    return torch.tensor(numbers, dtype=torch.float64)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("num_steps", [1, 2, 5])
def test_meta_gradient_equals_central_differences(num_steps, masked):
    model, params = network()
    batch = waves(masked=masked)

    def loss(params):
        return meta_loss(model, params, batch, fast_lr=0.05, num_steps=num_steps)

    exact, numeric = gradients(loss(params), params), central_differences(loss, params)
    assert (exact - numeric).norm() <= 1e-6 * exact.norm()


def test_gradient_of_learned_rates_equals_central_differences():
    model, params = network()
    rates = LearnedRates(model, initial=0.05).double()
    batch = waves()
    loss = meta_loss(model, params, batch, fast_lr=rates(), num_steps=2)
    (exact,) = torch.autograd.grad(loss, [rates.log_rates])

    def loss_at(given):
        fast_lr = dict(zip(rates.names, given["log"].exp(), strict=True))
        return meta_loss(model, params, batch, fast_lr=fast_lr, num_steps=2)

    numeric = central_differences(loss_at, {"log": rates.log_rates})
    assert (exact - numeric).norm() <= 1e-6 * exact.norm()


class Constant(nn.Module):
    """Predicts theta for every input: mse is a quadratic in theta."""

    def __init__(self, theta):
        super().__init__()
        self.theta = nn.Parameter(torch.tensor([theta], dtype=torch.float64))

    def forward(self, x):
        return self.theta.expand(len(x), 1)


def quadratic(supports, queries):
    """Tasks whose support loss is (theta - s)^2 and query loss (theta - q)^2."""
    s, q = (np.array(v, np.float64)[:, None, None] for v in (supports, queries))
    mask = np.ones((len(s), 1))
    return TaskBatch(np.zeros_like(s), s, mask, np.zeros_like(q), q, mask)


@pytest.mark.parametrize("num_steps", [0, 1, 2, 5])
@pytest.mark.parametrize("first_order", [False, True])
def test_meta_gradient_of_a_quadratic_equals_the_analytic_one(num_steps, first_order):
    theta, alpha, supports, queries = 0.7, 0.1, [1.0, 5.0], [3.0, 9.0]
    model = Constant(theta)
    params = dict(model.named_parameters())
    loss = meta_loss(
        model,
        params,
        quadratic(supports, queries),
        fast_lr=alpha,
        num_steps=num_steps,
        first_order=first_order,
    )
    # theta' = s + (1 - 2 alpha)^k (theta - s); d theta'/d theta is that power,
    # which first-order MAML takes to be 1.
    shrink = (1 - 2 * alpha) ** num_steps
    s, q = np.array(supports), np.array(queries)
    adapted = s + shrink * (theta - s)
    expected = np.mean(2 * (adapted - q)) * (1 if first_order else shrink)
    assert loss.item() == pytest.approx(np.mean((adapted - q) ** 2), rel=1e-12)
    assert gradients(loss, params).item() == pytest.approx(expected, rel=1e-12)


def test_first_order_differs_where_the_loss_is_curved():
    model, params = network()
    batch = waves()
    exact, first = (
        gradients(
            meta_loss(model, params, batch, fast_lr=0.05, first_order=flag), params
        )
        for flag in (False, True)
    )
    assert (exact - first).norm() > 1e-3 * exact.norm()


def test_first_order_coincides_where_the_hessian_is_zero():
    model = nn.Linear(1, 1).double()
    params = dict(model.named_parameters())

    def linear(prediction, target, mask):
        return ((prediction * target)[:, 0] * mask).sum() / mask.sum().clamp(min=1)

    exact, first = (
        gradients(
            meta_loss(model, params, waves(), linear, num_steps=3, first_order=flag),
            params,
        )
        for flag in (False, True)
    )
    assert exact.norm() > 0
    torch.testing.assert_close(exact, first, rtol=1e-14, atol=0)


def test_first_order_keeps_the_path_through_the_parameters():
    # theta' = theta - alpha g with g constant: d theta'/d theta is 1, not 0.
    model = Constant(0.7)
    params = dict(model.named_parameters())
    batch = quadratic([1.0], [3.0])
    support = [torch.as_tensor(a[0]) for a in [*vars(batch).values()][:3]]
    adapted = adapt(model, params, *support, fast_lr=0.1, num_steps=4, first_order=True)
    assert torch.autograd.grad(adapted["theta"].sum(), params["theta"])[0].item() == 1


@settings(max_examples=25, deadline=None)
@given(
    tasks=st.integers(1, 4),
    shots=st.integers(1, 5),
    queries=st.integers(1, 5),
    num_steps=st.integers(0, 3),
    seed=st.integers(0, 1000),
)
def test_vmap_equals_a_plain_loop_over_tasks(tasks, shots, queries, num_steps, seed):
    model, params = network(seed)
    batch = waves(tasks, shots, queries, seed=seed)
    rng = np.random.default_rng(seed)
    batch.support_mask[:] = rng.integers(0, 2, size=batch.support_mask.shape)
    batch.query_mask[:] = rng.integers(0, 2, size=batch.query_mask.shape)
    losses = []
    for i in range(tasks):
        sx, sy, sm, qx, qy, qm = (torch.as_tensor(a[i]) for a in vars(batch).values())
        own = params
        for _ in range(num_steps):
            loss = mse(functional_call(model, own, (sx,)), sy, sm)
            steps = torch.autograd.grad(loss, [*own.values()], create_graph=True)
            own = {
                n: p - 0.05 * g for (n, p), g in zip(own.items(), steps, strict=True)
            }
        losses.append(mse(functional_call(model, own, (qx,)), qy, qm))
    looped = torch.stack(losses)
    at_once = task_losses(model, params, batch, fast_lr=0.05, num_steps=num_steps)
    torch.testing.assert_close(at_once, looped, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(
        gradients(at_once.mean(), params),
        gradients(looped.mean(), params),
        rtol=1e-8,
        atol=1e-11,
    )


def test_duplicating_every_task_leaves_the_mean_gradient_unchanged():
    model, params = network()
    batch = waves()
    twice = batch.map(lambda array: np.concatenate([array, array]))
    one, two = (
        gradients(meta_loss(model, params, b, num_steps=2), params)
        for b in (batch, twice)
    )
    torch.testing.assert_close(one, two, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("part", ["support", "query"])
def test_a_masked_example_has_exactly_zero_influence(part):
    model, params = network()
    batch = waves(masked=True)
    changed = {name: array.copy() for name, array in vars(batch).items()}
    hidden = changed[f"{part}_mask"] == 0
    assert hidden.any()
    changed[f"{part}_x"][hidden] = 4.0
    changed[f"{part}_y"][hidden] = 1e30
    results = []
    for given_batch in (batch, TaskBatch(**changed)):
        loss = meta_loss(model, params, given_batch, num_steps=3)
        results.append((loss, gradients(loss, params)))
    (loss, gradient), (other_loss, other_gradient) = results
    assert torch.equal(loss, other_loss)
    assert torch.equal(gradient, other_gradient)


def test_the_outer_loss_is_measured_on_the_query_set_alone():
    model, params = network()
    batch = waves()
    before = task_losses(model, params, batch, num_steps=0)
    moved = TaskBatch(**{**vars(batch), "support_y": batch.support_y + 1})
    assert torch.equal(before, task_losses(model, params, moved, num_steps=0))
    moved = TaskBatch(**{**vars(batch), "query_y": batch.query_y + 1})
    assert (before != task_losses(model, params, moved, num_steps=0)).all()
