"""predict and evaluate follow the same path as adapt, step by step."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call

from refimpl.maml import (
    LearnedRates,
    adapt,
    evaluate,
    mlp,
    over_tasks,
    predict,
    sinusoid_network,
    task_losses,
)
from refimpl.tasks import SinusoidTasks, TaskBatch


@pytest.fixture
def batch():
    return SinusoidTasks().sample(4, 5, 6, np.random.default_rng(0))


@pytest.fixture
def model():
    return mlp(1, 8, 1, seed=0)


def test_predictions_are_those_of_adapt_after_each_step(model, batch):
    params = dict(model.named_parameters())
    predictions = predict(model, params, batch, num_steps=3, fast_lr=0.05)
    assert predictions.shape == (4, 4, 6, 1)
    task = [torch.as_tensor(array[2]) for array in vars(batch).values()]
    for step in range(4):
        adapted = adapt(model, params, *task[:3], fast_lr=0.05, num_steps=step)
        expected = functional_call(model, adapted, (task[3],)).detach().numpy()
        np.testing.assert_allclose(predictions[step, 2], expected, rtol=1e-4, atol=1e-6)


def test_one_step_is_taken_unless_another_number_is_given(model, batch):
    params = dict(model.named_parameters())
    np.testing.assert_array_equal(
        predict(model, params, batch), predict(model, params, batch, num_steps=1)
    )


def test_without_a_step_the_start_predicts(model, batch):
    params = dict(model.named_parameters())
    (start,) = predict(model, params, batch, num_steps=0)
    expected = model(torch.as_tensor(batch.query_x)).detach().numpy()
    np.testing.assert_allclose(start, expected, rtol=1e-5)


def test_results_are_stacked_along_the_first_axis_unless_another_is_given(batch):
    def of_each(*arrays):
        return arrays[0][:, 0]

    by_task = over_tasks(of_each, batch, {"any": torch.zeros(1)})
    np.testing.assert_array_equal(by_task, batch.support_x[:, :, 0])
    last = over_tasks(of_each, batch, {"any": torch.zeros(1)}, out_dims=1)
    np.testing.assert_array_equal(last, batch.support_x[:, :, 0].T)


def test_a_warning_names_tasks_and_step_and_points_to_the_call():
    # With inputs of 0 a step only multiplies bias - target by 1 - 2 alpha, here
    # -2e20: 4e40 after two steps is more than float32 holds. Task 1 learns nothing.
    model = nn.Linear(1, 1)
    params = {"weight": torch.zeros(1, 1), "bias": torch.zeros(1)}
    zeros, observed = np.zeros((3, 2, 1), "f4"), np.ones((3, 2), "f4")
    support_mask = observed * np.array([[1], [0], [1]], "f4")
    batch = TaskBatch(zeros, zeros + 1, support_mask, zeros, zeros, observed)
    message = "predictions: not finite for 2 of 3 tasks, from step 2 on"
    with pytest.warns(RuntimeWarning, match=message) as told:
        out = predict(model, params, batch, num_steps=4, fast_lr=1e20)
    assert np.isfinite(out[:2]).all()
    assert [warning.filename for warning in told] == [__file__]


def test_predictions_do_not_look_at_the_query_targets(model, batch):
    params = dict(model.named_parameters())
    before = predict(model, params, batch, num_steps=2)
    batch.query_y[:] = 100
    np.testing.assert_array_equal(before, predict(model, params, batch, num_steps=2))


def test_evaluate_ends_at_the_meta_loss_of_each_task(model, batch):
    batch.query_mask[1, 3:] = 0
    params = dict(model.named_parameters())
    losses = evaluate(model, params, batch, num_steps=2, fast_lr=0.05)
    assert losses.shape == (3, 4)
    for step in range(3):
        expected = task_losses(model, params, batch, num_steps=step, fast_lr=0.05)
        np.testing.assert_allclose(losses[step], expected.detach().numpy(), rtol=1e-4)


def test_evaluate_adapts_and_judges_by_the_given_loss(model, batch):
    params = dict(model.named_parameters())

    def absolute(prediction, target, mask):
        error = torch.where(mask[:, None] == 1, prediction - target, 0.0)
        return error.abs().sum() / mask.sum().clamp(min=1)

    losses = evaluate(model, params, batch, absolute, num_steps=2, fast_lr=0.05)
    expected = task_losses(model, params, batch, absolute, num_steps=2, fast_lr=0.05)
    np.testing.assert_allclose(losses[2], expected.detach().numpy(), rtol=1e-4)
    assert not np.allclose(losses, evaluate(model, params, batch, num_steps=2))


def test_a_task_without_queries_has_no_error(model, batch):
    batch.query_mask[2] = 0
    with pytest.raises(ValueError, match=r"batch: expected queries .* none of \[2\]"):
        evaluate(model, dict(model.named_parameters()), batch)


def test_negative_steps_and_lone_sizes_are_refused(model, batch):
    with pytest.raises(ValueError, match="num_steps: expected at least 0"):
        predict(model, dict(model.named_parameters()), batch, num_steps=-1)
    with pytest.raises(TypeError, match="num_steps: expected an integer"):
        predict(model, dict(model.named_parameters()), batch, num_steps=1.5)
    with pytest.raises(ValueError, match="sizes: expected inputs and outputs"):
        mlp(5, seed=0)


def test_arrays_that_are_no_batch_are_refused(model, batch):
    arrays = tuple(vars(batch).values())
    with pytest.raises(TypeError, match="batch: expected a TaskBatch, got tuple"):
        predict(model, dict(model.named_parameters()), arrays)


def test_a_network_leaves_other_devices_generators_alone(monkeypatch):
    calls = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", calls.append)
    mlp(1, 2, 1, seed=0)
    assert not calls


def test_learned_rates_start_where_they_are_told(model):
    rates = LearnedRates(model, initial=0.02)()
    assert rates.keys() == dict(model.named_parameters()).keys()
    assert all(rate.item() == pytest.approx(0.02) for rate in rates.values())
    with pytest.raises(ValueError, match="initial: expected a rate greater than 0"):
        LearnedRates(model, initial=0)


def test_the_papers_network_has_its_size_and_initialization():
    model = sinusoid_network(seed=0)
    assert sum(p.numel() for p in model.parameters()) == 40 + 40 + 1600 + 40 + 40 + 1
    assert all((layer.bias == 0).all() for layer in model[::2])
    weights = torch.cat([layer.weight.flatten() for layer in model[::2]])
    assert weights.abs().max() <= 0.02
    # A normal cut at two deviations has 0.880 of its deviation.
    assert weights.std().item() == pytest.approx(0.0088, rel=0.05)


def test_networks_come_from_their_seed_and_leave_the_global_one_alone():
    state = torch.get_rng_state()
    one, same, other = (sinusoid_network(seed)[0].weight for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), state)


def test_one_task_is_enough(model, batch):
    one = batch.map(lambda array: array[:1])
    params = dict(model.named_parameters())
    losses = evaluate(model, params, batch, num_steps=2, fast_lr=0.05)
    alone = evaluate(model, params, one, num_steps=2, fast_lr=0.05)
    np.testing.assert_allclose(alone, losses[:, :1], rtol=1e-5)


@pytest.mark.parametrize(("how", "calls"), [({}, 2), ({"vectorize": False}, 5)])
def test_predictions_are_judged_side_by_side_unless_one_says_so(
    model, batch, how, calls
):
    """Once to see whether the metric works, then all four tasks."""
    called = []

    def metric(prediction, target, mask):
        called.append(None)
        return (prediction - target).abs().mean()

    params = dict(model.named_parameters())
    evaluate(model, params, batch, num_steps=0, metric=metric, **how)
    assert len(called) == calls


@pytest.mark.parametrize(("how", "calls"), [({}, 1), ({"vectorize": False}, 4)])
def test_tasks_learn_side_by_side_unless_one_says_so(model, batch, how, calls):
    called = []

    def loss_fn(prediction, target, mask):
        called.append(None)
        return (prediction - target).square().mean()

    params = dict(model.named_parameters())
    task_losses(model, params, batch, loss_fn, num_steps=0, **how)
    assert len(called) == calls
