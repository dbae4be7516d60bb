"""The two-state world: its rules, its exact values, and N students as one."""

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from refimpl.envs import TwoStateEnv, TwoStateVectorEnv, state_values
from refimpl.envs.two_state import REWARDS, TRANSITIONS


def test_values_by_hand():
    # The good tutor repeats until the student knows, then goes on. By hand:
    # V0 = .9 (.5 V0 + .5 V1), so V0 = (9/11) V1; V1 = 1 + .9 * .8 V0.
    good = np.array([[1.0, 0.0], [0.0, 1.0]])
    v1 = 1 / (1 - 0.9 * 0.8 * 9 / 11)
    np.testing.assert_allclose(state_values(good, 0.9), [9 / 11 * v1, v1])


def test_values_agree_with_the_sum_of_rewards_over_many_courses():
    # If values, transitions and rewards did not fit together, this would differ.
    envs = TwoStateVectorEnv(4000, max_steps=10**6)
    envs.reset(seed=0)
    rng = np.random.default_rng(0)
    total, discount = np.zeros(4000), np.ones(4000)
    for _ in range(150):
        _, reward, terminated, _, _ = envs.step(rng.integers(2, size=4000))
        total += discount * reward
        discount *= 0.9 * ~terminated
    exact = state_values(np.full((2, 2), 0.5), 0.9)[0]
    assert total.mean() == pytest.approx(exact, abs=5 * total.std() / 4000**0.5)


def test_tables_are_distributions():
    np.testing.assert_allclose(TRANSITIONS.sum(axis=2), 1)
    assert REWARDS.shape == TRANSITIONS.shape[:2]


@pytest.mark.parametrize("policy", [np.ones(2), np.ones((2, 2)), [[2, -1], [0, 1]]])
def test_a_policy_that_is_none_is_refused(policy):
    with pytest.raises(ValueError, match="policy: expected"):
        state_values(policy)


@pytest.mark.parametrize("gamma", [-0.1, 1, 1.5, np.nan])
def test_a_discount_that_is_none_is_refused(gamma):
    with pytest.raises(ValueError, match="gamma: expected a number from 0 to below 1"):
        state_values(np.full((2, 2), 0.5), gamma)


def test_the_single_environment_passes_gymnasiums_check():
    check_env(TwoStateEnv(), skip_render_check=True)


def test_all_four_ends_occur():
    envs = TwoStateVectorEnv(50, max_steps=4)
    envs.reset(seed=0)
    seen = set()
    for _ in range(60):
        knows = envs.state == 1
        _, _, terminated, truncated, _ = envs.step(knows.astype(int))
        seen |= set(zip(terminated.tolist(), truncated.tolist(), strict=True))
    assert seen == {(False, False), (True, False), (False, True), (True, True)}


def test_the_step_after_an_end_is_a_reset():
    envs = TwoStateVectorEnv(1, max_steps=2)
    envs.reset(seed=0)
    envs.step(np.array([0]))
    assert envs.step(np.array([0]))[3].all()
    envs.state[:] = 1  # even where new material would pay
    observation, reward, terminated, truncated, _ = envs.step(np.array([1]))
    assert observation.tolist() == [[1, 0]]
    assert (reward, terminated, truncated) == (0, False, False)
