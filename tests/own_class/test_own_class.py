"""A teacher's own class: forecasts, choice, intervals and worth, by hand."""

import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refimpl.baselines import item_mean, item_response
from refimpl.own_class import (
    ClassReader,
    FittedReader,
    conformal,
    cv_plus,
    mastery,
    one_standard_error,
    readers,
    student_losses,
    to_ask,
    tried,
    worth_asking,
)
from refimpl.own_class.choosing import FOLDS, Trial, folds
from refimpl.own_class.intervals import units
from refimpl.own_class.model import meta_learned
from refimpl.own_class.reading import MOST, blocks
from refimpl.own_class.rivals import MANY, PLENTY, on_items
from refimpl.own_class.tables import draw_known, reveal

ROOT = Path(__file__).parents[2]
NAN = np.nan


def rng(seed=0):
    return np.random.default_rng(seed)


def class_of(students, items, known=0.5, seed=0, binary=True):
    """Answers of students of different levels to items of different easiness."""
    generator = rng(seed)
    level, easiness = generator.normal(size=(students, 1)), generator.normal(size=items)
    p = 1 / (1 + np.exp(-level - easiness))
    answers = generator.random(p.shape) < p if binary else generator.binomial(8, p) / 8
    told = generator.random(answers.shape) < known
    return answers.astype(np.float32), np.where(told, answers, NAN).astype(np.float32)


def laplace(batch):
    """Every item alike: one right and one wrong answer more than there were."""
    right = (batch.support_y[..., 0] * batch.support_mask).sum(axis=1)
    p = (1 + right) / (2 + batch.support_mask.sum(axis=1))
    return np.broadcast_to(p[:, None, None], batch.query_y.shape)


def counting(scores):
    return FittedReader(lambda table: laplace, scores)


# ---------------------------------------------------------------- reading


def test_known_answers_stand_and_forecasts_follow_students_and_items():
    _, scores = class_of(12, 8)
    one = ClassReader(scores)
    known = ~np.isnan(scores)
    np.testing.assert_array_equal(one.forecast[known], scores[known])
    rows, columns = rng(1).permutation(12), rng(2).permutation(8)
    other = ClassReader(scores[rows][:, columns])
    np.testing.assert_allclose(
        other.forecast, one.forecast[rows][:, columns], atol=1e-5
    )
    np.testing.assert_allclose(other.ends, one.ends[rows], atol=1e-5)


def test_a_student_is_read_beside_the_class():
    """Within one block ``after`` is what reading the changed class gives."""
    _, scores = class_of(12, 8)
    reader = ClassReader(scores)
    changed = scores.copy()
    changed[3, np.flatnonzero(np.isnan(scores[3]))[0]] = 1
    made = reader.after(3, np.stack([scores[3], changed[3]]))
    np.testing.assert_allclose(made[0], reader.forecast[3], atol=1e-5)
    np.testing.assert_allclose(made[1], ClassReader(changed).forecast[3], atol=1e-5)
    assert abs(made[1] - made[0]).max() > 0.005


@given(size=st.integers(1, 500), seed=st.integers(0, 99))
def test_blocks_hold_everyone_once_and_are_no_larger_than_what_was_trained_on(
    size, seed
):
    parts = blocks(size, rng(seed))
    assert sorted(np.concatenate(parts)) == [*range(size)]
    assert max(map(len, parts)) <= MOST
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_a_large_class_is_read_in_blocks_and_has_no_interval_of_its_own():
    answers, scores = class_of(130, 70, seed=3)
    reader = ClassReader(scores)
    assert reader.ends is None
    open_ = np.isnan(scores)
    coin = np.full(answers.shape, 0.5)
    losses = [
        student_losses([Trial(open_, made)], answers).mean()
        for made in (reader.forecast, coin)
    ]
    assert losses[0] < losses[1] - 0.08
    np.testing.assert_array_equal(reader.forecast, ClassReader(scores).forecast)
    assert reader.after(5, scores[5:6]).shape == (1, 70)


def test_intervals_of_its_own_only_for_classes_like_those_it_was_calibrated_on():
    assert ClassReader(class_of(5, 5)[1]).ends.shape == (5, 2)
    assert ClassReader(class_of(60, 60)[1]).ends is not None
    for students, items in ((4, 9), (9, 4), (61, 9), (9, 61)):
        assert ClassReader(class_of(students, items)[1]).ends is None


# ---------------------------------------------------------------- rivals


@pytest.mark.parametrize(
    ("students", "binary", "more"),
    [
        (MANY - 1, True, ["IRT with priors"]),
        (MANY - 1, False, []),
        (MANY, True, ["IRT with priors", "student model"]),
        (PLENTY, True, ["IRT with priors", "student model", "IRT"]),
        (PLENTY, False, ["student model", "crossed effects"]),
    ],
)
def test_what_stands_beside_the_class_model(students, binary, more):
    names = [*readers(students, binary)]
    assert names == ["class model", "shrunken mean", *more]


@pytest.mark.parametrize("binary", [True, False])
def test_every_reader_reads_a_class(binary):
    _, scores = class_of(25, 10, binary=binary)
    for name, reader in readers(25, binary).items():
        made = reader(scores)
        assert made.forecast.shape == scores.shape, name
        assert ((made.forecast >= 0) & (made.forecast <= 1)).all(), name
        known = ~np.isnan(scores)
        np.testing.assert_array_equal(made.forecast[known], scores[known])


@pytest.mark.parametrize("binary", [True, False])
def test_meta_learning_a_class(binary):
    answers, scores = class_of(120, 30, 0.7, 5, binary)

    def made():
        return FittedReader(
            lambda table: meta_learned(table, binary, iterations=90), scores
        ).forecast

    one = made()
    np.testing.assert_array_equal(one, made())
    open_ = np.isnan(scores)
    rival = FittedReader(on_items(item_mean), scores).forecast
    losses = [student_losses([Trial(open_, m)], answers).mean() for m in (one, rival)]
    assert losses[0] < losses[1] - 0.01


# ---------------------------------------------------------------- choosing


@given(seed=st.integers(0, 99), known=st.floats(0.05, 1))
def test_a_students_answers_are_dealt_evenly(seed, known):
    _, scores = class_of(9, 7, known, seed)
    fold = folds(scores, rng(seed))
    np.testing.assert_array_equal(fold == -1, np.isnan(scores))
    counts = np.stack([(fold == k).sum(axis=1) for k in range(FOLDS)])
    assert (counts.max(axis=0) - counts.min(axis=0) <= 1).all()


def test_hidden_answers_are_hidden_and_each_is_forecast_once():
    _, scores = class_of(20, 10)
    told = []

    def spy(table):
        told.append(~np.isnan(table))
        return counting(table)

    trials = tried(spy, scores, rng())
    hidden = np.stack([trial.hidden for trial in trials])
    np.testing.assert_array_equal(hidden.sum(axis=0), ~np.isnan(scores))
    for trial, shown in zip(trials, told, strict=True):
        assert not (trial.hidden & shown).any()
    assert len(tried(counting, class_of(MANY, 6)[1], rng())) == 1


def test_losses_by_hand():
    scores = np.array([[1.0, 0.0, NAN], [0.5, NAN, NAN], [1.0, 1.0, 1.0]])
    hidden = [[[1, 0, 0], [1, 0, 0], [0] * 3], [[0, 1, 0], [0] * 3, [0] * 3]]
    made = np.full((3, 3), 0.8)
    trials = [Trial(np.array(h, bool), made) for h in hidden]
    expected = [
        -(math.log(0.8) + math.log(0.2)) / 2,
        -(math.log(0.8) + math.log(0.2)) / 2,
        NAN,
    ]
    np.testing.assert_allclose(student_losses(trials, scores), expected)


def test_another_model_must_be_better_by_more_than_a_standard_error():
    # Differences 0.1 and 0.3: mean 0.2, standard error 0.1.
    losses = {"first": np.array([0.7, 0.9]), "second": np.array([0.6, 0.6])}
    assert one_standard_error(losses) == "second"
    # Differences -0.1 and 0.3: mean 0.1, standard error 0.2.
    losses["second"] = np.array([0.8, 0.6])
    assert one_standard_error(losses) == "first"
    losses = {"first": np.array([0.7]), "second": np.array([0.1])}
    assert one_standard_error(losses) == "first"  # one student has no error
    losses = {"first": np.array([0.7, 0.9, NAN]), "second": np.array([0.6, 0.6, NAN])}
    assert one_standard_error(losses) == "second"


def test_the_smallest_of_four_students_is_often_luck():
    """Two models whose losses differ by 0.01 and spread by 0.1: the rule errs less."""
    generator, wrong = rng(), {"min": 0, "rule": 0}
    for _ in range(500):
        losses = {
            "better": 0.60 + 0.1 * generator.normal(size=4),
            "worse": 0.61 + 0.1 * generator.normal(size=4),
        }
        wrong["min"] += losses["worse"].mean() < losses["better"].mean()
        wrong["rule"] += one_standard_error(losses) == "worse"
    assert wrong["min"] > 200
    assert wrong["rule"] < 0.5 * wrong["min"]


# ---------------------------------------------------------------- intervals


def test_conformal_by_hand():
    misses = np.array([5, 1, 9, 3, 7, 2, 8, 4, 6]) / 10
    assert conformal(misses, 0.8) == 0.8
    assert conformal(misses, 0.9) == 0.9
    assert conformal(misses, 0.95) == math.inf
    assert conformal(-misses, 0.8) == -0.2


@given(n=st.integers(4, 40))
def test_conformal_holds_for_each_place_of_the_new_student(n):
    errors = rng(n).permutation(n + 1).astype(float)
    inside = [errors[i] <= conformal(np.delete(errors, i), 0.8) for i in range(n + 1)]
    assert np.mean(inside) >= 0.8


def test_units_by_hand():
    scores = np.array([[1.0, 0.0], [1.0, 1.0]])
    trial = Trial(np.ones((2, 2), bool), np.full((2, 2), 0.5))
    # Misses of one answer: 0.5, so 0.25. Of means of two: 0 and 0.5; squares less
    # 0.25 / 2: -0.125 and 0.125.
    assert units([trial], scores) == (0.0, 0.25)


def test_cv_plus_by_hand():
    """Four students, two trials; with units of one, sums are forecast and miss."""
    scores = np.array([[1.0, 1, NAN], [1, 0, NAN], [0, 1, NAN], [0, 0, NAN]])
    first, second = np.zeros((2, 4, 3), bool)
    first[:, 0], second[:, 1] = True, True
    made = np.zeros((2, 4, 3))
    made[0, :, 0] = [0.9, 0.8, 0.3, 0.4]  # misses .1, .2, .3, .4
    made[1, :, 1] = [0.5, 0.6, 0.3, 0.8]  # misses .5, .6, .7, .8
    made[0, :, 2], made[1, :, 2] = 0.4, 0.6  # the forecasts of what is open
    trials = [Trial(first, made[0]), Trial(second, made[1])]
    level, answer = units(trials, scores)
    assert math.isclose(answer, np.mean(np.arange(1, 9) ** 2) / 100)
    assert abs(level) < 1e-12  # means of one answer: nothing is left for the level
    ends = cv_plus(trials, scores, 0.5)
    # The fifth of eight sums, one answer hidden and one open, so the same unit: upper
    # .5 .6 .7 .8 and 1.1 1.2 1.3 1.4; lower .3 .2 .1 0 and .1 0 -.1 -.2.
    np.testing.assert_allclose(ends, [[0.0, 1.0]] * 4, atol=1e-9)
    ends = cv_plus(trials, scores, 0.3)  # the third: .7; .1
    np.testing.assert_allclose(ends, [[0.1, 0.7]] * 4, atol=1e-9)
    np.testing.assert_array_equal(cv_plus(trials, scores, 0.95), [[0, 1]] * 4)
    for confidence in (0, 80, 1):
        with pytest.raises(ValueError, match="confidence: expected between 0 and 1"):
            cv_plus(trials, scores, confidence)


def test_cv_plus_covers_what_is_open():
    """Every student serves for forecasts and for calibration, and is covered."""
    inside = []
    for seed in range(30):
        answers, scores = class_of(25, 16, seed=seed)
        reader = on_items(item_response)
        trials = tried(lambda t, r=reader: FittedReader(r, t), scores, rng(seed))
        ends, open_ = cv_plus(trials, scores), np.isnan(scores)
        mean = np.where(open_, answers, 0).sum(1) / np.maximum(open_.sum(1), 1)
        inside += [*((ends[:, 0] <= mean) & (mean <= ends[:, 1]))[open_.any(1)]]
    assert 0.76 < np.mean(inside) < 0.9


def test_mastery_by_hand():
    scores = np.array([[1.0, NAN, NAN, 0.0], [1.0, 1.0, 0.0, 1.0]])
    made = np.array([[1.0, 0.6, 0.4, 0.0], [1.0, 1.0, 0.0, 1.0]])
    ends = np.array([[0.2, 0.9], [NAN, NAN]])
    expected = [[0.5, 0.35, 0.7], [0.75, 0.75, 0.75]]
    np.testing.assert_allclose(mastery(scores, made, ends), expected)
    without = mastery(scores, made, None)
    np.testing.assert_allclose(without, [[0.5, NAN, NAN], [0.75] * 3])


# ---------------------------------------------------------------- asking


def test_worth_by_hand():
    # p is 1/2 and goes to 2/3 or 1/3: each of two others moves by 1/6.
    scores = np.full((1, 3), NAN)
    reader = counting(scores)
    worth = worth_asking(reader, 0, scores[0])
    np.testing.assert_allclose(worth, 2 / 36, rtol=1e-6)
    # A wrong answer known: p is 1/3; right (1/3) leads to 1/2, wrong to 1/4.
    scores[0, 0] = 0
    expected = (1 / 3) * (1 / 6) ** 2 + (2 / 3) * (1 / 12) ** 2
    worth = worth_asking(reader, 0, scores[0])
    np.testing.assert_allclose(worth, [NAN, expected, expected], rtol=1e-6)
    # Points: 1/3 plus or minus 1/3 moves the mean of (1 + y) / 4 by 1/12.
    expected = ((5 / 12 - 1 / 3) ** 2 + (1 / 4 - 1 / 3) ** 2) / 2
    worth = worth_asking(reader, 0, scores[0], noise=1 / 3)
    np.testing.assert_allclose(worth[1:], expected, rtol=1e-6)


def test_nothing_is_worth_asking_of_someone_who_answered_all():
    scores = np.array([[1.0, 0.0, 1.0]])
    worth = worth_asking(counting(scores), 0, scores[0])
    assert np.isnan(worth).all()
    assert to_ask(worth) == []


@pytest.mark.parametrize(
    "learn", [on_items(item_mean), lambda table: laplace, on_items(item_response)]
)
def test_where_a_model_knows_no_difference_nothing_is_listed(learn):
    """All items alike, or of one slope: worth differs by rounding, if at all."""
    scores = np.tile([[1.0], [0.0]], (10, 6))
    scores[:, 3:] = NAN
    worth = worth_asking(FittedReader(learn, scores), 0, scores[0])
    assert to_ask(worth) == []


def test_the_items_of_most_worth_are_listed_the_best_first():
    worth = np.array([NAN, 1.0, 3.0, 1.0, 2.0, 1.0])
    assert to_ask(worth) == [2, 4, 1]
    assert to_ask(worth, most=1) == [2]
    assert to_ask(np.array([1.0, 1.05, 1.0])) == []  # not a tenth more
    assert to_ask(np.array([NAN, 0.2, NAN])) == [1]  # only one is open
    assert to_ask(np.zeros(4)) == []


# ---------------------------------------------------------------- tables


def test_reveal_by_hand():
    scores = np.array([[1.0, NAN, 0.0], [0.0, 1.0, 1.0]])
    known = np.array([[False, False, True], [True, True, False]])
    batch = reveal(scores, known)
    np.testing.assert_array_equal(batch.support_x[..., 0], [[2, 0], [0, 1]])
    np.testing.assert_array_equal(batch.support_y[..., 0], [[0, 0], [0, 1]])
    np.testing.assert_array_equal(batch.support_mask, [[1, 0], [1, 1]])
    np.testing.assert_array_equal(batch.query_mask, [[1, 0, 0], [0, 0, 1]])
    with pytest.raises(ValueError, match="known: expected only what was answered"):
        reveal(np.array([[1.0, NAN]]), np.array([[True, True]]))


@given(count=st.integers(0, 9), seed=st.integers(0, 99))
def test_known_answers_are_answers_and_as_many_as_asked_for(count, seed):
    _, scores = class_of(7, 9, 0.6, seed)
    known = draw_known(scores, count, rng(seed))
    answered = (~np.isnan(scores)).sum(axis=1)
    assert not (known & np.isnan(scores)).any()
    np.testing.assert_array_equal(known.sum(axis=1), np.minimum(answered, count))


def test_the_example_class_is_what_its_script_makes(tmp_path):
    script = ROOT / "examples" / "make_class.py"
    spec = importlib.util.spec_from_file_location("make_class", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.make(tmp_path / "class.csv")
    made, shipped = tmp_path / "class.csv", ROOT / "examples" / "class.csv"
    assert made.read_bytes() == shipped.read_bytes()
