"""Students who learn and forget: updates by hand, closed forms, prerequisites."""

import numpy as np
import pytest

from refimpl.envs.knowledge import (
    MEDIAN,
    NEEDS,
    SLOWDOWN,
    SPREAD,
    Rates,
    chances,
    check_rates,
    draw_rates,
    first_known,
    ready,
    right_chance,
    trace,
)

ONE = Rates(prior=0.5, learn=0.3, forget=0.1, guess=0.2, slip=0.1)


def test_an_update_by_hand():
    # Corbett & Anderson's equations, p = 0.4, g = 0.2, s = 0.1, t = 0.3.
    # Right: P(right) = 0.4 * 0.9 + 0.6 * 0.2 = 0.48, 0.36 / 0.48 = 0.75, and then
    # 0.75 + 0.25 * 0.3 = 0.825. Wrong: 0.04 / 0.52 = 1/13, then 1/13 + 12/13 * 0.3.
    belief = np.array([[0.4, 0, 0, 0, 0]] * 2)
    after = trace(belief, np.array([0, 0]), np.array([1, 0]), ONE)
    np.testing.assert_allclose(after[:, 0], [0.825, 4.6 / 13])
    assert (belief[:, 0] == 0.4).all()  # the argument stays as it was


def test_what_is_not_practiced_is_forgotten():
    belief = np.array([[0.4, 0.5, 0.6, 0.7, 0.8]])
    after = trace(belief, np.array([0]), np.array([1]), ONE)
    np.testing.assert_allclose(after[0, 1:], [0.45, 0.54, 0.63, 0.72])
    # For t exercises on another skill, 0.9^t is left of it.
    known = np.array([1.0, 1, 0, 0, 0])
    for _ in range(7):
        known = chances(known, 0, ONE)
    assert known[1] == pytest.approx(0.9**7)
    assert known[0] == 1


def test_mastery_after_t_exercises_has_a_closed_form():
    # Whatever the answers were, on average 1 - (1 - p) (1 - t)^n is known after n.
    known = np.array([0.5, 0, 0, 0, 0])
    for _ in range(6):
        known = chances(known, 0, ONE)
    assert known[0] == pytest.approx(1 - 0.5 * 0.7**6)


def test_tracing_is_right_on_average():
    # Bayes' rule moves beliefs, but not their mean over answers: a martingale.
    belief = np.array([[0.4, 0.3, 0.2, 0.1, 0.0]] * 2)
    practiced = np.array([1, 1])
    after = trace(belief, practiced, np.array([1, 0]), ONE)
    p = right_chance(0.3, ONE)
    mean = p * after[0, 1] + (1 - p) * after[1, 1]
    assert mean == pytest.approx(chances(belief[0], 1, ONE)[1])


def test_a_skill_is_learned_slowly_while_a_prerequisite_is_missing():
    # Skill 3 rests on 1 and 2; one of them is not enough.
    known = np.array([[1.0, 1, 1, 0, 0], [1, 1, 0, 0, 0], [1, 0, 0, 0, 0]])
    learned = chances(known, np.array([3, 3, 3]), ONE)[:, 3]
    np.testing.assert_allclose(learned, [0.3, 0.3 * SLOWDOWN, 0.3 * SLOWDOWN])
    # With probability 0.5 each, both are known with 0.25: the mean of the two rates.
    half = np.array([1, 0.5, 0.5, 0, 0])
    expected = 0.3 * (0.25 + 0.75 * SLOWDOWN)
    assert chances(half, 3, ONE)[3] == pytest.approx(expected)


def test_prerequisites_come_first():
    # The environment draws skills in this order; a circle would never be ready.
    assert not np.triu(NEEDS).any()
    assert ready(np.zeros(5)).tolist() == [1, 0, 0, 0, 0]
    assert ready(np.array([1.0, 1, 0, 0, 0])).tolist() == [1, 1, 1, 0, 0]


def test_first_knowledge_is_a_power_of_the_prior():
    # 0 alone; 1 and 2 with 0; 3 with 0, 1, 2; 4 with all the others.
    np.testing.assert_allclose(first_known(0.5), 0.5 ** np.array([1, 2, 2, 4, 5]))
    assert first_known(np.array([0.2, 0.9])).shape == (2, 5)


def test_rates_are_drawn_around_the_median_student():
    rates = draw_rates(np.random.default_rng(0).standard_normal((100_000, 5)))
    for name, values in vars(rates).items():
        assert np.median(values) == pytest.approx(getattr(MEDIAN, name), rel=0.03)
        logits = np.log(values / (1 - values))
        low, high = np.quantile(logits, [0.25, 0.75])  # ± 0.6745 deviations
        width = getattr(SPREAD, name) * 2 * 0.6745
        assert high - low == pytest.approx(width, rel=0.03)


def test_knowing_never_hurts():
    # Otherwise a good tutor would keep a student from learning.
    extreme = draw_rates(np.full((1, 5), 9.0))
    assert extreme.guess == extreme.slip == 0.5
    assert extreme.learn > 0.99


@pytest.mark.parametrize(
    ("name", "value"),
    [("slip", [0.1]), ("learn", [0.1, 1.1]), ("prior", [0.1, np.nan])],
)
def test_rates_that_are_none_are_refused(name, value):
    values = dict.fromkeys(vars(ONE), np.array([0.1, 0.2])) | {name: np.array(value)}
    with pytest.raises(ValueError, match=f"rates: expected {name} from 0 to 1"):
        check_rates(Rates(**values), 2)
