"""Inner rules and rates for each step, against PyTorch's own optimizers."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call

from refimpl.maml import (
    EachStep,
    LearnedRates,
    MetaSGD,
    adapt,
    clipped,
    evaluate,
    meta_loss,
    meta_train,
    mlp,
    momentum,
    mse,
    multi_step_losses,
    predict,
    sgd,
    task_losses,
)
from refimpl.tasks import SinusoidTasks

RULES = {
    "momentum": momentum(0.9),
    "clipped": clipped(0.5),
    "clipped momentum": clipped(0.5, momentum(0.5)),
}


def draw(rng):
    return SinusoidTasks().sample(3, 5, 6, rng)


@pytest.fixture
def model():
    return mlp(1, 6, 1, activation=nn.Tanh, seed=0).double()


@pytest.fixture
def batch():
    return draw(np.random.default_rng(0)).map(lambda a: a.astype(np.float64))


def params_of(model):
    return dict(model.named_parameters())


def support(batch, i=0):
    arrays = (batch.support_x, batch.support_y, batch.support_mask)
    return [torch.as_tensor(array[i]) for array in arrays]


@pytest.mark.parametrize(
    ("rule", "beta", "max_norm"),
    [
        (sgd, 0.0, None),
        (momentum(), 0.9, None),
        (clipped(0.5), 0.0, 0.5),
        (clipped(0.5, momentum(0.7)), 0.7, 0.5),
    ],
)
def test_a_rule_is_pytorchs_optimizer(model, batch, rule, beta, max_norm):
    given, start = support(batch), params_of(model)
    adapted = adapt(model, start, *given, fast_lr=0.1, num_steps=4, rule=rule)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=beta)
    scaled = 0
    for _ in range(4):
        optimizer.zero_grad()
        x, y, mask = given
        mse(model(x), y, mask).backward()
        if max_norm:
            norm = nn.utils.clip_grad_norm_(model.parameters(), max_norm)
            scaled += norm > max_norm
        optimizer.step()
    assert scaled or not max_norm  # otherwise nothing was clipped
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(adapted[name], parameter, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_the_meta_gradient_goes_through_the_rule(model, batch, rule):
    inner = {"fast_lr": 0.1, "num_steps": 3, "rule": rule}
    params = params_of(model)
    loss = meta_loss(model, params, batch, **inner)
    gradients = torch.autograd.grad(loss, [*params.values()])
    directions = [torch.ones_like(g) for g in gradients]
    slope = sum((g * d).sum() for g, d in zip(gradients, directions, strict=True))

    def at(step):
        moved = {n: p.detach() + step for n, p in params.items()}
        return meta_loss(model, moved, batch, **inner).item()

    numeric = (at(1e-5) - at(-1e-5)) / 2e-5
    assert abs(slope.item() - numeric) < 1e-7 * max(1, abs(numeric))


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_each_task_has_a_memory_of_its_own_and_predict_keeps_it(model, batch, rule):
    inner = {"fast_lr": 0.1, "rule": rule}
    params = params_of(model)
    at_once = predict(model, params, batch, num_steps=3, **inner)
    for step in range(4):
        for i in range(3):
            own = adapt(model, params, *support(batch, i), num_steps=step, **inner)
            x = torch.as_tensor(batch.query_x[i])
            alone = functional_call(model, own, (x,)).detach().numpy()
            np.testing.assert_allclose(at_once[step, i], alone, rtol=1e-10)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_nothing_known_moves_nothing_and_has_a_gradient(model, batch, rule):
    batch.support_mask[:] = 0
    params = params_of(model)
    loss = meta_loss(model, params, batch, num_steps=2, rule=rule)
    loss.backward()
    assert loss == meta_loss(model, params, batch, num_steps=0)
    assert all(p.grad.isfinite().all() for p in params.values())


@pytest.mark.parametrize("kind", [LearnedRates, MetaSGD])
def test_each_step_has_rates_of_its_own(model, batch, kind):
    params, given = params_of(model), support(batch)
    rates = EachStep(kind, 2, model, 0.1).double()
    with torch.no_grad():
        for p in rates.steps[1].parameters():
            p.fill_(np.log(0.3) if kind is LearnedRates else 0.3)
    one = adapt(model, params, *given, fast_lr=0.1)
    two = adapt(model, one, *given, fast_lr=0.3)
    for fast_lr in (rates, [0.1, 0.3], [0.1, {n: 0.3 for n in params}]):
        both = adapt(model, params, *given, fast_lr=fast_lr, num_steps=2)
        for name in params:
            torch.testing.assert_close(both[name], two[name])
    first = adapt(model, params, *given, fast_lr=rates)
    for name in params:
        torch.testing.assert_close(first[name], one[name])
    with pytest.raises(ValueError, match="fast_lr: expected rates for 3 steps or more"):
        predict(model, params, batch, num_steps=3, fast_lr=rates)


def test_rates_of_each_step_are_learned(model):
    rates = EachStep(LearnedRates, 2, model, 0.1)
    before = [p.detach().clone() for p in rates.parameters()]
    meta_train(model.float(), draw, 2, rates, iterations=3, seed=0)
    for p, old in zip(rates.parameters(), before, strict=True):
        assert (p != old).all()
    assert not torch.equal(*rates.parameters())


def test_everything_that_adapts_takes_the_rule(model, batch):
    params = params_of(model)
    inner = {"fast_lr": 0.1, "num_steps": 2}
    for function in (task_losses, multi_step_losses, evaluate):
        plain, ruled = (
            np.asarray(function(model, params, batch, **inner, **rule).tolist())
            for rule in ({}, {"rule": clipped(0.1)})
        )
        assert (plain != ruled).any()
    models = [mlp(1, 6, 1, seed=0) for _ in range(2)]
    losses = [
        meta_train(own, draw, 2, 0.1, iterations=2, seed=0, rule=rule).loss
        for own, rule in zip(models, (sgd, clipped(0.1)), strict=True)
    ]
    assert losses[0][0] != losses[1][0]


def test_bad_rules_are_named():
    with pytest.raises(ValueError, match="beta: expected 0 to 1, got 1.5"):
        momentum(1.5)
    with pytest.raises(ValueError, match="max_norm: expected more than 0, got 0"):
        clipped(0)
    with pytest.raises(ValueError, match="num_steps: expected at least 1, got 0"):
        EachStep(LearnedRates, 0, mlp(1, 2, 1, seed=0), 0.1)


def test_a_rate_whose_value_is_not_known_is_taken(model, batch):
    """Under vmap over rates, and under grad: several rates, tried side by side."""

    def loss(rate):
        return task_losses(model, params_of(model), batch, fast_lr=rate).mean()

    rates = torch.tensor([0.01, 0.1], dtype=torch.float64)
    several = torch.func.vmap(loss)(rates)
    torch.testing.assert_close(several, torch.stack([*map(loss, rates)]))
    assert torch.func.grad(loss)(rates[0]).isfinite()
