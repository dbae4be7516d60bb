"""What an engineer tried who wanted to break it: right, or a clear no."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812, as PyTorch has it

from refimpl.maml import (
    EachStep,
    KeepBest,
    LearnedRates,
    adapt,
    cross_entropy,
    evaluate,
    load_tensors,
    meta_train,
    mlp,
    mse,
    over_tasks,
    reptile_losses,
    task_losses,
)
from refimpl.tasks import SinusoidTasks, TaskBatch


def draw(rng):
    return SinusoidTasks().sample(4, 3, 3, rng)


def start():
    return mlp(1, 6, 1, activation=nn.Tanh, seed=0)


def run(model=None, **changes):
    given = {"tasks": draw, "num_steps": 2, "iterations": 3, "seed": 0} | changes
    return meta_train(model or start(), **given)


def params_of(model):
    return dict(model.named_parameters())


@pytest.fixture
def batch():
    return draw(np.random.default_rng(0))


SETTINGS = SimpleNamespace(scale=1.0)
SCALE = 1.0


def by_global(prediction, target, mask):
    return SCALE * mse(prediction, target, mask)


def test_compiled_steps_see_what_a_loss_takes_from_outside(monkeypatch):
    def outside(prediction, target, mask):
        return SETTINGS.scale * by_global(prediction, target, mask)

    def halfway(history):
        if len(history.loss) == 2:
            monkeypatch.setattr(SETTINGS, "scale", 9.0)
        if len(history.loss) == 3:
            monkeypatch.setitem(globals(), "SCALE", 9.0)

    losses = []
    for compile in (False, True):
        monkeypatch.undo()
        how = {"iterations": 4, "compile": compile, "callback": halfway}
        losses.append(run(loss_fn=outside, num_steps=1, **how).loss)
    np.testing.assert_allclose(*losses, rtol=1e-5)
    assert losses[0][3] > 3 * losses[0][2] > 9 * losses[0][1]


def test_many_compiled_runs_in_one_process_are_all_compiled():
    config = torch._dynamo.config
    with config.patch(recompile_limit=1, fail_on_recompile_limit_hit=True):
        for _ in range(2):
            run(num_steps=1, iterations=2, compile=True)


def test_what_has_no_gradient_is_left_alone_compiled_or_not():
    class Unused(nn.Module):
        def __init__(self):
            super().__init__()
            self.net, self.unused = start(), nn.Parameter(torch.ones(3))

        def forward(self, x):
            return self.net(x)

    decaying = partial(torch.optim.AdamW, weight_decay=0.5)
    for compile in (False, True):
        model = Unused()
        rates = EachStep(LearnedRates, num_steps=2, model=model, initial=0.1)
        late = rates.steps[1].log_rates.detach().clone()
        run(model, fast_lr=rates, num_steps=1, optimizer=decaying, compile=compile)
        assert torch.equal(model.unused, torch.ones(3))
        assert torch.equal(rates.steps[1].log_rates, late)


class Functional(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.linear, self.function = nn.Linear(1, 6), function
        self.weight, self.bias = (
            nn.Parameter(torch.ones(6)),
            nn.Parameter(torch.ones(6)),
        )

    def forward(self, x):
        return self.function(self.linear(x), self.weight, self.bias)[:, :1]


@pytest.mark.parametrize(
    "function",
    [
        lambda x, w, b: torch.layer_norm(x, (6,), w, b),
        lambda x, w, b: torch.native_layer_norm(x, (6,), w, b, 1e-5)[0],
        lambda x, w, b: torch.instance_norm(
            x[None], None, None, None, None, True, 0.1, 1e-5, False
        )[0],
        lambda x, w, b: torch.embedding(w[:, None], torch.zeros(len(x), 1).long(), 0)[
            :, 0
        ],
    ],
)
def test_functions_whose_second_derivatives_are_wrong_are_refused(function, batch):
    model = Functional(function)
    with pytest.raises(ValueError, match="model: expected layer_norm, instance_norm"):
        task_losses(model, params_of(model), batch)


def classes(label, observed, dtype=np.float32):
    """Two tasks of three classes, one label of which is ``label``."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 4, 1)).astype(dtype)
    y, mask = rng.integers(3, size=(2, 4)), np.ones((2, 4), dtype)
    y[1, 1], mask[1, 1] = label, observed
    return TaskBatch(x, y, mask, x, y, mask)


@pytest.mark.parametrize("label", [-1, -100, 3])
def test_a_label_that_is_no_class_counts_only_where_it_is_hidden(label):
    how = {"loss_fn": cross_entropy, "num_steps": 1}
    hidden, zero = (
        run(mlp(1, 3, seed=0), tasks=lambda rng, n=n: classes(n, 0), **how).loss
        for n in (label, 0)
    )
    assert hidden == zero
    with pytest.raises(FloatingPointError, match=r"for tasks \[1\]"):
        run(mlp(1, 3, seed=0), tasks=lambda rng: classes(label, 1), **how)


def test_compiled_steps_find_a_label_that_is_no_class():
    batches = iter([classes(0, 1), classes(0, 1), classes(3, 1)])
    how = {"loss_fn": cross_entropy, "num_steps": 1, "compile": True}
    with pytest.raises(FloatingPointError, match=r"iteration 2, for tasks \[1\]"):
        run(mlp(1, 3, seed=0), tasks=lambda rng: next(batches), **how)


@pytest.mark.parametrize(
    ("loss_fn", "message"),
    [
        (lambda p, t, m: mse(p.detach(), t, m), "loss_fn: expected a result with a"),
        (lambda p, t, m: (p.argmax() == 0).float(), "loss_fn: expected a result with"),
        (lambda p, t, m: F.mse_loss(p, t), "loss_fn: expected an example whose mask"),
        (partial(F.cross_entropy, label_smoothing=0.0), "loss_fn: .* take no mask"),
    ],
)
def test_losses_that_cannot_adapt_or_see_padding_are_refused(loss_fn, message, batch):
    model = start()
    for call in (
        lambda: evaluate(model, params_of(model), batch, loss_fn),
        lambda: run(model, loss_fn=loss_fn),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_a_metric_of_pytorchs_and_a_model_without_gradient_are_refused(batch):
    model = start()
    with pytest.raises(ValueError, match=r"metric: .* PyTorch's losses take no mask"):
        evaluate(model, params_of(model), batch, metric=F.mse_loss)
    silent = nn.Sequential(start())
    silent[0].forward = torch.no_grad()(silent[0].forward)
    with pytest.raises(ValueError, match="model: expected a result with a gradient"):
        evaluate(silent, params_of(silent), batch)


@pytest.mark.parametrize("seed", range(4))
def test_a_transformer_in_bfloat16_knows_each_example_alone(seed):
    torch.manual_seed(seed)
    layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)
    model = nn.Sequential(
        nn.Linear(1, 16),
        nn.Unflatten(1, (1, 16)),
        layer,
        nn.Flatten(),
        nn.Linear(16, 1),
    )
    history = run(model.bfloat16(), iterations=1, num_steps=1)
    assert np.isfinite(history.loss).all()


def test_a_frozen_layer_of_another_type_does_not_round_the_data(batch):
    model = nn.Sequential(
        start(), Cast(), nn.Linear(1, 1).bfloat16(), Cast(torch.float)
    )
    model[2].requires_grad_(False)
    expected = task_losses(model, params_of(model), batch, num_steps=2).mean().item()
    assert run(model, iterations=1, tasks=lambda rng: batch).loss == [expected]


class Cast(nn.Module):
    def __init__(self, kind=torch.bfloat16):
        super().__init__()
        self.kind = kind

    def forward(self, x):
        return x.to(self.kind)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"objective": lambda *a, **k: task_losses(*a, **k).mean()}, TypeError, "obj"),
        (
            {"objective": lambda *a, **k: [1.0]},
            TypeError,
            "objective: expected a",
        ),
        (
            {"optimizer": "adam"},
            TypeError,
            "optimizer: expected a function",
        ),
        ({"tasks": SinusoidTasks()}, TypeError, "tasks: expected a function, got"),
        ({"model": "net"}, TypeError, "model: expected a torch.nn.Module, got 'net'"),
        (
            {"model": nn.LazyLinear(1)},
            ValueError,
            "model: call it once",
        ),
        (
            {"model": start().requires_grad_(False)},
            ValueError,
            "model: expected a",
        ),
        ({"seed": None}, TypeError, "seed: expected an integer, got None"),
        ({"seed": -1}, ValueError, "seed: expected at least 0, got -1"),
        ({"meta_lr": None}, TypeError, "meta_lr: expected a number, got None"),
        ({"meta_lr": lambda i: [0.1, np.nan][i]}, ValueError, "meta_lr: expected at"),
        ({"meta_lr": 1e38, "iterations": 1}, FloatingPointError, "parameters are not"),
        ({"callback": lambda h: h.loss[-1]}, TypeError, "callback: expected it to ret"),
        ({"checkpoint": "."}, ValueError, "checkpoint: expected a file"),
        ({"rule": lambda *a: ({"weight": 1}, None)}, TypeError, "rule: expected param"),
        ({"rule": lambda p, g, r, m: p}, TypeError, "rule: expected it to return"),
        ({"fast_lr": "0.1"}, TypeError, "fast_lr: expected a number"),
        ({"fast_lr": np.array(0.1)}, None, None),
    ],
)
def test_what_cannot_be_meant_is_named(changes, error, message):
    if error is None:
        assert run(**changes).loss == run(fast_lr=0.1).loss
        return
    model = changes.get("model", start())
    with pytest.raises(error, match=message):
        meta_train(
            **{"tasks": draw, "iterations": 2, "seed": 0} | changes | {"model": model}
        )


@pytest.mark.parametrize("wrong", ["0.1", [0.1], np.ones(3)])
def test_a_rate_in_a_dict_is_a_number(wrong, batch):
    model = start()
    rates = {name: 0.1 for name in params_of(model)} | {"0.bias": wrong}
    with pytest.raises((TypeError, ValueError), match="fast_lr"):
        evaluate(model, params_of(model), batch, fast_lr=rates)


def test_rates_that_an_objective_cannot_train_are_refused():
    model = start()
    with pytest.raises(ValueError, match="fast_lr: expected an objective that trains"):
        run(model, fast_lr=LearnedRates(model, 0.1), objective=reptile_losses)


def test_an_optimizer_of_other_settings_is_another_run(tmp_path):
    def sgd(momentum):
        return lambda p, lr: torch.optim.SGD(p, lr, momentum=momentum)

    path = tmp_path / "run.safetensors"
    run(optimizer=sgd(0.9), checkpoint=path)
    for other in (sgd(0.0), lambda p, lr: torch.optim.Adam(p, lr)):
        with pytest.raises(ValueError, match="made with optimizer=SGD .*0.9"):
            run(optimizer=other, checkpoint=path, iterations=4)


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_error_while_resuming_leaves_the_model_as_it_was(tmp_path, error):
    path = tmp_path / "run.safetensors"
    run(checkpoint=path)
    model = mlp(1, 6, 1, activation=nn.Tanh, seed=1)
    before = [p.detach().clone() for p in model.parameters()]

    def broken(rng):
        raise error

    with pytest.raises(error):
        run(model, tasks=broken, checkpoint=path, iterations=4)
    assert all(map(torch.equal, model.parameters(), before))


def test_no_number_is_never_the_best(tmp_path):
    path, scores = tmp_path / "best.safetensors", iter([np.nan, 3.0, 2.0, np.nan])
    model = start()
    keep = KeepBest(path, 3, model=model)
    how = {"validate": lambda: next(scores), "validate_every": 1, "iterations": 4}
    history = run(model, callback=keep, **how)
    assert len(history.loss) == 4
    assert load_tensors(path)[1] == {"score": 2.0, "iteration": 3}


def test_keeping_wants_a_module_a_folder_and_a_score(tmp_path):
    path = tmp_path / "best.safetensors"
    with pytest.raises(ValueError, match="modules: expected what to keep"):
        KeepBest(path, 3)
    with pytest.raises(FileNotFoundError, match="path: no folder"):
        KeepBest(tmp_path / "nowhere" / "best.safetensors", 3, model=start())
    model = start()
    with pytest.raises(ValueError, match="validate: expected a score for KeepBest"):
        run(model, callback=KeepBest(path, 3, model=model))


def test_a_label_out_of_range_in_a_later_task_is_not_blamed_on_vmap(batch):
    def own_loss(prediction, target, mask):
        if target.max() > 100:
            raise IndexError("too far")
        return mse(prediction, target, mask)

    batch.query_y[2] = 1e3
    model = start()
    with pytest.raises(IndexError, match="too far"):
        task_losses(model, params_of(model), batch, own_loss, vectorize=True)


def test_arrays_that_are_turned_round_are_copied(batch):
    turned = batch.map(lambda array: array[:, ::-1])
    model = start()
    losses = task_losses(model, params_of(model), turned)
    expected = task_losses(model, params_of(model), batch)
    torch.testing.assert_close(losses, expected)
    first = over_tasks(lambda *arrays: arrays[0][0, 0], turned, params_of(model))
    assert torch.equal(first, torch.as_tensor(batch.support_x[:, -1, 0]))


def test_learned_rates_are_as_exact_as_the_model():
    model = start().double()
    x, y = torch.ones(2, 1).double(), torch.ones(2, 1).double()
    given = (model, params_of(model), x, y, torch.ones(2).double())
    one = adapt(*given, fast_lr=0.1)
    other = adapt(*given, fast_lr=LearnedRates(model, 0.1))
    for name, parameter in one.items():
        torch.testing.assert_close(other[name], parameter, rtol=1e-14, atol=1e-16)
