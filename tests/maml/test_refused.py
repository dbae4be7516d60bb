"""What a model or a loss must not do is refused by name, and before the work begins."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812
from torch.nn.utils import parametrizations

from refimpl.maml import (
    accuracy,
    adapt,
    check_model,
    cross_entropy,
    evaluate,
    meta_loss,
    mlp,
    mse,
    multi_step_losses,
    predict,
)
from refimpl.tasks import SinusoidTasks, TaskBatch


@pytest.fixture
def batch():
    return SinusoidTasks().sample(3, 4, 5, np.random.default_rng(0))


class Own(nn.Module):
    """A linear layer, and what a user's ``run`` makes of it, its input and itself."""

    def __init__(self, run):
        super().__init__()
        self.linear, self.run = nn.Linear(1, 1), run
        self.register_buffer("running", torch.zeros(1))

    def forward(self, x):
        return self.run(self, x, self.linear(x))


def everywhere(model, batch, error, match, vectorize, loss_fn=mse):
    """Each function refuses, and leaves the model as it was."""
    params = dict(model.named_parameters())
    before = {name: value.clone() for name, value in model.state_dict().items()}
    how = {"loss_fn": loss_fn, "num_steps": 2, "vectorize": vectorize}
    for function in (meta_loss, multi_step_losses, predict, evaluate):
        with pytest.raises(error, match=match):
            function(model, params, batch, **how)
    task = [torch.as_tensor(array[0]) for array in vars(batch).values()][:3]
    with pytest.raises(error, match=match):
        adapt(model, params, *task, loss_fn)
    after = model.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


@pytest.mark.parametrize("vectorize", [True, False])
@pytest.mark.parametrize(
    ("kind", "run"),
    [
        ("tuple", lambda own, x, y: (y, x)),
        ("list", lambda own, x, y: [y]),
        ("dict", lambda own, x, y: {"mean": y}),
        ("float", lambda own, x, y: 1.0),
        ("NoneType", lambda own, x, y: None),
    ],
)
def test_a_model_that_returns_no_tensor_is_told_what_it_returns(
    kind, run, vectorize, batch
):
    expected = f"^model: expected its forward to return a tensor, got {kind}$"
    everywhere(Own(run), batch, TypeError, expected, vectorize)


def counts(own, x, y):
    own.running += 1
    return y


def averages(own, x, y):
    own.running.mul_(0.9).add_(0.1 * y.mean(0).detach())
    return y


def replaces(own, x, y):
    own.running = 0.9 * own.running + 0.1 * y.mean(0)
    return y - own.running


@pytest.mark.parametrize("vectorize", [True, False])
@pytest.mark.parametrize("run", [counts, averages, replaces])
def test_a_buffer_that_changes_would_leak_from_task_to_task(run, vectorize, batch):
    """Under vmap a replaced one would even stay in the model, with no values."""
    expected = r"^model: expected a forward that changes no buffer, .*\['running'\]"
    everywhere(Own(run), batch, ValueError, expected, vectorize)


@pytest.mark.parametrize("vectorize", [True, False])
def test_spectral_norm_trains_buffers_and_is_taken_in_evaluation(vectorize, batch):
    shared = parametrizations.spectral_norm(nn.Linear(4, 4))
    model = nn.Sequential(nn.Linear(1, 4), shared, nn.Tanh(), shared, nn.Linear(4, 1))
    expected = r"changes no buffer, .*weight.0._u.*model\.eval\(\)"
    everywhere(model, batch, ValueError, expected, vectorize)
    params = dict(model.eval().named_parameters())
    assert predict(model, params, batch, vectorize=vectorize).shape == (2, 3, 5, 1)


@pytest.mark.parametrize("vectorize", [True, False])
def test_a_module_that_is_used_twice_keeps_its_own_parameters(vectorize, batch):
    """torch.func.functional_call would leave the adapted ones behind in it."""
    shared = nn.Linear(4, 4)
    model = nn.Sequential(nn.Linear(1, 4), shared, nn.Tanh(), shared, nn.Linear(4, 1))
    params = dict(model.named_parameters())
    loss = meta_loss(model, params, batch, num_steps=2, vectorize=vectorize)
    predict(model, params, batch, vectorize=vectorize)
    assert shared.weight is params["1.weight"]
    assert isinstance(shared.weight, nn.Parameter)
    loss.backward()
    assert shared.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("vectorize", [True, 2, False])
def test_a_loss_returns_one_number_and_a_users_own_error_comes_alone(vectorize, batch):
    model = mlp(1, 4, 1, seed=0)
    for wrong, got in (
        (lambda p, t, m: (p - t).square(), r"shape \(4, 1\)"),
        (lambda p, t, m: (p - t).square().mean(1, keepdim=True)[0], r"shape \(1,\)"),
        (lambda p, t, m: 1.0, "float"),
    ):
        expected = f"^loss_fn: expected it to return a scalar tensor, got .*{got[:5]}"
        everywhere(model, batch, TypeError, expected, vectorize, wrong)

    def missing(prediction, target, mask):
        raise KeyError("weights")

    with pytest.raises(KeyError, match="weights") as caught:
        meta_loss(model, dict(model.named_parameters()), batch, missing)
    assert caught.value.__context__ is None  # no word of vmap
    wide = batch.map(lambda a: np.repeat(a, 2, axis=2) if a.ndim == 3 else a)
    with pytest.raises(RuntimeError, match=r"^mat1 and mat2 shapes .* \(4x2 and 1x4\)"):
        meta_loss(model, dict(model.named_parameters()), wide, vectorize=vectorize)


def normalized(own, x, y):
    return (x - x.mean(0)) / (x.std(0, correction=0) + 1e-5) * y


def behind(own, x, y):
    """As a recurrent layer would, that takes the examples for times."""
    return y.cumsum(0)


@pytest.mark.parametrize("run", [normalized, behind, lambda own, x, y: y.softmax(0)])
def test_a_prediction_that_depends_on_other_examples_lets_padding_in(run, batch):
    model = Own(run)
    params = dict(model.named_parameters())
    expected = "^model: expected predictions that each depend on their own example"
    for function in (check_model, predict, evaluate):
        with pytest.raises(ValueError, match=expected):
            function(model, params, batch)


def test_a_model_that_knows_each_example_alone_passes_dropout_or_not(batch):
    models = [
        mlp(1, 8, 1, seed=0),
        nn.Sequential(nn.Linear(1, 8), nn.LayerNorm(8), nn.Dropout(), nn.Linear(8, 1)),
        Own(lambda own, x, y: y * torch.as_tensor(np.random.default_rng().random())),
    ]
    for model in models:
        state = torch.get_rng_state()
        check_model(model, dict(model.named_parameters()), batch)
        assert torch.equal(torch.get_rng_state(), state)
    lone = Own(lambda own, x, y: y.mean(0))
    with pytest.raises(
        ValueError, match=r"^model: expected a prediction for each of 9"
    ):
        check_model(lone, dict(lone.named_parameters()), batch)


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"metric": lambda p, t, m: (p - t).square()}, "^metric: expected .* scalar"),
        ({"metric": lambda p, t, m: 1.0}, "^metric: expected .* scalar .* float"),
        ({"metric": accuracy}, "^prediction, target, mask: expected shapes"),
        ({"num_steps": -1}, "^num_steps: expected at least 0"),
        ({"fast_lr": -0.1}, "^fast_lr: expected at least 0"),
        ({"fast_lr": -0.1, "num_steps": 0}, "^fast_lr: expected at least 0"),
        ({"loss_fn": F.mse_loss, "num_steps": 0}, "^loss_fn: expected a function of"),
        ({"vectorize": 0}, "^vectorize: expected at least 1"),
    ],
)
def test_evaluate_checks_before_it_adapts(wrong, match, batch):
    adapted = []

    def loss_fn(prediction, target, mask):
        adapted.append(mask)
        return mse(prediction, target, mask)

    model = mlp(1, 4, 1, seed=0)
    params = dict(model.named_parameters())
    how = {"loss_fn": loss_fn, "metric": mse, "vectorize": False, **wrong}
    with pytest.raises((TypeError, ValueError), match=match):
        evaluate(model, params, batch, **how)
    assert len(adapted) <= 1  # the loss itself is tried
    batch.query_mask[1] = 0
    with pytest.raises(ValueError, match=r"^batch: expected queries"):
        evaluate(model, params, batch, loss_fn=loss_fn)
    assert len(adapted) <= 1  # the loss itself is tried


def test_what_comes_from_bfloat16_is_judged_in_float32():
    """Of 301 right answers bfloat16 makes 302 or 300."""
    rng = np.random.default_rng(0)
    x, mask = rng.normal(size=(2, 301, 1)).astype("f"), np.ones((2, 301), "f")
    model = nn.Linear(1, 2).to(torch.bfloat16)
    params = dict(model.named_parameters())
    y = np.full((2, 301, 2), 300.7, "f")
    batch = TaskBatch(x, y, mask, x, y, mask)
    predictions = predict(model, params, batch, num_steps=0)
    assert predictions.dtype == np.float32
    errors = evaluate(model, params, batch, num_steps=0)
    np.testing.assert_allclose(errors, ((predictions - y) ** 2).mean((2, 3)), rtol=1e-5)
    classes = predictions[0].argmax(axis=2)
    batch = TaskBatch(x, classes, mask, x, classes, mask)
    how = {"loss_fn": cross_entropy, "num_steps": 0, "metric": accuracy}
    np.testing.assert_array_equal(evaluate(model, params, batch, **how), 1)


def test_a_metric_may_leave_pytorch_where_tasks_come_one_by_one(batch):
    def median(prediction, target, mask):
        error = np.abs(prediction.numpy() - target.numpy())[mask.numpy() == 1]
        return torch.as_tensor(np.median(error))

    model = mlp(1, 4, 1, seed=0)
    params = dict(model.named_parameters())
    batch.query_mask[0, 2:] = 0
    found = evaluate(model, params, batch, metric=median, vectorize=False)
    predictions = predict(model, params, batch, vectorize=False)
    for i in range(3):
        error = np.abs(predictions[:, i] - batch.query_y[i])[
            :, batch.query_mask[i] == 1
        ]
        np.testing.assert_allclose(
            found[:, i], np.median(error, axis=(1, 2)), rtol=1e-6
        )
    with pytest.raises(RuntimeError, match=r"metric: PyTorch cannot .*vectorize=False"):
        evaluate(model, params, batch, metric=median)
