"""A teacher's own class: widths, worth and mastery as worked out by hand."""

import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refimpl.baselines import item_mean, item_response
from refimpl.own_class import (
    Report,
    Width,
    ask_on,
    calibrate,
    conformal,
    draw_known,
    hide,
    mastery,
    mean_errors,
    meta_learned,
    reveal,
    save_page,
    score_table,
    student_losses,
    worth_asking,
)
from refimpl.tasks import ResponseTasks, TaskBatch

ROOT = Path(__file__).parents[2]
NAN = np.nan


def rng(seed=0):
    return np.random.default_rng(seed)


def laplace(batch):
    """Every item alike: one right and one wrong answer more than there were."""
    right = (batch.support_y[..., 0] * batch.support_mask).sum(axis=1)
    p = (1 + right) / (2 + batch.support_mask.sum(axis=1))
    return np.broadcast_to(p[:, None, None], batch.query_y.shape)


def test_of_repeated_answers_the_last_counts():
    x = np.array([[[1.0], [0.0], [1.0]]], np.float32)
    y = np.array([[[0.0], [1.0], [1.0]]], np.float32)
    batch = TaskBatch(
        x * 0, y * 0, np.zeros((1, 3), np.float32), x, y, y[..., 0] * 0 + 1
    )
    np.testing.assert_array_equal(score_table(batch, 3), [[1, 1, NAN]])
    for wrong, told in ((-1, "-1 to 1"), (1.5, "1 to 1.5")):
        x[0, 1] = wrong
        with pytest.raises(ValueError, match=f"items: expected 3, .* from {told}"):
            score_table(batch, 3)


def test_reveal_by_hand():
    scores = np.array([[NAN, 3, 0, 5], [2, NAN, NAN, 4]], np.float32)
    known = np.array([[False, False, True, True], [False] * 4])
    batch = reveal(scores, known)
    np.testing.assert_array_equal(batch.support_x[..., 0], [[2, 3], [0, 0]])
    np.testing.assert_array_equal(batch.support_y[..., 0], [[0, 5], [0, 0]])
    np.testing.assert_array_equal(batch.support_mask, [[1, 1], [0, 0]])
    np.testing.assert_array_equal(batch.query_x[..., 0], [[0, 1, 2, 3]] * 2)
    np.testing.assert_array_equal(batch.query_mask, [[0, 1, 0, 0], [1, 0, 0, 1]])
    np.testing.assert_array_equal(batch.query_y[1, :, 0], [2, 0, 0, 4])


@given(st.integers(0, 9), st.integers(0, 2**32 - 1))
def test_known_answers_are_answers_and_as_many_as_asked_for(count, seed):
    scores = np.where(rng(seed).random((7, 8)) < 0.6, 1.0, NAN)
    known = draw_known(scores, count, rng(seed))
    assert not known[np.isnan(scores)].any()
    answered = (~np.isnan(scores)).sum(axis=1)
    np.testing.assert_array_equal(known.sum(axis=1), answered.clip(max=count))
    with pytest.raises(TypeError, match="rng: expected a numpy.random.Generator"):
        draw_known(scores, count, seed)


def test_only_who_has_enough_answers_can_hide_some():
    scores = np.full((2, 20), NAN)
    scores[0, :10] = scores[1, :9] = 1
    assert len(hide(scores, 5, rng())) == 1
    assert hide(scores, 6, rng()) is None


def test_conformal_by_hand():
    errors = np.array([5, 1, 9, 3, 7, 2, 8, 4, 6]) / 10
    assert conformal(errors, 0.8) == 0.8  # the 8th smallest of 9
    assert conformal(errors, 0.9) == 0.9
    assert conformal(errors, 0.95) == math.inf
    assert conformal(errors[:4], 0.8) == 0.9  # the largest of 4
    assert conformal(errors[:3], 0.8) == math.inf


@given(st.integers(4, 40))
def test_conformal_holds_for_each_place_of_the_new_student(n):
    """Of n + 1 errors each may be the new one: at least 80 % are covered."""
    errors = rng(n).normal(size=n + 1) ** 2
    covered = [e <= conformal(np.delete(errors, i), 0.8) for i, e in enumerate(errors)]
    assert np.mean(covered) >= 0.8


def test_losses_and_errors_count_what_is_hidden_only():
    scores = np.array([[1, 0, 1, NAN]])
    batch = reveal(scores, np.array([[True, False, False, False]]))
    p = np.array([0.9, 0.25, 0.75, 0.9]).reshape(1, 4, 1)
    assert student_losses(p, batch, True) == pytest.approx(-math.log(0.75))
    assert student_losses(p, batch, False) == pytest.approx(0.0625)
    assert mean_errors(p, batch) == pytest.approx(0)


def test_mastery_by_hand():
    scores = np.array([[1, 1, 0, NAN, NAN], [1, 0, 1, 1, 1], [NAN] * 5])
    p = np.full((3, 5, 1), 0.75)
    widths = {1: Width(0.25, 0.5), 5: Width(0.0, 0.0)}
    level, low, high = mastery(p, scores, widths, (0, 1))
    np.testing.assert_allclose(level, [3.5 / 5, 0.8, 0.75])
    # sqrt(0.25 + 0.5 / 2) of two of five; nothing open; nothing known, so anything.
    half = math.sqrt(0.5) * 2 / 5
    np.testing.assert_allclose(low, [max(3.5 / 5 - half, 2 / 5), 0.8, 0])
    np.testing.assert_allclose(high, [4 / 5, 0.8, 1])


def test_calibrated_widths_cover_new_students():
    ability = rng().normal(size=(900, 1))
    right = rng(1).random((900, 40)) < 1 / (1 + np.exp(-ability))
    scores = np.where(right, 1.0, 0.0)
    scores[:240, 24:] = scores[300:540, 24:] = NAN  # 60 of 300 could hide some of 20
    train, new, test = np.split(scores, 3)
    widths = calibrate(laplace, train, new, 0.8, rng())
    assert [*widths] == [5, 10]
    for known, width in widths.items():
        batch = hide(test, known, rng())
        off = abs(mean_errors(laplace(batch), batch))
        assert abs((off <= width(40 - known)).mean() - 0.8) < 0.09


def test_worth_by_hand():
    # p is 1/2 and goes to 2/3 or 1/3: each of two others moves by 1/6.
    scores = np.full(3, NAN)
    worth = worth_asking(laplace, scores, np.arange(3))
    np.testing.assert_allclose(worth, 2 / 36, rtol=1e-6)
    # A wrong answer known: p is 1/3; right (1/3) leads to 1/2, wrong to 1/4.
    scores[0] = 0
    expected = (1 / 3) * (1 / 6) ** 2 + (2 / 3) * (1 / 12) ** 2
    worth = worth_asking(laplace, scores, np.array([1, 2]))
    np.testing.assert_allclose(worth, expected, rtol=1e-6)
    # Numeric: 1/3 plus or minus 1 moves the mean of (1 + y) / 4 by 1/4 around 1/3.
    expected = ((7 / 12 - 1 / 3) ** 2 + (1 / 12 - 1 / 3) ** 2) / 2
    worth = worth_asking(laplace, scores, np.array([2]), noise=1.0)
    np.testing.assert_allclose(worth, expected, rtol=1e-6)


def test_an_item_that_moves_nothing_is_worth_nothing():
    scores = np.full((50, 4), 1.0)
    predictor = item_mean(reveal(scores, scores == 0), 4)
    assert (worth_asking(predictor, np.full(4, NAN), np.arange(4)) == 0).all()


def test_asking_what_is_worth_most_beats_asking_at_random():
    tasks = ResponseTasks("quantitative")
    train, test = (tasks.correct[tasks.splits[s]] for s in ("train", "test"))
    predictor = item_response(reveal(train, np.zeros(train.shape, bool)), 80)
    scores = test[:150]
    known = draw_known(scores, 5, rng())
    goal = draw_known(np.where(known, NAN, scores), 37, rng())
    loss = []
    for chance in (None, rng()):
        asked = ask_on(predictor, scores, known, ~goal, 5, rng=chance)
        assert (asked.sum(axis=1) == 10).all()
        assert not (asked & goal).any()
        batch = reveal(np.where(goal | asked, scores, NAN), asked)
        loss.append(student_losses(predictor(batch), batch, True).mean())
    assert loss[0] < loss[1] - 0.005


@pytest.mark.parametrize("binary", [True, False])
def test_meta_learning_a_small_class(binary):
    generator = rng()
    logit = 1.5 * generator.normal(size=(120, 1)) + generator.normal(size=30)
    chance = generator.random((120, 30))
    scores = np.round(10 / (1 + np.exp(-logit - chance)))
    if binary:
        scores = np.where(chance < 1 / (1 + np.exp(-logit)), 1.0, 0.0)
    scores[generator.random((120, 30)) < 0.3] = NAN
    train, new = scores[:90], scores[90:]
    batch = hide(new, 8, rng())

    def made(scale=1.0, shift=0.0):
        predictor = meta_learned(train * scale + shift, binary, iterations=90)
        return predictor(hide(new * scale + shift, 8, rng()))

    one = made()
    np.testing.assert_array_equal(one, made())
    losses = [
        student_losses(p, batch, binary).mean()
        for p in (one, item_mean(reveal(train, train < -1), 30)(batch))
    ]
    assert losses[0] < 0.9 * losses[1]
    if not binary:  # in other units, the same
        np.testing.assert_allclose(made(3, 7), 3 * one + 7, rtol=0.02)


def test_the_example_class_is_what_its_script_makes(tmp_path):
    script = ROOT / "examples" / "make_class.py"
    spec = importlib.util.spec_from_file_location("make_class", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.make(tmp_path / "class.csv")
    made, shipped = tmp_path / "class.csv", ROOT / "examples" / "class.csv"
    assert made.read_bytes() == shipped.read_bytes()


def test_nothing_is_worth_asking_of_someone_who_answered_all():
    scores = np.array([1.0, 0.0, 1.0])
    assert (
        worth_asking(lambda batch: batch.query_y, scores, np.array([], int)).size == 0
    )


def test_what_cannot_be_meant_is_refused():
    with pytest.raises(ValueError, match="known: expected only what was answered"):
        reveal(np.array([[1.0, NAN]]), np.array([[True, True]]))
    for confidence in (0, 80, 1):
        with pytest.raises(ValueError, match="confidence: expected between 0 and 1"):
            conformal(np.array([1.0, 2, 3]), confidence)
    with pytest.raises(ValueError, match="errors: expected finite numbers"):
        conformal(np.array([1.0, NAN]), 0.8)
    alone = reveal(np.array([[1.0, 0.0]]), np.array([[True, True]]))
    with pytest.raises(ValueError, match="batch: expected a query or more of each"):
        mean_errors(np.zeros((1, 2, 1)), alone)
    with pytest.raises(ValueError, match="batch: expected a query or more of each"):
        student_losses(np.zeros((1, 2, 1)), alone, binary=False)
    with pytest.raises(ValueError, match="scores: expected 0 and 1 only"):
        meta_learned(np.array([[1.0, 2.0], [0.0, NAN]]), True)
    pool, known = np.ones((1, 3), bool), np.zeros((1, 3), bool)
    with pytest.raises(ValueError, match="rounds: expected fewer than 3: no item"):
        ask_on(laplace, np.array([[1, 0, NAN]]), known, pool, 3)


def test_a_page_that_failed_leaves_nothing(tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        Path(args[1]).write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr("refimpl.own_class.page.Figure.savefig", fail)
    scores = np.array([1.0, NAN])
    report = Report(2, scores, np.array([0.9, 0.5]), 0.7, 0.6, 0.8, [1], True)
    with pytest.raises(OSError, match="disk full"):
        save_page(tmp_path, report, ["a", "b"], np.array([0.2, 0.7]), (0, 1))
    assert not any(tmp_path.iterdir())
