"""2-D navigation: its rules by hand, its best policy, and N points as one."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from refimpl.envs import Navigation2D, Navigation2DEnv
from refimpl.envs.navigation import straight_to


def test_the_single_environment_passes_gymnasiums_check():
    check_env(Navigation2DEnv(), skip_render_check=True)


def test_n_single_environments_equal_the_vector():
    # Points that go straight to their goals end at different times.
    vector = Navigation2D(6, horizon=6, tolerance=0.05)
    singles = gym.vector.SyncVectorEnv(
        [lambda: Navigation2DEnv(horizon=6, tolerance=0.05)] * 6
    )
    assert singles.metadata["autoreset_mode"] == vector.metadata["autoreset_mode"]
    assert singles.single_action_space == vector.single_action_space
    assert singles.observation_space == vector.observation_space
    ends = set()
    for seed in (3, None):  # a reset without a seed goes on with the generators
        first = [envs.reset(seed=seed)[0] for envs in (vector, singles)]
        np.testing.assert_array_equal(*first)
        for _ in range(40):
            actions = straight_to(vector.goals, vector.positions).astype(np.float32)
            actions[3:] *= 0.1  # too slow to arrive
            mine, theirs = vector.step(actions)[:4], singles.step(actions)[:4]
            for one, other in zip(mine, theirs, strict=True):
                np.testing.assert_array_equal(one, other)
            ends |= set(zip(mine[2].tolist(), mine[3].tolist(), strict=True))
    assert ends >= {(False, False), (True, False), (False, True)}


def test_a_step_by_hand():
    envs = Navigation2D(2)
    envs.reset(seed=0, options={"goals": [[0.3, -0.4], [0.0, 0.2]]})
    # The second command is faster than allowed: 0.1 per coordinate, not per step.
    seen, reward, _, _, _ = envs.step(np.array([[1.0, -0.5], [-7.0, 2.0]]))
    np.testing.assert_allclose(seen, [[0.1, -0.05], [-0.1, 0.1]], rtol=1e-6)
    np.testing.assert_allclose(reward, [-(0.2**2 + 0.35**2), -(0.1**2 + 0.1**2)])


def test_the_single_environment_takes_a_goal_too():
    env = Navigation2DEnv()
    env.reset(seed=0, options={"goals": [[0.3, 0.4]]})
    assert env.step(np.zeros(2, np.float32))[1] == pytest.approx(-0.25)


def test_an_episode_ends_within_the_disk_not_the_square():
    # 0.009 off in both coordinates is 0.0127 away: the authors' program would end.
    envs = Navigation2D(3)
    envs.reset(seed=0, options={"goals": [[0.009, 0.009], [0.009, 0.0], [0.0, 0.011]]})
    _, _, terminated, truncated, _ = envs.step(np.zeros((3, 2)))
    assert terminated.tolist() == [False, True, False]
    assert not truncated.any()


def test_the_step_after_an_end_is_a_reset_with_a_new_goal():
    envs = Navigation2D(2)
    envs.reset(seed=0, options={"goals": [[0.1, 0.0], [0.5, 0.5]]})
    assert envs.step(np.array([[1.0, 0.0]] * 2))[2].tolist() == [True, False]
    seen, reward, terminated, _, _ = envs.step(np.array([[1.0, 0.0]] * 2))
    np.testing.assert_allclose(seen, [[0, 0], [0.2, 0]], rtol=1e-6)
    assert reward[0] == 0
    assert reward[1] < 0
    assert not terminated.any()
    assert (envs.goals[0] != [0.1, 0]).all()
    assert (envs.goals[1] == 0.5).all()


def test_with_tolerance_0_all_episodes_are_of_one_length():
    envs = Navigation2D(50, horizon=9, tolerance=0)
    envs.reset(seed=0)
    for t in range(1, 10):
        _, _, terminated, truncated, _ = envs.step(
            straight_to(envs.goals, envs.positions)
        )
        assert not terminated.any()
        assert (truncated == (t == 9)).all()
    np.testing.assert_allclose(envs.positions, envs.goals, atol=1e-12)


def test_goals_fill_the_unit_square():
    envs = Navigation2D(20_000)
    envs.reset(seed=0)
    np.testing.assert_allclose(envs.goals.mean(axis=0), 0, atol=0.01)
    np.testing.assert_allclose(envs.goals.var(axis=0), 1 / 12, atol=0.002)
    assert np.abs(envs.goals).max() <= 0.5


def test_the_best_return_is_the_one_in_closed_form():
    # A coordinate g from 0 costs (g - 0.1)^2 + (g - 0.2)^2 + ... until it is there.
    # Its mean over g uniform in [0, 0.5], by hand: the integral of (g - 0.1 t)^2 from
    # 0.1 t to 0.5 is (0.5 - 0.1 t)^3 / 3; summed over t, 0.1 / 3; divided by the 0.5
    # that g is spread over, 1 / 15. Two coordinates cost twice that.
    envs = Navigation2D(20_000, horizon=10, tolerance=0)
    envs.reset(seed=0)
    total = sum(
        envs.step(straight_to(envs.goals, envs.positions))[1] for _ in range(10)
    )
    assert total.mean() == pytest.approx(-2 / 15, abs=5 * total.std() / 20_000**0.5)


@pytest.mark.parametrize(
    ("goals", "actions"),
    [(np.zeros((3, 2)), None), ([[0, np.nan]] * 2, None), (None, np.zeros(2))],
)
def test_what_does_not_fit_is_refused(goals, actions):
    envs = Navigation2D(2)
    if goals is not None:
        with pytest.raises(ValueError, match="options: expected finite goals of shape"):
            envs.reset(seed=0, options={"goals": goals})
    else:
        envs.reset(seed=0)
        with pytest.raises(ValueError, match="actions: expected numbers of shape"):
            envs.step(actions)


def test_an_action_that_is_no_number_is_refused():
    envs = Navigation2D(1)
    envs.reset(seed=0)
    with pytest.raises(ValueError, match=r"actions: .* \(1, 2\), got \[\[ 0. nan\]\]"):
        envs.step(np.array([[0, np.nan]]))
    with pytest.raises(ValueError, match=r"options: .* \(1, 2\), got \[\[ 0. nan\]\]"):
        envs.reset(options={"goals": [[0, np.nan]]})


@pytest.mark.parametrize(
    "arguments", [{"horizon": 0}, {"tolerance": -1.0}, {"tolerance": np.nan}]
)
def test_bad_settings_are_refused(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        Navigation2D(1, **arguments)


def test_a_horizon_is_a_count():
    with pytest.raises(TypeError, match="horizon: expected an integer, got 2.5"):
        Navigation2D(1, horizon=2.5)


def test_drawn_tasks_are_goals_each_for_as_many_points():
    envs = Navigation2D(6)
    options = envs.draw_tasks(np.random.default_rng(0), 3)
    envs.reset(seed=0, options=options)
    assert (envs.goals[::2] == envs.goals[1::2]).all()
    assert len(np.unique(envs.goals, axis=0)) == 3
    assert (abs(envs.goals) <= 0.5).all()
