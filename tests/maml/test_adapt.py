"""adapt is a pure function, and says what is wrong with its arguments."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call

from refimpl.maml import LearnedRates, adapt, inner_loop, meta_loss, mlp, mse
from refimpl.tasks import SinusoidTasks


@pytest.fixture
def model():
    return mlp(1, 6, 1, seed=0)


@pytest.fixture
def support():
    batch = SinusoidTasks().sample(1, 5, 5, np.random.default_rng(0))
    return [torch.as_tensor(array[0]) for array in [*vars(batch).values()][:3]]


@pytest.mark.parametrize(("given", "alpha"), [({"fast_lr": 0.1}, 0.1), ({}, 0.01)])
def test_one_step_is_theta_minus_alpha_times_the_gradient(model, support, given, alpha):
    params = dict(model.named_parameters())
    x, y, mask = support
    loss = mse(model(x), y, mask)
    steps = torch.autograd.grad(loss, [*params.values()])
    adapted = adapt(model, params, *support, **given)
    for (name, theta), step in zip(params.items(), steps, strict=True):
        torch.testing.assert_close(adapted[name], theta - alpha * step)


def test_steps_compose(model, support):
    params = dict(model.named_parameters())
    once = adapt(model, params, *support, num_steps=2)
    twice = adapt(model, once, *support, num_steps=3)
    at_once = adapt(model, params, *support, num_steps=5)
    for name in params:
        torch.testing.assert_close(twice[name], at_once[name])


def test_no_steps_return_the_parameters_themselves(model, support):
    params = dict(model.named_parameters())
    assert adapt(model, params, *support, num_steps=0) is params


def test_the_models_own_parameters_are_untouched(model, support):
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    params = {name: p.detach() + 1 for name, p in model.named_parameters()}
    adapt(model, params, *support, fast_lr=0.5, num_steps=3)
    for name, p in model.named_parameters():
        assert torch.equal(p, before[name])
        assert p.grad is None


def test_an_empty_support_set_leaves_the_parameters_where_they_are(model, support):
    params = dict(model.named_parameters())
    x, y, mask = support
    adapted = adapt(model, params, x, y, torch.zeros_like(mask), num_steps=3)
    assert all(torch.equal(adapted[name], params[name]) for name in params)


def test_each_parameter_steps_at_its_own_rate(model, support):
    params = dict(model.named_parameters())
    rates = {name: torch.tensor(0.0) for name in params} | {"2.bias": torch.tensor(0.3)}
    adapted = adapt(model, params, *support, fast_lr=rates)
    moved = [name for name in params if not torch.equal(adapted[name], params[name])]
    assert moved == ["2.bias"]


def test_it_works_under_no_grad_and_gives_the_same_numbers(model, support):
    params = dict(model.named_parameters())
    tracked = adapt(model, params, *support, num_steps=2)
    with torch.no_grad():
        silent = adapt(model, params, *support, num_steps=2)
    for name in params:
        assert torch.equal(tracked[name], silent[name])
        assert not silent[name].requires_grad


def test_bad_arguments_are_named(model, support):
    params = dict(model.named_parameters())
    with pytest.raises(ValueError, match="num_steps: expected at least 0, got -1"):
        adapt(model, params, *support, num_steps=-1)
    with pytest.raises(TypeError, match="num_steps: expected an integer, got 1.5"):
        adapt(model, params, *support, num_steps=1.5)
    with pytest.raises(ValueError, match="fast_lr: expected at least 0, got -0.1"):
        adapt(model, params, *support, fast_lr=-0.1)
    with pytest.raises(TypeError, match="fast_lr: expected a number, got None"):
        adapt(model, params, *support, fast_lr=None)

    rates = {name: torch.tensor(0.1) for name in params}
    fewer = {name: rates[name] for name in params if name != "0.bias"}
    with pytest.raises(ValueError, match=r"fast_lr: .*\['0.bias'\]"):
        adapt(model, params, *support, fast_lr=fewer)
    with pytest.raises(ValueError, match=r"fast_lr: .* 0.bias or \(6,\), got \(5, 6\)"):
        adapt(model, params, *support, fast_lr=rates | {"0.bias": torch.ones(5, 6)})
    with pytest.raises(ValueError, match=r"fast_lr: .* 0.bias or \(6,\), got \(4,\)"):
        adapt(model, params, *support, fast_lr=rates | {"0.bias": torch.ones(4)})


def test_parameters_that_are_missing_or_misspelled_are_refused(model, support):
    # functional_call would quietly take the model's own in their place.
    params = dict(model.named_parameters())
    renamed = {name.replace("0.", "first."): p for name, p in params.items()}
    fewer = {name: params[name] for name in params if name != "0.bias"}
    for wrong in (renamed, fewer):
        with pytest.raises(ValueError, match=r"params: expected the model's own names"):
            adapt(model, wrong, *support)


def test_learned_rates_can_be_given_as_they_are(model, support):
    params = dict(model.named_parameters())
    rates = LearnedRates(model, initial=0.3)
    one, two = (adapt(model, params, *support, fast_lr=r) for r in (rates, rates()))
    assert all(torch.equal(one[name], two[name]) for name in params)


def test_a_target_that_would_broadcast_is_refused(model, support):
    x, y, mask = support
    with pytest.raises(ValueError, match="prediction, target: expected the same shape"):
        adapt(model, dict(model.named_parameters()), x, y[:, 0], mask)
    with pytest.raises(ValueError, match="mask: expected shape"):
        adapt(model, dict(model.named_parameters()), x, y, mask[:-1])


def test_mse_by_hand():
    prediction = torch.tensor([[1.0, 2.0], [3.0, 5.0], [7.0, 7.0]])
    target = torch.tensor([[0.0, 2.0], [3.0, 2.0], [0.0, 0.0]])
    mask = torch.tensor([1.0, 1.0, 0.0])
    assert mse(prediction, target, mask).item() == (1 + 0 + 0 + 9) / 4
    assert mse(prediction, target, torch.zeros(3)).item() == 0


def test_numpy_batches_take_the_parameters_type():
    model = nn.Linear(1, 1).double()
    batch = SinusoidTasks().sample(2, 3, 3, np.random.default_rng(0))
    loss = meta_loss(model, dict(model.named_parameters()), batch)
    assert loss.dtype == torch.float64


def test_inner_loop_has_the_settings_of_adapt(model, support):
    """One step of 0.01, with second derivatives, if one says nothing."""
    params = dict(model.named_parameters())
    *_, last = inner_loop(model, params, *support)
    adapted = adapt(model, params, *support, num_steps=1, fast_lr=0.01)
    x, y, mask = support
    gradients = [
        torch.autograd.grad(
            mse(functional_call(model, own, (x,)), y, mask), [*params.values()]
        )
        for own in (last, adapted)
    ]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)
