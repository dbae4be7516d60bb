"""Each relative of MAML differs from it where it should, and nowhere else."""

import os
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call

from refimpl.maml import (
    LearnedRates,
    MetaSGD,
    WithContext,
    adapt,
    binary_cross_entropy,
    evaluate,
    meta_loss,
    meta_train,
    mlp,
    mse,
    multi_step_losses,
    only,
    predict,
    reptile_losses,
    task_losses,
)
from refimpl.tasks import SinusoidTasks


def draw(rng):
    return SinusoidTasks().sample(5, 4, 6, rng)


@pytest.fixture
def batch():
    return draw(np.random.default_rng(0))


@pytest.fixture
def model():
    return mlp(1, 8, 8, 1, activation=nn.Tanh, seed=0)


def params_of(model):
    return dict(model.named_parameters())


def support(batch, i=0):
    arrays = (batch.support_x, batch.support_y, batch.support_mask)
    return [torch.as_tensor(array[i]) for array in arrays]


def test_anil_leaves_the_body_bit_for_bit_and_trains_it_all_the_same(model, batch):
    head = only(model, ["4."], 0.1)
    adapted = adapt(model, params_of(model), *support(batch), fast_lr=head, num_steps=3)
    for name, before in model.named_parameters():
        assert (adapted[name] is before) == (not name.startswith("4."))
        assert torch.equal(adapted[name], before) == (not name.startswith("4."))
    meta_loss(model, params_of(model), batch, fast_lr=head).backward()
    assert all(p.grad.abs().sum() > 0 for p in model.parameters())


def test_only_wants_names_that_exist(model):
    with pytest.raises(ValueError, match=r"prefixes: expected beginnings .*'head'"):
        only(model, ["head"], 0.1)
    with pytest.raises(ValueError, match=r"prefixes: expected beginnings .*got \[\]"):
        only(model, [], 0.1)


def test_meta_sgd_has_a_rate_for_every_weight_and_steps_them(model):
    rates = MetaSGD(model, initial=0.01)
    assert {n: r.shape for n, r in rates().items()} == {
        n: p.shape for n, p in model.named_parameters()
    }
    meta_train(model, draw, 2, rates, iterations=3, seed=0)
    for rate in rates().values():
        assert (rate != 0.01).all()


def test_equal_rates_of_meta_sgd_are_plain_maml(model, batch):
    plain = evaluate(model, params_of(model), batch, num_steps=2, fast_lr=0.05)
    rates = MetaSGD(model, initial=0.05)
    same = evaluate(model, params_of(model), batch, num_steps=2, fast_lr=rates)
    np.testing.assert_array_equal(plain, same)


def test_cavia_adapts_the_context_alone_and_never_meta_trains_it():
    model = WithContext(mlp(1 + 3, 8, 1, activation=nn.Tanh, seed=0), size=3)
    rates = only(model, ["context"], 1.0)
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    data = draw(np.random.default_rng(1))
    adapted = adapt(model, params_of(model), *support(data), fast_lr=rates)
    for name in before:
        assert torch.equal(adapted[name], before[name]) == (name != "context")
    meta_train(model, draw, 2, rates, iterations=3, seed=0)
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, before[name]) == (name == "context")


def test_reptiles_gradient_is_start_minus_adapted(model, batch):
    params = params_of(model)
    reptile_losses(model, params, batch, fast_lr=0.1, num_steps=3).mean().backward()
    expected = {n: torch.zeros_like(p) for n, p in params.items()}
    for i in range(len(batch)):
        both = [
            torch.cat(
                [torch.as_tensor(getattr(batch, f"{part}_{a}")[i]) for part in PARTS]
            )
            for a in ("x", "y", "mask")
        ]
        adapted = adapt(model, params, *both, fast_lr=0.1, num_steps=3)
        for name in params:
            expected[name] += (params[name] - adapted[name]).detach() / len(batch)
    for name, parameter in params.items():
        torch.testing.assert_close(parameter.grad, expected[name], rtol=1e-4, atol=1e-6)


PARTS = ("support", "query")


def test_reptile_takes_what_was_adapted_for_a_constant(model, batch):
    # Else rates would be learned, and best at 0: nobody moves, no distance.
    rates = LearnedRates(model, initial=0.1)
    params = params_of(model)
    reptile_losses(model, params, batch, fast_lr=rates).mean().backward()
    assert rates.log_rates.grad is None
    assert all(p.grad is not None for p in params.values())


def test_reptile_with_one_step_descends_the_mean_loss(model, batch):
    """Theta - theta' = alpha grad L: one step of Reptile is joint training."""
    params = params_of(model)
    reptile_losses(model, params, batch, fast_lr=0.1, num_steps=1).mean().backward()
    x, y = (
        torch.as_tensor(
            np.concatenate([getattr(batch, f"{part}_{a}") for part in PARTS], axis=1)
        ).reshape(-1, 1)
        for a in "xy"
    )
    loss = mse(functional_call(model, params, (x,)), y, torch.ones(len(x)))
    for parameter, own in zip(
        params.values(), torch.autograd.grad(loss, [*params.values()]), strict=True
    ):
        torch.testing.assert_close(parameter.grad, 0.1 * own, rtol=1e-4, atol=1e-6)


def test_the_multi_step_loss_is_the_mean_over_steps(model, batch):
    settings = {"num_steps": 3, "fast_lr": 0.05}
    losses = multi_step_losses(model, params_of(model), batch, **settings)
    expected = evaluate(model, params_of(model), batch, **settings)[1:].mean(axis=0)
    np.testing.assert_allclose(losses.detach(), expected, rtol=1e-5)


def test_meta_train_minimizes_the_objective_it_is_given(model):
    data = draw(np.random.default_rng(9))
    before = evaluate(model, params_of(model), data, num_steps=2, fast_lr=0.02)[-1]
    meta_train(
        model, draw, 2, 0.02, 0.01, iterations=60, seed=0, objective=multi_step_losses
    )
    after = evaluate(model, params_of(model), data, num_steps=2, fast_lr=0.02)[-1]
    assert after.mean() < before.mean()


def test_binary_cross_entropy_by_hand():
    logits = torch.tensor([[0.0], [np.log(3.0)], [50.0]])
    loss = binary_cross_entropy(
        logits, torch.tensor([[1.0], [0.0], [0.0]]), torch.tensor([1.0, 1.0, 0.0])
    )
    assert loss.item() == pytest.approx((np.log(2) + np.log(4)) / 2)
    nothing = binary_cross_entropy(logits, torch.zeros(3, 1), torch.zeros(3))
    assert nothing.item() == 0


def test_what_is_masked_has_no_influence_even_if_it_is_no_number():
    target, mask = torch.ones(2, 1), torch.tensor([1.0, 0.0])
    for loss_fn in (mse, binary_cross_entropy):
        prediction = torch.tensor([[0.5], [np.nan]], requires_grad=True)
        loss = loss_fn(prediction, target, mask)
        loss.backward()
        assert loss.isfinite()
        assert prediction.grad[0] != 0
        assert prediction.grad[1] == 0


def test_steps_that_run_away_are_told(model, batch):
    with pytest.warns(RuntimeWarning, match=r"not finite for \d of 5 tasks, from step"):
        predict(model, params_of(model), batch, num_steps=60, fast_lr=1e12)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        predict(model, params_of(model), batch, num_steps=20, fast_lr=0.01)


@pytest.mark.parametrize("track", [True, False])
def test_batch_normalization_is_refused(batch, track):
    model = nn.Sequential(
        nn.Linear(1, 4), nn.BatchNorm1d(4, track_running_stats=track), nn.Linear(4, 1)
    )
    with pytest.raises(ValueError, match=r"no batch normalization \(1\).*LayerNorm"):
        meta_loss(model, params_of(model), batch)


def test_trained_batch_statistics_are_constants_and_stay(batch):
    model = nn.Sequential(nn.Linear(1, 4), nn.BatchNorm1d(4), nn.Linear(4, 1)).eval()
    before = {n: b.clone() for n, b in model.named_buffers()}
    meta_loss(model, params_of(model), batch).backward()
    assert all(torch.equal(b, before[n]) for n, b in model.named_buffers())


def test_dropout_draws_from_the_seed_and_leaves_the_global_state(batch):
    results = []
    for global_seed in (1, 2):
        torch.manual_seed(global_seed)
        expected = torch.random.get_rng_state()
        model = nn.Sequential(mlp(1, 8, seed=0), nn.Dropout(0.5), mlp(8, 1, seed=1))
        results.append(meta_train(model, draw, 1, iterations=3, seed=4).loss)
        assert torch.equal(torch.random.get_rng_state(), expected)
    assert results[0] == results[1]


def test_evaluation_mode_and_no_grad_change_nothing_without_dropout(model, batch):
    expected = adapt(model, params_of(model), *support(batch), num_steps=2)
    model.eval()
    with torch.no_grad():
        got = adapt(model, params_of(model), *support(batch), num_steps=2)
    assert all(torch.equal(expected[n], got[n]) for n in expected)


class Tied(nn.Module):
    """Two layers that share one weight."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(1, 1), nn.Linear(1, 1)
        self.second.weight = self.first.weight

    def forward(self, x):
        return self.second(self.first(x))


def test_tied_parameters_adapt_as_one(batch):
    torch.manual_seed(0)
    model = Tied().double()
    x, y, mask = (array.double() for array in support(batch))
    adapted = adapt(model, params_of(model), x, y, mask, fast_lr=0.1)
    assert set(adapted) == {"first.weight", "first.bias", "second.bias"}
    loss = mse(model(x), y, mask)
    (gradient,) = torch.autograd.grad(loss, [model.first.weight])
    torch.testing.assert_close(
        adapted["first.weight"], model.first.weight - 0.1 * gradient
    )


def test_frozen_parameters_hold_still_unless_a_dict_moves_them(model, batch):
    model[0].weight.requires_grad_(False)
    before = model[0].weight.clone()
    each = {name: torch.tensor(0.1) for name in params_of(model)}
    for kind in (LearnedRates, MetaSGD):
        rates = kind(model, 0.1)
        assert rates()["0.weight"] is None
        for fast_lr, still in ((0.1, True), (rates, True), (each, False)):
            adapted = adapt(model, params_of(model), *support(batch), fast_lr=fast_lr)
            assert torch.equal(adapted["0.weight"], before) is still
            assert not torch.equal(adapted["0.bias"], model[0].bias)
        meta_train(model, draw, 1, rates, iterations=2, seed=0)
    assert torch.equal(model[0].weight, before)
    assert not torch.equal(model[2].weight, mlp(1, 8, 8, 1, seed=0)[2].weight)


def test_a_model_of_which_nothing_would_adapt_is_refused(model, batch):
    model.requires_grad_(False)
    with pytest.raises(ValueError, match="fast_lr: expected a rate for some parameter"):
        evaluate(model, params_of(model), batch)
    assert np.isfinite(evaluate(model, params_of(model), batch, num_steps=0)).all()


def test_compiled_steps_equal_eager_ones():
    runs = []
    for compile in (False, True):
        model = mlp(1, 4, 1, activation=nn.Tanh, seed=0)
        rates = LearnedRates(model, initial=0.05)
        history = meta_train(
            model, draw, 2, rates, iterations=4, seed=0, compile=compile
        )
        runs.append((history.loss, [*model.parameters(), *rates.parameters()]))
    np.testing.assert_allclose(runs[0][0], runs[1][0], rtol=1e-5)
    for eager, compiled in zip(runs[0][1], runs[1][1], strict=True):
        torch.testing.assert_close(eager, compiled, rtol=1e-4, atol=1e-6)


def test_without_a_compiler_compile_says_so(tmp_path):
    program = (
        "from refimpl.maml import meta_train, mlp\n"
        "from refimpl.tasks import SinusoidTasks\n"
        "meta_train(mlp(1, 3, 1, seed=0), lambda rng: SinusoidTasks().sample("
        "2, 2, 2, rng), 1, iterations=2, seed=0, compile=True)\n"
    )
    environment = os.environ | {
        "CXX": "no-such-compiler",
        "TORCHINDUCTOR_CACHE_DIR": str(tmp_path),
        "PATH": os.path.dirname(sys.executable),
    }
    run = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True
    )
    assert "RuntimeError: compile: PyTorch could not compile the step." in run.stderr


def test_memory_stays_flat_over_iterations(model):
    """No graph and no tensor outlives its iteration."""
    import gc

    def tensors():
        gc.collect()
        return sum(issubclass(type(o), torch.Tensor) for o in gc.get_objects())

    counts = []
    meta_train(
        model,
        draw,
        2,
        iterations=30,
        seed=0,
        validate=lambda: counts.append(tensors()) or 0.0,
        validate_every=10,
    )
    assert counts[1] == counts[2]


def test_both_types_of_float_are_kept(batch):
    for dtype in (torch.float32, torch.float64):
        model = mlp(1, 4, 1, seed=0).to(dtype)
        losses = task_losses(model, params_of(model), batch, num_steps=2)
        assert losses.dtype == dtype


def test_the_multi_step_loss_wants_a_step():
    with pytest.raises(ValueError, match="num_steps: expected at least 1, got 0"):
        multi_step_losses(None, {}, None, num_steps=0)
