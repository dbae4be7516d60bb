"""A network that reads the support set: what it may see, and that it learns."""

import numpy as np
import pytest
import torch

from refimpl.context import InContext, in_context_losses, predict_in_context
from refimpl.maml import meta_train
from refimpl.tasks import SinusoidTasks, TaskBatch

SMALL = {"width": 16, "layers": 2, "heads": 2}


@pytest.fixture
def batch():
    return SinusoidTasks().sample(4, shots=6, queries=5, rng=np.random.default_rng(0))


@pytest.fixture
def model():
    return InContext(1, seed=0, **SMALL)


def draw(rng):
    return SinusoidTasks().sample(16, shots=5, queries=5, rng=rng)


def test_a_hidden_example_has_exactly_no_influence(model, batch):
    batch.support_mask[1, 2:4] = 0
    before = predict_in_context(model, batch)
    changed = batch.map(np.copy)
    changed.support_x[1, 2:4], changed.support_y[1, 2:4] = 1e30, -1e30
    np.testing.assert_array_equal(before, predict_in_context(model, changed))
    seen = batch.map(np.copy)
    seen.support_y[1, 1] += 1
    assert np.abs(predict_in_context(model, seen) - before)[1].min() > 0
    np.testing.assert_array_equal(predict_in_context(model, seen)[0], before[0])


def test_places_to_fill_up_change_nothing(model, batch):
    """As many more empty places as another batch of the same students may have."""
    more = [
        np.pad(a, [(0, 0), (0, 3)] + [(0, 0)] * (a.ndim - 2))
        for a in (batch.support_x, batch.support_y, batch.support_mask)
    ]
    padded = TaskBatch(*more, batch.query_x, batch.query_y, batch.query_mask)
    np.testing.assert_allclose(
        predict_in_context(model, batch), predict_in_context(model, padded), atol=1e-6
    )


def test_the_order_of_the_support_set_does_not_count(model, batch):
    order = [3, 0, 5, 1, 4, 2]
    turned = TaskBatch(
        batch.support_x[:, order],
        batch.support_y[:, order],
        batch.support_mask[:, order],
        batch.query_x,
        batch.query_y,
        batch.query_mask,
    )
    np.testing.assert_allclose(
        predict_in_context(model, batch), predict_in_context(model, turned), atol=1e-6
    )


def test_a_query_does_not_see_other_queries_or_any_target(model, batch):
    before = predict_in_context(model, batch)
    other = batch.map(np.copy)
    other.query_x[:, 1:] += 1
    other.query_y[:] = 7
    np.testing.assert_allclose(predict_in_context(model, other)[:, 0], before[:, 0])


def test_with_nothing_known_all_tasks_are_alike(model, batch):
    nobody = batch.map(np.copy)
    nobody.support_mask[:] = 0
    nobody.query_x[:] = nobody.query_x[:1]
    made = predict_in_context(model, nobody)
    assert np.isfinite(made).all()
    np.testing.assert_allclose(made, made[:1].repeat(4, axis=0), atol=1e-6)


def test_the_losses_are_those_of_the_predictions(model, batch):
    batch.query_mask[2, 3:] = 0
    params = dict(model.named_parameters())
    losses = in_context_losses(model, params, batch).detach().numpy()
    squared = ((predict_in_context(model, batch) - batch.query_y) ** 2)[..., 0]
    count = batch.query_mask.sum(axis=1)
    expected = (squared * batch.query_mask).sum(axis=1) / count
    np.testing.assert_allclose(losses, expected, rtol=1e-5)


def train(iterations, **more):
    model = InContext(1, seed=0, **SMALL)
    how = {"objective": in_context_losses, "iterations": iterations, "seed": 0}
    history = meta_train(model, draw, num_steps=0, meta_lr=0.003, **how, **more)
    return model, history


def test_meta_training_teaches_it_to_use_the_support_set():
    model, history = train(1000)
    assert np.mean(history.loss[-50:]) < 0.75 * np.mean(history.loss[:50])
    new = SinusoidTasks().sample(200, 5, 5, np.random.default_rng(1))
    blind = new.map(np.copy)
    blind.support_mask[:] = 0
    errors = [
        ((predict_in_context(model, b) - b.query_y) ** 2).mean() for b in (new, blind)
    ]
    assert errors[0] < 0.7 * errors[1]


def test_it_resumes_exactly(tmp_path):
    whole, _ = train(6)
    train(3, checkpoint=tmp_path / "part")
    cut, _ = train(6, checkpoint=tmp_path / "part")
    for one, other in zip(whole.parameters(), cut.parameters(), strict=True):
        assert torch.equal(one, other)


def test_sizes_that_are_none_are_refused():
    with pytest.raises(ValueError, match="width: expected a multiple of 4 heads"):
        InContext(1, width=30, seed=0)
    with pytest.raises((TypeError, ValueError), match="layers: expected"):
        InContext(1, layers=0, seed=0)
