"""Bernoulli bandits: their rules, and N students as one."""

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from refimpl.envs import BernoulliBandit, BernoulliBandits


def test_the_single_environment_passes_gymnasiums_check():
    check_env(BernoulliBandit(pulls=4, arms=3), skip_render_check=True)


def test_rewards_come_at_the_students_own_rates():
    envs = BernoulliBandits(20_000, pulls=6, arms=2)
    envs.reset(seed=0)
    wins = np.zeros((2, 20_000))
    for t in range(6):
        wins[t % 2] += envs.step(np.full(20_000, t % 2))[1]
    # Var(wins / 3 - rate) = E[p (1 - p)] / 3 = 1 / 18; no bias where rates are high.
    error = wins.T / 3 - envs.rates
    assert error.var() == pytest.approx(1 / 18, abs=0.002)
    for part in (envs.rates < 0.3, envs.rates > 0.7):
        assert error[part].mean() == pytest.approx(0, abs=0.01)
    quartiles = np.quantile(envs.rates, [0.25, 0.5, 0.75])
    np.testing.assert_allclose(quartiles, [0.25, 0.5, 0.75], atol=0.01)


def test_a_lesson_ends_after_its_pulls_and_then_a_new_student_comes():
    envs = BernoulliBandits(3, pulls=2, arms=2)
    observation, _ = envs.reset(seed=0)
    before = envs.rates
    assert (observation == 0).all()
    observation, _, terminated, truncated, infos = envs.step(np.zeros(3, int))
    assert (observation == 0.5).all()
    assert infos["episode_over"].all()  # a pull is an episode of RL-squared
    np.testing.assert_array_equal(infos["expected_reward"], envs.rates[:, 0])
    assert not (terminated | truncated).any()
    assert envs.step(np.zeros(3, int))[2].all()
    np.testing.assert_array_equal(envs.rates, before)
    observation, reward, terminated, _, _ = envs.step(np.ones(3, int))
    assert (observation == 0).all()
    assert (reward == 0).all()
    assert not terminated.any()
    assert (envs.rates != before).all()


@pytest.mark.parametrize("arm", [-1, 2])
def test_an_action_that_is_no_arm_is_refused(arm):
    envs = BernoulliBandits(2, pulls=2, arms=2)
    envs.reset(seed=0)
    with pytest.raises(ValueError, match="actions: expected one from 0 to 1"):
        envs.step(np.array([0, arm]))
