"""The network that reads a class: what it may see, and how sure it says it is."""

import numpy as np
import pytest
import torch

from refimpl.context import (
    ClassModel,
    InContext,
    calibrate,
    class_losses,
    read_class,
)
from refimpl.context.intervals import interval_loss
from refimpl.maml import meta_train
from refimpl.tasks.class_batch import class_batch
from refimpl.tasks.classes import ClassTasks

SMALL = {"width": 12, "layers": 2}


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def tasks():
    return ClassTasks({"skills": 3, "points": 1})


@pytest.fixture
def batch(tasks):
    return tasks.sample(3, "test", rng(), students=7, items=5, known=0.5)


@pytest.fixture
def model():
    return ClassModel(seed=0, **SMALL)


def table(batch, forecast, shape=(3, 7, 5)):
    return forecast.reshape(shape)


# What it may see


def test_a_missing_answer_has_exactly_no_influence(model, batch):
    before, ends = read_class(model, batch)
    changed = batch.map(np.copy)
    changed.support_y[changed.support_mask == 0] = 1
    changed.query_y[:] = 0
    for one, other in zip((before, ends), read_class(model, changed), strict=True):
        np.testing.assert_array_equal(one, other)
    seen = batch.map(np.copy)
    place = np.nonzero(seen.support_mask[1])[0][0]
    seen.support_y[1, place] = 1 - seen.support_y[1, place]
    moved = np.abs(read_class(model, seen)[0] - before)
    assert moved[1].min() > 0
    np.testing.assert_array_equal(moved[[0, 2]], 0)


def test_students_and_items_are_alike_in_any_order(model, tasks):
    answers = tasks.answers("skills", "test", 2, 6, 4, rng(1))
    known = rng(2).random(answers.shape) < 0.5
    before, ends = read_class(model, class_batch(answers, known))
    students, items = rng(3).permutation(6), rng(4).permutation(4)
    turned = [a[:, students][:, :, items] for a in (answers, known)]
    after, turned_ends = read_class(model, class_batch(*turned))
    expected = before.reshape(2, 6, 4)[:, students][:, :, items]
    np.testing.assert_allclose(after.reshape(2, 6, 4), expected, atol=1e-5)
    np.testing.assert_allclose(turned_ends, ends[:, students], atol=1e-5)


def test_nor_does_the_order_of_the_examples_count(model, batch):
    order = rng().permutation(35)
    turned = batch.map(lambda array: array[:, order])
    np.testing.assert_allclose(
        read_class(model, turned)[0], read_class(model, batch)[0][:, order], atol=1e-5
    )


def test_students_and_items_without_an_answer_change_no_other_forecast(model):
    answers = (rng().random((1, 4, 3)) < 0.5) * 1.0
    known = np.ones((1, 4, 3))
    known[0, 0, 0] = 0
    small, _ = read_class(model, class_batch(answers, known))
    larger = [np.pad(a, [(0, 0), (0, 2), (0, 1)]) for a in (answers, known)]
    made, ends = read_class(model, class_batch(*larger))
    np.testing.assert_allclose(
        made.reshape(6, 4)[:4, :3], small.reshape(4, 3), atol=1e-5
    )
    assert np.isfinite(made).all()
    assert np.isfinite(ends).all()


def test_right_answers_raise_forecasts_of_student_and_item_once_trained():
    model = trained(150)
    answers = np.zeros((1, 10, 8))
    answers[0, ::2] = 1  # every other student is right in all
    known = np.ones(answers.shape)
    known[:, :, -1] = 0
    known[:, :4, -1] = 1
    made = read_class(model, class_batch(answers, known))[0].reshape(10, 8)[4:, -1]
    assert made[::2].min() > 0.6 > 0.4 > made[1::2].max()


# Training


def trained(iterations, **more):
    tasks, model = ClassTasks({"skills": 1}), ClassModel(seed=0, width=24, layers=2)
    meta_train(
        model,
        lambda rng: tasks.sample(24, "train", rng, 12, 10),
        num_steps=0,
        meta_lr=0.01,
        iterations=iterations,
        seed=0,
        objective=class_losses,
        **more,
    )
    return model


def test_it_resumes_exactly(tmp_path):
    whole = trained(4)
    trained(2, checkpoint=tmp_path / "part")
    cut = trained(4, checkpoint=tmp_path / "part")
    for one, other in zip(whole.parameters(), cut.parameters(), strict=True):
        assert torch.equal(one, other)


def test_the_losses_are_the_log_loss_and_the_intervals(model, batch):
    params = dict(model.named_parameters())
    losses = class_losses(model, params, batch).detach().numpy()
    p, y, m = (
        read_class(model, batch)[0][..., 0],
        batch.query_y[..., 0],
        batch.query_mask,
    )
    each = -(y * np.log(p) + (1 - y) * np.log(1 - p)) * m
    tensors = batch.map(torch.as_tensor)
    found = model(*[*vars(tensors).values()][:4], tensors.query_mask)[1]
    more = interval_loss(found, tensors.query_x, tensors.query_y, tensors.query_mask)
    expected = each.sum(axis=1) / m.sum(axis=1) + more.detach().numpy()
    np.testing.assert_allclose(losses, expected, rtol=1e-5)


def loss_of_ends(mean, low, high, answers):
    """One student whose answers are as given."""
    x = torch.stack([torch.zeros(len(answers)), torch.arange(len(answers))], dim=1)
    found = torch.tensor([[[mean, mean - low, high - mean]]])
    y = torch.tensor(answers)[None, :, None]
    return interval_loss(found, x[None], y, torch.ones(1, len(answers))).item()


def test_the_interval_loss_by_hand():
    """In points: .1 of what the mean is above the upper end, and .9 above the lower."""
    points = [0.5, 0.9]  # mean .7
    assert loss_of_ends(0.5, 0.4, 0.6, points) == pytest.approx(
        0.1 * 0.3 + 0.9 * 0.1, abs=1e-4
    )
    assert loss_of_ends(0.5, 0.4, 0.9, points) == pytest.approx(
        0.1 * 0.3 + 0.1 * 0.2, abs=1e-4
    )


def test_right_and_wrong_are_spread_over_their_step():
    """One answer, right: its mean is spread over .5 to 1.5, whose median is at 1."""
    expected = np.mean([
        max(0.1 * (y - 0.4), -0.9 * (y - 0.4)) + max(0.9 * (y - 1.1), -0.1 * (y - 1.1))
        for y in np.linspace(0.5, 1.5, 20001)
    ])  # fmt: skip
    assert loss_of_ends(0.5, 0.4, 1.1, [1.0]) == pytest.approx(expected, abs=1e-4)


def test_students_without_an_asked_answer_have_no_interval_and_no_loss(model, batch):
    nobody = batch.map(np.copy)
    nobody.query_mask[0, :5] = 0  # the first student of the first class
    _, ends = read_class(model, nobody)
    assert np.isnan(ends[0, 0]).all()
    assert np.isfinite(ends[0, 1:][batch.query_mask[0].reshape(7, 5)[1:].any(1)]).all()
    losses = class_losses(model, dict(model.named_parameters()), nobody)
    losses.sum().backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_calibration_makes_intervals_cover_four_fifths(tasks):
    model = ClassModel(seed=1, **SMALL)
    held = [tasks.sample(40, "validation", rng(s), 20, 12, 0.4) for s in range(6)]
    calibrate(model, held)
    new = tasks.sample(300, "test", rng(9), 20, 12, 0.4)
    _, ends = read_class(model, new)
    asked = new.query_mask.reshape(300, 20, 12)
    means = (new.query_y.reshape(300, 20, 12) * asked).sum(2)
    means = means / asked.sum(2).clip(1)
    held = (ends[..., 0] <= means) & (means <= ends[..., 1])
    assert held[asked.any(2)].mean() == pytest.approx(0.8, abs=0.03)


# What is refused


def test_tables_that_are_none_are_refused(model, batch):
    def wrong(name, place, value):
        other = batch.map(np.copy)
        getattr(other, name)[place] = value
        return other

    half = wrong("support_x", (0, np.nonzero(batch.support_mask[0])[0][0], 1), 0.5)
    with pytest.raises(ValueError, match="expected the numbers of a student and an it"):
        read_class(model, half)
    first = np.nonzero(batch.support_mask[0])[0]
    twice = batch.map(np.copy)
    twice.support_x[0, first[1]] = twice.support_x[0, first[0]]
    with pytest.raises(ValueError, match="support_x: expected each answer of a studen"):
        read_class(model, twice)
    with pytest.raises(ValueError, match="support_y: expected answers from 0 to 1"):
        read_class(model, wrong("support_y", (0, first[0]), 3.0))
    params, asked = dict(model.named_parameters()), np.nonzero(batch.query_mask[0])[0]
    with pytest.raises(ValueError, match="query_y: expected answers from 0 to 1"):
        class_losses(model, params, wrong("query_y", (0, asked[0]), 5.0))
    with pytest.raises(ValueError, match="query_x: expected each asked answer once"):
        read_class(model, wrong("query_mask", (0, first[0]), 1.0))
    with pytest.raises(ValueError, match="x: expected students and items numbered fro"):
        read_class(model, wrong("support_x", (0, first[0], 0), 1e8))
    flat = [torch.as_tensor(a) for a in (batch.support_x, batch.support_y[..., 0])]
    with pytest.raises(ValueError, match=r"support_y: expected shape \[3, 35, 1\]"):
        model(*flat, torch.as_tensor(batch.support_mask), flat[0])


def test_what_empty_places_hold_does_not_matter(model, batch):
    before = read_class(model, batch)
    other = batch.map(np.copy)
    other.support_x[other.support_mask == 0] = -1
    other.support_y[other.support_mask == 0] = 1e30
    other.query_y[other.query_mask == 0] = 1e30
    for one, same in zip(before, read_class(model, other), strict=True):
        np.testing.assert_array_equal(one, same)
    params = dict(model.named_parameters())
    losses = [class_losses(model, params, b).detach() for b in (batch, other)]
    assert torch.equal(*losses)


def test_calibration_says_what_it_needs(model, tasks):
    with pytest.raises(ValueError, match="batches: expected answers asked of four stu"):
        calibrate(model, [])
    three = tasks.sample(1, "test", rng(), students=3, items=4, known=0.5)
    with pytest.raises(ValueError, match="batches: .* got 3 students"):
        calibrate(model, three)
    with pytest.raises(TypeError, match="model: expected a ClassModel, got Linear"):
        calibrate(torch.nn.Linear(1, 1), three)
    broken = ClassModel(seed=0, **SMALL)
    torch.nn.init.constant_(broken.output.weight, torch.nan)
    with pytest.raises(ValueError, match="model: expected finite forecasts"):
        calibrate(broken, tasks.sample(9, "test", rng(), 9, 9, 0.5))
    with pytest.raises(TypeError, match="model: expected a ClassModel, got InContext"):
        read_class(InContext(2, seed=0), three)


def test_sizes_that_are_none_are_refused():
    with pytest.raises(ValueError, match="layers: expected at least 1"):
        ClassModel(seed=0, layers=0)
    with pytest.raises(ValueError, match="width: expected at least 2"):
        ClassModel(seed=0, width=0)
