"""Choosing questions through what the answers are for: by hand, on a made-up bank."""

import math

import numpy as np
import pytest
import torch

from refimpl.asking import (
    asking_losses,
    asking_network,
    choose,
    learn_to_ask,
    numpy_rule,
    posterior_means,
)

ITEMS = 8
# Two abilities, equally likely; the last two items tell them apart, the others nothing.
RIGHT = np.full((2, ITEMS), 0.5)
RIGHT[:, 6:] = [[0.1, 0.2], [0.9, 0.8]]
LOGS = np.stack([np.log(1 - RIGHT), np.log(RIGHT)], axis=1)
PRIOR = np.log([0.5, 0.5])


def students(rng, count=64):
    able = rng.integers(0, 2, count)
    correct = (rng.random((count, ITEMS)) < RIGHT[able]).astype(np.float32)
    # What depends on ability is asked about a twin of the last item.
    target = np.zeros((count, ITEMS), bool)
    target[:, 7] = True
    return correct, ~target, target


def tensors(*arrays):
    return [torch.as_tensor(np.asarray(a)).float() for a in arrays]


def test_posterior_by_hand():
    correct = np.array([[1.0] * ITEMS])
    asked = np.zeros((1, ITEMS))
    logs, prior = tensors(LOGS, PRIOR)
    p = posterior_means(*tensors(asked, correct), logs, prior)
    np.testing.assert_allclose(p[0], [0.5] * ITEMS, rtol=1e-5)
    asked[0, 6] = 1  # right: 9 to 1 for the able
    p = posterior_means(*tensors(asked, correct), logs, prior)
    np.testing.assert_allclose(p[0, 7], 0.9 * 0.8 + 0.1 * 0.2, rtol=1e-5)
    p = posterior_means(*tensors(asked, 0 * correct), logs, prior)
    np.testing.assert_allclose(p[0, 7], 0.1 * 0.8 + 0.9 * 0.2, rtol=1e-5)


def test_the_gradient_goes_through_the_adaptation():
    """d loss / d asked, by finite differences in float64."""
    correct = torch.ones(1, ITEMS, dtype=torch.float64)
    logs, prior = (torch.as_tensor(a) for a in (LOGS, PRIOR))

    def loss(asked):
        return -posterior_means(asked, correct, logs, prior)[0, 7].log()

    asked = torch.zeros(1, ITEMS, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(loss(asked), asked)
    for j in range(ITEMS):
        step = torch.zeros(1, ITEMS, dtype=torch.float64)
        step[0, j] = 1e-6
        slope = (loss(asked + step) - loss(asked - step)) / 2e-6
        assert abs(slope.item() - gradient[0, j].item()) < 1e-6
    assert gradient[0, 6] < -0.5
    assert (gradient[0, :6].abs() < 1e-12).all()


def test_one_allowed_question_is_asked_and_it_has_a_gradient():
    network = asking_network(ITEMS, width=4, seed=0)
    state, allowed = torch.zeros(3, ITEMS), torch.ones(3, ITEMS)
    allowed[:, ::2] = 0
    step = choose(network, state, allowed, None)
    np.testing.assert_allclose(step.detach().sum(dim=1), 1, atol=1e-6)
    assert (step.detach() * (1 - allowed)).abs().max() < 1e-6
    (step * torch.arange(ITEMS)).sum().backward()
    assert all(p.grad.isfinite().all() for p in network.parameters())


def test_no_question_is_asked_twice_and_the_target_never():
    correct, allowed, target = students(np.random.default_rng(0))
    seen = []

    class Spy(torch.nn.Module):
        def forward(self, state):
            seen.append(state.detach().abs())
            return torch.zeros_like(state)

    logs, prior = tensors(LOGS, PRIOR)
    losses = asking_losses(
        Spy(), *tensors(correct, allowed, target), logs, prior, questions=7
    )
    assert losses.shape == (7, 64)
    assert [round(float(s.sum())) for s in seen] == [64 * t for t in range(7)]
    assert max(s.max() for s in seen) <= 1 + 1e-6
    assert (seen[-1][:, 7] == 0).all()


def test_it_learns_to_ask_what_tells_and_is_the_same_in_numpy():
    network = asking_network(ITEMS, width=16, seed=0)
    learn_to_ask(
        network, students, LOGS, PRIOR, 2, iterations=80, learning_rate=0.01, seed=0
    )
    rule = numpy_rule({n: p.detach().numpy() for n, p in network.named_parameters()})
    correct, allowed, _ = students(np.random.default_rng(1))
    nothing = np.zeros((64, 0), int)
    items = rule(nothing, nothing, allowed, None)
    assert (items == 6).all()  # the only one that tells
    allowed[:, 6] = False
    answers = np.take_along_axis(correct, items[:, None], axis=1)
    second = rule(items[:, None], answers, allowed, None)
    state = np.zeros((64, ITEMS), np.float32)
    state[:, 6] = 2 * answers[:, 0] - 1
    with torch.no_grad():
        made = network(torch.as_tensor(state)).numpy()
    np.testing.assert_array_equal(
        second, np.where(allowed, made, -np.inf).argmax(axis=1)
    )


def test_the_same_seed_gives_the_same_policy():
    made = []
    for _ in range(2):
        network = asking_network(ITEMS, width=8, seed=3)
        made.append(
            learn_to_ask(network, students, LOGS, PRIOR, 2, iterations=5, seed=1)
        )
    assert made[0] == made[1]
    assert math.isfinite(made[0][-1])


def test_a_loss_that_is_not_finite_stops():
    logs = LOGS.copy()
    logs[0, 0] = np.nan
    with pytest.raises(FloatingPointError, match="iteration 0: the loss is nan"):
        learn_to_ask(
            asking_network(ITEMS, width=4, seed=0), students, logs, PRIOR, 2,
            iterations=3, seed=0,
        )  # fmt: skip
