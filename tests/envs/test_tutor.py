"""The tutor's world: its rules by hand, its luck, and N students as one."""

from dataclasses import replace

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from refimpl.envs import POOLED, Rates, Tutor, TutorEnv
from refimpl.envs.knowledge import chances, first_known, right_chance, trace
from refimpl.envs.tutor import score


def alike(students, **rates):
    """N students with the same rates."""
    return Rates(**{name: np.full(students, value) for name, value in rates.items()})


def test_the_single_environment_passes_gymnasiums_check():
    check_env(TutorEnv(exercises=4), skip_render_check=True)
    check_env(TutorEnv(exercises=4, bars=POOLED), skip_render_check=True)


def test_a_score_by_hand():
    # Two of five skills known: (2 * 0.9 + 3 * 0.2) / 5.
    rates = Rates(prior=0.5, learn=0.3, forget=0.1, guess=0.2, slip=0.1)
    assert score(np.array([1, 1, 0, 0, 0]), rates) == pytest.approx(0.48)


def test_a_session_by_hand():
    # Without chance: everything is learned at once, nothing is forgotten, no slips.
    envs = Tutor(2, exercises=3)
    sure = alike(2, prior=0, learn=1, forget=0, guess=0, slip=0)
    seen, _ = envs.reset(seed=0, options={"rates": sure})
    assert seen.tolist() == [[0] * 7] * 2
    assert not envs.known.any()
    seen, reward, _, _, infos = envs.step(np.array([0, 0]))
    np.testing.assert_allclose(seen, [[1, 0, 0, 0, 0, -1, 1 / 3]] * 2, rtol=1e-6)
    assert reward.tolist() == [0, 0]  # not told before the post-test
    np.testing.assert_allclose(infos["gain"], 0.2)
    seen, _, over, _, _ = envs.step(np.array([0, 1]))
    np.testing.assert_allclose(seen[:, 5], [1, -1])  # known, and not yet known
    assert not over.any()
    _, reward, over, truncated, _ = envs.step(np.array([0, 2]))
    assert over.all()
    assert not truncated.any()
    np.testing.assert_allclose(reward, [1 / 5, 3 / 5])


def test_gains_add_up_to_post_test_minus_pre_test():
    envs = Tutor(200, exercises=12)
    envs.reset(seed=0)
    before = score(envs.known, envs.rates)
    total, paid = np.zeros((2, 200))
    rng = np.random.default_rng(0)
    for _ in range(12):
        _, reward, over, _, infos = envs.step(rng.integers(5, size=200))
        total += infos["gain"]
        paid += reward
    assert over.all()
    np.testing.assert_allclose(total, score(envs.known, envs.rates) - before)
    np.testing.assert_allclose(paid, total, atol=1e-12)


def test_the_expected_reward_is_the_gain_without_its_luck():
    # All know 0 and 1 only. To practice 2 adds .3 and loses .1 + .1, worth .7 / 5 each.
    n = 40_000
    envs = Tutor(n, exercises=1)
    rates = dict(prior=0.6, learn=0.3, forget=0.1, guess=0.2, slip=0.1)
    envs.reset(seed=0, options={"rates": alike(n, **rates)})
    envs.known[:] = [1, 1, 0, 0, 0]
    infos = envs.step(np.full(n, 2))[4]
    np.testing.assert_allclose(infos["expected_reward"], 0.1 * 0.7 / 5)
    error = infos["gain"] - infos["expected_reward"]
    assert error.std() > 0.05
    assert error.mean() == pytest.approx(0, abs=4 * error.std() / n**0.5)


def test_students_begin_learn_forget_and_answer_at_their_rates():
    n = 40_000
    rates = dict(prior=0.6, learn=0.3, forget=0.1, guess=0.2, slip=0.1)
    envs = Tutor(n, exercises=2)
    envs.reset(seed=0, options={"rates": alike(n, **rates)})
    np.testing.assert_allclose(envs.known.mean(axis=0), first_known(0.6), atol=0.01)
    before = envs.known.copy()
    expected = chances(before, np.full(n, 1), Rates(**rates))
    seen = envs.step(np.full(n, 1))[0]
    np.testing.assert_allclose(
        envs.known.mean(axis=0), expected.mean(axis=0), atol=0.01
    )
    for state in (0, 1):  # of the skill before the exercise, not after it
        right = (seen[before[:, 1] == state, 5] == 1).mean()
        assert right == pytest.approx(right_chance(state, Rates(**rates)), abs=0.01)


def test_the_luck_is_the_same_whatever_is_chosen():
    # Skill 0's answer and fate in exercise 2 do not depend on what was chosen in 1.
    envs = Tutor(500, exercises=2)
    rates = alike(500, prior=0.5, learn=0.0, forget=0.0, guess=0.3, slip=0.3)
    answers = []
    for first in (1, 4):
        envs.reset(seed=7, options={"rates": rates})
        envs.step(np.full(500, first))
        answers.append(envs.step(np.zeros(500, int))[0][:, 5])
    np.testing.assert_array_equal(*answers)
    assert 0.2 < (answers[0] == 1).mean() < 0.8


def test_bars_are_traced_from_the_answers():
    envs = Tutor(50, exercises=6, bars=POOLED)
    seen, _ = envs.reset(seed=0)
    belief = np.tile(first_known(POOLED.prior), (50, 1))
    rng = np.random.default_rng(0)
    for _ in range(6):
        np.testing.assert_allclose(seen[:, 7:], belief, rtol=1e-5)
        actions = rng.integers(5, size=50)
        seen = envs.step(actions)[0]
        belief = trace(belief, actions, seen[:, 5] == 1, POOLED)


def test_bars_are_calibrated_where_their_assumptions_hold():
    # Skill 0 has no prerequisites: of those with a bar of 70 %, 70 % know it.
    envs = Tutor(40_000, exercises=5, bars=POOLED)
    envs.reset(seed=0, options={"rates": alike(40_000, **vars(POOLED))})
    for skill in (0, 1, 0, 1, 0):
        envs.step(np.full(40_000, skill))
    for low in np.arange(0, 1, 0.2):
        part = (envs.belief[:, 0] >= low) & (envs.belief[:, 0] < low + 0.2)
        if part.sum() > 1000:
            gap = (envs.known[part, 0] - envs.belief[part, 0]).mean()
            assert gap == pytest.approx(0, abs=2.5 / part.sum() ** 0.5)


def test_a_session_ends_after_its_exercises_and_then_new_students_come():
    envs = Tutor(3, exercises=2)
    rates = alike(3, prior=0.5, learn=0.3, forget=0.1, guess=0.2, slip=0.1)
    envs.reset(seed=0, options={"rates": rates})
    assert not envs.step(np.zeros(3, int))[2].any()
    assert envs.step(np.zeros(3, int))[2].all()
    assert (envs.rates.learn == 0.3).all()
    seen, reward, terminated, _, infos = envs.step(np.ones(3, int))
    assert (seen == 0).all()
    assert (reward == 0).all()
    assert (infos["gain"] == 0).all()
    assert (infos["expected_reward"] == 0).all()
    assert not terminated.any()
    assert (envs.rates.learn != 0.3).all()


def test_given_students_do_not_change_the_other_draws():
    # The same student, another unit: what is known is drawn anew, luck too.
    envs = Tutor(100)
    envs.reset(seed=0)
    rates, luck = envs.rates, envs.luck
    envs.reset(seed=0, options={"rates": rates})
    np.testing.assert_array_equal(envs.luck, luck)
    envs.reset(options={"rates": rates})
    np.testing.assert_array_equal(envs.rates.learn, rates.learn)
    assert (envs.luck != luck).all()


@pytest.mark.parametrize("skill", [-1, 5])
def test_an_action_that_is_no_skill_is_refused(skill):
    envs = Tutor(2)
    envs.reset(seed=0)
    with pytest.raises(ValueError, match="actions: expected one from 0 to 4"):
        envs.step(np.array([0, skill]))


def test_bad_settings_are_refused():
    with pytest.raises(ValueError, match="exercises: expected at least 1, got 0"):
        Tutor(1, exercises=0)
    with pytest.raises(ValueError, match="rates: expected prior from 0 to 1"):
        Tutor(2).reset(seed=0, options={"rates": POOLED})


@pytest.mark.parametrize("name", ["guess", "slip"])
@pytest.mark.parametrize("value", [0, 1])
def test_bars_that_an_answer_could_contradict_are_refused(name, value):
    # 0 / 0: a slip where nobody slips, of who surely knows.
    with pytest.raises(ValueError, match="bars: expected guess and slip between 0 and"):
        Tutor(1, bars=replace(POOLED, **{name: value}))
    with pytest.raises(ValueError, match=f"bars: expected {name} from 0 to 1"):
        Tutor(1, bars=replace(POOLED, **{name: value + 2}))


def test_drawn_tasks_are_students_each_for_as_many_units():
    envs = Tutor(6)
    envs.reset(seed=0, options=envs.draw_tasks(np.random.default_rng(0), 3))
    for rate in vars(envs.rates).values():
        assert (rate[::2] == rate[1::2]).all()
    assert len(np.unique(envs.rates.learn)) == 3
