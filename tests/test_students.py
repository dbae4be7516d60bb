"""The student model: only the student adapts, options count, IRT is inside."""

import numpy as np
import pytest
import torch

from refimpl.maml import adapt, binary_cross_entropy, meta_loss, mse
from refimpl.students import (
    NUM_STEPS,
    ContextRates,
    StudentModel,
    forecast,
    learn,
    summed,
)
from refimpl.tasks import ResponseTasks, TaskBatch


@pytest.fixture
def model():
    return StudentModel(np.linspace(-1, 1, 5), options=3, context=2, seed=0)


def answers(items, right, options=None):
    """One student's support set, and all five items as queries."""
    x = np.array(items, np.float32)[:, None]
    query = np.arange(5, dtype=np.float32)[:, None]
    if options is not None:
        x = np.column_stack([x, np.array(options, np.float32)])
        query = np.column_stack([query, np.zeros(5, np.float32)])
    y = np.array(right, np.float32)[:, None]
    ones, asked = np.ones(len(x), np.float32), np.ones(5, np.float32)
    nothing = np.zeros((5, 1), np.float32)
    return TaskBatch(*(a[None] for a in (x, y, ones, query, nothing, asked)))


def test_the_context_alone_adapts_and_all_else_is_meta_learned(model):
    params = dict(model.named_parameters())
    rates = ContextRates(model, 0.3)
    batch = answers([0, 1], [1, 0]).map(torch.as_tensor)
    support = (batch.support_x[0], batch.support_y[0], batch.support_mask[0])
    adapted = adapt(
        model, params, *support, summed(binary_cross_entropy), fast_lr=rates
    )
    for name, before in params.items():
        assert torch.equal(adapted[name], before) == (name != "context")
    meta_loss(model, params, batch, binary_cross_entropy, fast_lr=rates).backward()
    learned = [p for n, p in params.items() if n not in ("context", "option_slopes")]
    assert all(p.grad.abs().sum() > 0 for p in [*learned, rates.log_rates])
    assert not model.context.requires_grad


def test_without_the_network_it_is_item_response_theory(model):
    for parameter in model.net.parameters():
        parameter.data.zero_()
    model.context.data = torch.tensor([0.5, -1.0])
    x = torch.arange(5.0)[:, None]
    expected = model.easiness + model.slopes @ model.context
    assert torch.allclose(model(x)[:, 0], expected)


def test_a_right_answer_raises_and_a_wrong_one_lowers_the_forecasts(model):
    for parameter in model.net.parameters():
        parameter.data.zero_()
    rates = ContextRates(model, 0.3)()
    means = [
        forecast(model, rates, answers([2], [y]), binary_cross_entropy).mean()
        for y in (0, 1)
    ]
    nobody = answers([2], [0]).map(np.copy)
    nobody.support_mask[:] = 0
    average = forecast(model, rates, nobody, binary_cross_entropy)[0, :, 0]
    assert means[0] < average.mean() < means[1]
    expected = 1 / (1 + np.exp(-model.easiness.detach().numpy()))
    np.testing.assert_allclose(average, expected, rtol=1e-5)


def test_which_wrong_option_was_chosen_counts_only_if_it_has_a_slope(model):
    rates = ContextRates(model, 0.3)()
    asked = [answers([2], [0], [option]) for option in (1, 2)]
    first, second = (forecast(model, rates, b, binary_cross_entropy) for b in asked)
    np.testing.assert_array_equal(first, second)
    model.option_slopes.data[2, 1] = 1.0
    moved, still = (forecast(model, rates, b, binary_cross_entropy) for b in asked)
    np.testing.assert_array_equal(still, second)
    assert (moved != first).any()


def test_twice_the_answers_are_twice_the_gradient():
    prediction, target = torch.zeros(4, 1), torch.ones(4, 1)
    few, many = torch.tensor([1.0, 1, 0, 0]), torch.ones(4)
    loss = summed(mse)
    assert loss(prediction, target, many) == 2 * loss(prediction, target, few)


def test_learning_is_deterministic_and_beats_the_item_means():
    tasks = ResponseTasks("quantitative")
    means = tasks.correct[tasks.splits["train"]].mean(axis=0)

    def made(seed):
        model = StudentModel(np.log(means / (1 - means)), seed=seed)
        rates = learn(
            model,
            lambda rng: tasks.sample(32, 10, "train", rng),
            binary_cross_entropy,
            iterations=60,
            seed=seed,
        )
        batch = tasks.all(10, "validation", np.random.default_rng(0))
        return forecast(model, rates(), batch, binary_cross_entropy), batch

    (one, batch), (same, _), (other, _) = made(0), made(0), made(1)
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
    y = batch.query_y
    mean = means[batch.query_x.astype(int)]
    losses = [-np.mean(np.where(y == 1, np.log(p), np.log(1 - p))) for p in (one, mean)]
    assert losses[0] < losses[1] - 0.02
    assert NUM_STEPS == 3


def test_rates_begin_above_zero(model):
    with pytest.raises(ValueError, match="initial: expected a rate greater than 0"):
        ContextRates(model, 0.0)
