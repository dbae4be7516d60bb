"""Item response theory and means, against worlds with known parameters."""

import numpy as np
import pytest

from refimpl.baselines import item_mean, item_response, shrunken_student_mean
from refimpl.baselines.item_fit import ItemPriors, fit_items, item_priors
from refimpl.tasks import ResponseTasks, TaskBatch


def as_batch(answers, known, rng):
    """Each student's answers [M, J] in random order: ``known`` support, rest query."""
    order = rng.permuted(
        np.tile(np.arange(answers.shape[1]), (len(answers), 1)), axis=1
    )
    y = np.take_along_axis(answers, order, axis=1)
    arrays = []
    for part in (slice(known), slice(known, None)):
        x = order[:, part, None].astype(np.float32)
        own = y[:, part, None].astype(np.float32)
        arrays += [x, own, np.ones(own.shape[:2], np.float32)]
    return TaskBatch(*arrays)


@pytest.fixture(scope="module")
def world():
    """1,500 students, 20 items of a two-parameter model, and what is true of them."""
    rng = np.random.default_rng(0)
    a, b = rng.uniform(0.7, 2.0, 20), rng.normal(0, 1, 20)
    theta = rng.normal(size=1500)
    p = 1 / (1 + np.exp(-(theta[:, None] * a + b)))
    answers = (rng.random(p.shape) < p).astype(float)
    return p, as_batch(answers[:1000], 10, rng), as_batch(answers[1000:], 10, rng)


def loss(prediction, batch):
    y, prediction = batch.query_y, prediction.clip(0.001, 0.999)
    return -np.mean(y * np.log(prediction) + (1 - y) * np.log(1 - prediction))


def test_item_response_comes_near_the_truth_and_beats_the_means(world):
    p, train, new = world
    truth = np.take_along_axis(p[1000:], new.query_x[..., 0].astype(int), axis=1)
    made = item_response(train, 20)(new)
    best = item_response(new, 20)(new)  # its queries are seen: a leak, and lower
    assert loss(best, new) < loss(made, new)
    for simple in (item_mean, shrunken_student_mean):
        assert loss(made, new) < loss(simple(train, 20)(new), new) - 0.005
    assert loss(truth[..., None], new) < loss(made, new)


def test_without_answers_everybody_is_average(world):
    _, train, new = world
    nobody = new.map(np.copy)
    nobody.support_mask[:] = 0
    for method in (item_mean, shrunken_student_mean, item_response):
        prediction = method(train, 20)(nobody)
        item = nobody.query_x[..., 0].astype(int)
        for j in range(20):
            assert np.ptp(prediction[item == j]) < 1e-6


def test_predictions_do_not_depend_on_the_query_answers(world):
    _, train, new = world
    other = new.map(np.copy)
    other.query_y[:] = 1 - other.query_y
    for method in (item_mean, shrunken_student_mean, item_response):
        predict = method(train, 20)
        np.testing.assert_array_equal(predict(new), predict(other))


def test_guessing_is_found_where_there_is_some():
    rng = np.random.default_rng(1)
    a, b = np.full(15, 1.8), rng.normal(0, 1, 15)
    p = 0.25 + 0.75 / (1 + np.exp(-(rng.normal(size=3000)[:, None] * a + b)))
    answers = (rng.random(p.shape) < p).astype(float)
    train, new = as_batch(answers[:2500], 8, rng), as_batch(answers[2500:], 8, rng)
    plain, guess = (item_response(train, 15, guessing=g)(new) for g in (False, True))
    assert loss(guess, new) < loss(plain, new)
    assert guess.min() > 0.2


def test_two_dimensions_are_found_where_there_are_two():
    rng = np.random.default_rng(2)
    theta = rng.normal(size=(2000, 2))
    kind = np.arange(16) % 2
    p = 1 / (1 + np.exp(-2 * theta[:, kind]))
    answers = (rng.random(p.shape) < p).astype(float)
    train, new = as_batch(answers[:1500], 8, rng), as_batch(answers[1500:], 8, rng)
    one, two = (item_response(train, 16, dims=d)(new) for d in (1, 2))
    assert loss(two, new) < loss(one, new) - 0.02


def test_the_likelihood_is_no_worse_than_irtorchs():
    """irtorch fits the same model; ours must reach its held-out likelihood."""
    import torch
    from irtorch.estimation_algorithms import MML
    from irtorch.models import ThreeParameterLogistic

    tasks = ResponseTasks("quantitative")
    people, items = tasks.splits["train"][:600], 20
    answers = tasks.correct[people][:, :items]
    train = as_batch(answers[:400], 10, np.random.default_rng(0))
    new = as_batch(answers[400:], 10, np.random.default_rng(1))
    model = ThreeParameterLogistic(items=items)
    torch.manual_seed(0)
    model.fit(torch.as_tensor(answers[:400]), algorithm=MML(), max_epochs=150)
    line = torch.linspace(-4, 4, 41)
    with torch.no_grad():
        right = model(line[:, None]).double().numpy().clip(1e-12, 1 - 1e-12)
    joint = -(line.double().numpy() ** 2) / 2
    rows = np.arange(len(new))[:, None]
    joint = joint + sum(
        np.log(np.where(y == 1, right.T[j], 1 - right.T[j]))
        for j, y in (
            (new.support_x[:, k, 0].astype(int), new.support_y[:, k]) for k in range(10)
        )
    )
    posterior = np.exp(joint - joint.max(axis=1, keepdims=True))
    posterior /= posterior.sum(axis=1, keepdims=True)
    theirs = (posterior @ right)[rows, new.query_x[..., 0].astype(int)][..., None]
    ours = item_response(train, items, guessing=True)(new)
    assert loss(ours, new) < loss(theirs, new) + 0.002
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.98


def test_options_tell_more_than_right_and_wrong():
    tasks = ResponseTasks("quantitative", options=True)
    rng = np.random.default_rng(0)
    train = tasks.sample(800, 79, "train", rng, queries=1)
    new = tasks.all(10, "validation", rng)
    blind, told = (
        item_response(train, 80, guessing=True, options=o)(new) for o in (0, 6)
    )
    assert loss(told, new) < loss(blind, new)


def test_with_a_shared_slope_the_number_right_is_all_that_counts():
    """Rasch's property: of the same items, it does not matter which were right."""
    rng = np.random.default_rng(5)
    logits = rng.normal(size=(300, 1)) + np.linspace(-1, 1, 8)
    answers = (rng.random(logits.shape) < 1 / (1 + np.exp(-logits))).astype(float)
    predictor = item_response(as_batch(answers, 4, rng), 8, shared_slope=True)
    x = np.arange(8, dtype=np.float32)[None, :, None].repeat(3, axis=0)
    known = np.array([[1, 1, 0, 0], [0, 0, 1, 1], [1, 1, 1, 0]], np.float32)[..., None]
    ones = np.ones((3, 4), np.float32)
    made = predictor(TaskBatch(x[:, :4], known, ones, x[:, 4:], 0 * known, ones))
    np.testing.assert_allclose(made[0], made[1], rtol=1e-6)
    assert (made[2] > made[0]).all()


def test_items_that_all_answer_alike_leave_finite_forecasts(world):
    train = world[1].map(np.copy)
    for part in ("support", "query"):
        x, y = getattr(train, f"{part}_x"), getattr(train, f"{part}_y")
        y[x == 3], y[x == 4] = 1, 0
    for shared_slope in (False, True):
        made = item_response(train, 20, shared_slope=shared_slope)(world[2])
        assert np.isfinite(made).all()
        assert made[world[2].query_x == 3].min() > 0.98
        assert made[world[2].query_x == 4].max() < 0.02


def test_three_dimensions_are_refused(world):
    with pytest.raises(ValueError, match="dims: expected 1 or 2, got 3"):
        item_response(world[1], 20, dims=3)


def test_the_shrunken_mean_of_few_or_equal_answers():
    rng = np.random.default_rng(0)
    same = as_batch(np.ones((5, 6)), 3, rng)
    prediction = shrunken_student_mean(same, 6)(same)
    np.testing.assert_allclose(prediction, 1)
    absent = as_batch(rng.integers(0, 2, (5, 6)).astype(float), 3, rng)
    present = absent.map(lambda a: a[1:])
    absent.support_mask[0] = absent.query_mask[0] = 0
    np.testing.assert_allclose(
        shrunken_student_mean(absent, 6)(present),
        shrunken_student_mean(present, 6)(present),
    )
    present.support_mask[:, 1:] = present.query_mask[:] = 0
    with pytest.raises(ValueError, match="train: expected a student with 2 answers"):
        shrunken_student_mean(present, 6)


@pytest.mark.parametrize("baseline", [item_mean, shrunken_student_mean, item_response])
def test_more_items_than_named_are_refused(world, baseline):
    with pytest.raises(ValueError, match="items: expected 12, numbered .* to 19"):
        baseline(world[1], 12)


def test_a_narrow_prior_is_what_comes_out(world):
    narrow = ItemPriors(slopes=(0.9, 1e-4), easiness=(0.3, 1e-4))
    fitted = fit_items(world[1], 20, dims=1, guessing=False, priors=narrow)
    np.testing.assert_allclose(fitted.slopes, 0.9, atol=1e-3)
    np.testing.assert_allclose(fitted.easiness, 0.3, atol=1e-3)


def test_a_wide_prior_changes_nothing(world):
    wide = ItemPriors(slopes=(1.0, 1e4), easiness=(0.0, 1e4))
    plain, priors = (
        fit_items(world[1], 20, dims=1, guessing=False, priors=p) for p in (None, wide)
    )
    np.testing.assert_allclose(plain.slopes, priors.slopes, atol=2e-3)


def test_with_few_students_priors_help_and_those_of_another_test_more(world):
    _, train, new = world
    rng = np.random.default_rng(7)
    a, b = rng.uniform(0.7, 2.0, 20), rng.normal(0, 1, 20)  # as the world's items
    p = 1 / (1 + np.exp(-(rng.normal(size=(1000, 1)) * a + b)))
    other = as_batch((rng.random(p.shape) < p).astype(float), 10, rng)
    learned = item_priors(fit_items(other, 20, dims=1, guessing=False))
    losses = np.zeros(3)
    for start in range(0, 300, 30):  # ten classes of 30
        few = train.map(lambda array, at=start: array[at : at + 30])
        for i, priors in enumerate((None, ItemPriors(), learned)):
            losses[i] += loss(item_response(few, 20, priors=priors)(new), new) / 10
    assert losses[0] > losses[1] + 0.005
    assert losses[1] > losses[2] + 0.001


def test_priors_are_the_moments_of_fitted_items(world):
    fits = [fit_items(world[i], 20, dims=1, guessing=False) for i in (1, 2)]
    slopes = np.concatenate([fit.slopes[:, 0] for fit in fits])
    priors = item_priors(*fits)
    assert priors.slopes == pytest.approx((slopes.mean(), slopes.std()))
    with pytest.raises(ValueError, match="fits: expected tests of two items"):
        item_priors()


def test_a_prior_without_a_spread_is_refused(world):
    with pytest.raises(ValueError, match="priors: expected easiness to spread, got 0"):
        item_response(world[1], 20, priors=ItemPriors(easiness=(0.0, 0.0)))
