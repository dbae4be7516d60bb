"""What all environments of students do alike."""

import gymnasium as gym
import numpy as np
import pytest

from refimpl.envs import (
    POOLED,
    AdaptiveTest,
    BernoulliBandit,
    BernoulliBandits,
    Navigation2D,
    Tutor,
    TutorEnv,
    TwoStateEnv,
    TwoStateVectorEnv,
)


def bandits(n):
    return BernoulliBandits(n, pulls=3, arms=2)


def half(items, answers):
    return np.full((len(items), 4), 0.5)


def adaptive(n):
    return AdaptiveTest(np.eye(4, dtype=int), half, n, 2)


@pytest.mark.parametrize("make", [bandits, Tutor, TwoStateVectorEnv, adaptive])
@pytest.mark.parametrize(
    "actions",
    [
        [1],
        [[0], [1], [1]],
        [0, 1],
        [0, 1, -1],
        [9] * 3,
        [0.0, 1.0, 1.0],
        [False, True, True],
    ],
)
def test_actions_that_are_not_one_for_each_student_are_refused(make, actions):
    envs, same = make(3), make(3)
    for each in (envs, same):
        each.reset(seed=0)
    with pytest.raises(ValueError, match="actions: expected one from 0 to . for each"):
        envs.step(np.array(actions))
    fine = np.array([0, 1, 1])
    if make is adaptive:
        fine = envs.allowed.argmax(axis=1)
    for before, after in zip(same.step(fine)[:3], envs.step(fine)[:3], strict=True):
        np.testing.assert_array_equal(before, after)  # nothing has moved


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: BernoulliBandits(2, pulls=0, arms=2), "pulls"),
        (lambda: TwoStateVectorEnv(2, max_steps=0), "max_steps"),
    ],
)
def test_a_course_without_steps_is_refused(make, name):
    with pytest.raises(ValueError, match=f"{name}: expected at least 1, got 0"):
        make()


@pytest.mark.parametrize(
    ("vector", "single", "steps"),
    [
        (BernoulliBandits(6, 4, 3), lambda: BernoulliBandit(4, 3), 20),
        (Tutor(6, 5, POOLED), lambda: TutorEnv(5, POOLED), 20),
        (TwoStateVectorEnv(6, 5), lambda: TwoStateEnv(5), 100),
    ],
)
def test_n_single_environments_equal_the_vector(vector, single, steps):
    # Gymnasium's own vector of single environments decides what is right, the
    # autoreset on the next step included.
    singles = gym.vector.SyncVectorEnv([single] * 6)
    assert singles.metadata["autoreset_mode"] == vector.metadata["autoreset_mode"]
    assert singles.single_action_space == vector.single_action_space
    assert singles.observation_space == vector.observation_space
    rng = np.random.default_rng(0)
    for seed in (3, None):  # a reset without a seed goes on with the generators
        first = [envs.reset(seed=seed)[0] for envs in (vector, singles)]
        np.testing.assert_array_equal(*first)
        for _ in range(steps):
            actions = rng.integers(vector.single_action_space.n, size=6)
            for mine, theirs in zip(
                vector.step(actions)[:4], singles.step(actions)[:4], strict=True
            ):
                np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize(
    "make", [bandits, Tutor, TwoStateVectorEnv, adaptive, Navigation2D]
)
def test_a_step_before_the_first_reset_is_refused(make):
    with pytest.raises(RuntimeError, match="step: expected a reset before the first"):
        make(2).step(np.zeros(2, dtype=int))


@pytest.mark.parametrize(
    ("vector", "single", "names"),
    [
        (Tutor(1, 3), TutorEnv(3), {"gain", "expected_reward"}),
        (bandits(1), BernoulliBandit(3, 2), {"episode_over", "expected_reward"}),
    ],
)
def test_one_students_infos_are_those_of_the_vector(vector, single, names):
    for envs in (vector, single):
        envs.reset(seed=0)
    infos, own = vector.step(np.array([0]))[4], single.step(0)[4]
    assert own.keys() == infos.keys() == names
    for name in names:
        assert infos[name].tolist() == [own[name]]
