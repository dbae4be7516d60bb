"""The posterior and the rules that choose items, against sums written out."""

import numpy as np
import pytest

from refimpl.baselines import item_response
from refimpl.baselines.posterior import Posterior, fit_posterior
from refimpl.baselines.questions import (
    at_random,
    best_form,
    fixed_form,
    look_ahead,
    maximum_information,
    play,
)
from refimpl.envs import AdaptiveTest
from refimpl.tasks import ResponseTasks, TaskBatch

J = 10
NOTHING = np.zeros((1, 0), int), np.zeros((1, 0), int)


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(0)
    slopes, easiness = rng.uniform(0.5, 2, J), rng.normal(0, 1, J)
    return Posterior(slopes, easiness, rng.uniform(0, 0.3, J))


@pytest.fixture(scope="module")
def correct(model):
    rng = np.random.default_rng(1)
    p = model.probabilities(rng.normal(size=2000))
    return (rng.random(p.shape) < p).astype(int)


def test_the_posterior_is_bayes_rule_written_out(model):
    items, answers = np.array([[3, 7], [7, 1]]), np.array([[1, 0], [0, 0]])
    for student in range(2):
        weights = np.exp(-(model.abilities**2) / 2)
        for item, answer in zip(items[student], answers[student], strict=True):
            logit = model.slopes[item] * model.abilities + model.easiness[item]
            c = model.guessing[item]
            p = c + (1 - c) / (1 + np.exp(-logit))
            weights = weights * (p if answer else 1 - p)
        weights /= weights.sum()
        np.testing.assert_allclose(model.weights(items, answers)[student], weights)
        mean = model.mean(items, answers)[student]
        assert mean == pytest.approx(weights @ model.abilities)
        np.testing.assert_allclose(
            model(items, answers)[student], weights @ model.right
        )


def test_right_and_wrong_are_weighed_by_their_probability(model):
    # P(k) = P(j right) P(k | j right) + P(j wrong) P(k | j wrong).
    p = model(*NOTHING)[0]
    for j in range(J):
        after = model(np.array([[j], [j]]), np.array([[0], [1]]))
        np.testing.assert_allclose((1 - p[j]) * after[0] + p[j] * after[1], p)


def test_it_predicts_as_item_response_does():
    tasks = ResponseTasks("quantitative")
    rng = np.random.default_rng(0)
    train = tasks.sample(1500, 79, "train", rng, queries=1)
    new = tasks.sample(20, 6, "validation", rng)
    items, answers = (x[..., 0].astype(int) for x in (new.support_x, new.support_y))
    made = fit_posterior(train, 80)(items, answers)
    asked = new.query_x[..., 0].astype(int)
    expected = item_response(train, 80, guessing=True)(new)[..., 0]
    np.testing.assert_allclose(np.take_along_axis(made, asked, 1), expected, rtol=1e-6)


def test_information_is_the_slope_squared_over_the_variance(model):
    ability, h = np.linspace(-2, 2, 9), 1e-6
    slope = model.probabilities(ability + h) - model.probabilities(ability - h)
    p = model.probabilities(ability)
    expected = (slope / (2 * h)) ** 2 / (p * (1 - p))
    np.testing.assert_allclose(model.information(ability), expected, rtol=1e-6)


def test_information_as_catsim_has_it(model):
    # catsim 0.21.0, irt.inf_hpc: a^2 (p - c)^2 (d - p)^2 / ((d - c)^2 p (1 - p)).
    a, c, d = model.slopes, model.guessing, 1
    p = model.probabilities(np.array([0.4]))
    catsim = a**2 * (p - c) ** 2 * (d - p) ** 2 / ((d - c) ** 2 * p * (1 - p))
    np.testing.assert_allclose(model.information(np.array([0.4])), catsim)


def rules(model):
    return {
        "random": at_random(),
        "form": fixed_form(np.arange(J)[::-1]),
        "information": maximum_information(model),
        "randomesque": maximum_information(model, among=4),
        "look-ahead": look_ahead(model, chunk=7),
    }


def test_every_rule_asks_only_what_is_allowed(model, correct):
    for rule in rules(model).values():
        envs = AdaptiveTest(correct, model, 40, J // 2)  # raises if not
        losses = play(envs, rule, np.random.default_rng(0), seed=0)
        assert losses.shape == (J // 2 + 1, 40)


def test_maximum_information_and_form_by_hand(model):
    allowed = np.ones((1, J), bool)
    best = model.information(np.array([0.0]))[0].argsort()[::-1]  # EAP 0: no answers
    rng = np.random.default_rng(0)
    rule = maximum_information(model)
    assert rule(*NOTHING, allowed, rng) == best[0]
    allowed[0, best[0]] = False
    assert rule(*NOTHING, allowed, rng) == best[1]
    order = np.array([4, 2, 0, 1, 3, 5, 6, 7, 8, 9])
    allowed[0, [4, 2]] = False
    assert fixed_form(order)(*NOTHING, allowed, rng) == 0


def test_randomesque_draws_equally_among_the_best_that_are_left(model):
    rng = np.random.default_rng(0)
    information = model.information(np.zeros(1))[0]
    allowed = np.ones((6000, J), bool)
    nothing = np.zeros((6000, 0), int)
    drawn = maximum_information(model, 3)(nothing, nothing, allowed, rng)
    count = np.bincount(drawn, minlength=J)
    assert set(np.flatnonzero(count)) == set(information.argsort()[-3:])
    assert abs(count[count > 0] - 2000).max() < 5 * 2000**0.5
    allowed[:, 2:] = False  # only two are left
    drawn = maximum_information(model, 3)(nothing, nothing, allowed, rng)
    assert set(drawn) == {0, 1}


def test_look_ahead_by_hand(model):
    # Item 5 was asked, right; 0 and 1 are allowed; the rest is the target.
    items, answers = np.array([[5]]), np.array([[1]])
    allowed = np.zeros((1, J), bool)
    allowed[0, :2] = True
    target = [2, 3, 4, 6, 7, 8, 9]
    p = model(items, answers)[0]
    expected = []
    for j in (0, 1):
        loss = 0.0
        for y in (0, 1):
            q = model(np.array([[5, j]]), np.array([[1, y]]))[0, target]
            entropy = -(q * np.log(q) + (1 - q) * np.log(1 - q)).sum()
            loss += (p[j] if y else 1 - p[j]) * entropy
        expected.append(loss)
    rng = np.random.default_rng(0)
    assert look_ahead(model)(items, answers, allowed, rng) == np.argmin(expected)


def test_choosing_beats_chance_where_the_model_is_true(model, correct):
    form = best_form(correct[:1000], model, 3, np.random.default_rng(0))
    assert sorted(form) == list(range(J))
    every = rules(model) | {"form": fixed_form(form)}
    loss = {}
    for name, rule in every.items():
        envs = AdaptiveTest(correct[1000:], model, 4000, 3)
        loss[name] = play(envs, rule, np.random.default_rng(0), seed=0)[-1]
    # The same people and halves: paired differences.
    for name in ("form", "information", "look-ahead"):
        gap = loss["random"] - loss[name]
        assert gap.mean() > 3 * gap.std() / 4000**0.5


def test_a_small_class_has_a_posterior():
    """With 30 students some slopes grow until P is 1 in floating point."""
    rng = np.random.default_rng(0)
    ability = rng.normal(size=(30, 1))
    right = rng.random((30, 20)) < 1 / (1 + np.exp(-1.2 * ability))
    one = np.ones((30, 20), np.float32)
    x = np.broadcast_to(np.arange(20.0, dtype=np.float32), (30, 20))[..., None]
    own = x, right[..., None].astype(np.float32), one
    made = fit_posterior(TaskBatch(*own, *own), 20)
    assert (made.right > 0).all()
    assert (made.right < 1).all()
    assert np.isfinite(made(np.array([[0, 1]]), np.array([[1, 0]]))).all()


def test_what_cannot_be_meant_is_refused(model, correct):
    with pytest.raises(ValueError, match="among: expected at least 1, got 0"):
        maximum_information(model, among=0)
    with pytest.raises(ValueError, match="length: expected 0 to 10, got 11"):
        best_form(correct, model, J + 1, np.random.default_rng(0))
    with pytest.raises(TypeError, match="rng: expected a numpy.random.Generator"):
        best_form(correct, model, 2, 0)
