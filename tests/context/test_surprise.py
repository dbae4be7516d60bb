"""The model's own warning: what it computes, and what it may look at."""

import numpy as np
import pytest
import torch

from refimpl.context import ClassModel, read_class, surprise
from refimpl.tasks import TaskBatch
from refimpl.tasks.class_batch import class_batch


@pytest.fixture(scope="module")
def model():
    return ClassModel(seed=0, width=12, layers=2)


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture
def batch():
    answers = (rng().random((3, 6, 4)) < 0.5) * 1.0
    return class_batch(answers, rng(1).random(answers.shape) < 0.7)


def test_two_known_answers_by_hand(model):
    """Each is forecast from the other."""
    answers = np.array([[[1.0, 0.0]]])
    made = surprise(model, class_batch(answers, np.ones((1, 1, 2))), rng(), folds=2)
    above, squares = 0, 0
    for j, y in enumerate((1, 0)):
        known = np.ones((1, 1, 2))
        known[0, 0, j] = 0
        p = float(read_class(model, class_batch(answers, known))[0][0, j, 0])
        loss = -np.log(p if y else 1 - p)
        more = loss + p * np.log(p) + (1 - p) * np.log(1 - p)
        above, squares = above + more, squares + more**2
    assert made == pytest.approx([above / squares**0.5], rel=1e-4)


def test_only_known_answers_are_dealt_out(model):
    """Two known of a hundred: each is hidden in a turn of its own."""
    answers, known = np.ones((1, 10, 10)), np.zeros((1, 10, 10))
    known[0, 3, 4] = known[0, 7, 1] = 1
    batch = class_batch(answers, known)
    made = [surprise(model, batch, rng(seed), folds=2) for seed in range(6)]
    np.testing.assert_allclose(made, [made[0]] * 6)
    tensors = batch.map(torch.as_tensor)
    np.testing.assert_allclose(surprise(model, tensors, rng(), folds=2), made[0])


def test_it_does_not_look_at_what_is_asked(model, batch):
    before = surprise(model, batch, rng())
    other = batch.map(np.copy)
    other.query_y[:] = 1 - other.query_y
    np.testing.assert_array_equal(before, surprise(model, other, rng()))
    assert np.isfinite(before).all()


def test_a_class_of_which_nothing_is_known_has_none(model, batch):
    nothing = TaskBatch(*vars(batch.map(np.copy)).values())
    nothing.support_mask[1] = 0
    made = surprise(model, nothing, rng())
    assert np.isnan(made).tolist() == [False, True, False]


def test_what_is_refused(model, batch):
    with pytest.raises(ValueError, match="folds: expected at least 2"):
        surprise(model, batch, rng(), folds=1)
    with pytest.raises(TypeError, match="rng: expected"):
        surprise(model, batch, 0)
    with pytest.raises(TypeError, match="batch: expected a TaskBatch, got list"):
        surprise(model, [batch], rng())
