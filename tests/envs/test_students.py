"""What all environments of students do alike."""

import numpy as np
import pytest

from refimpl.envs import BernoulliBandits, Tutor, TwoStateVectorEnv


def bandits(n):
    return BernoulliBandits(n, pulls=3, arms=2)


@pytest.mark.parametrize("make", [bandits, Tutor, TwoStateVectorEnv])
@pytest.mark.parametrize("actions", [[1], [[0], [1], [1]], [0, 1], [0, 1, -1], [9] * 3])
def test_actions_that_are_not_one_for_each_student_are_refused(make, actions):
    envs, same = make(3), make(3)
    for each in (envs, same):
        each.reset(seed=0)
    with pytest.raises(ValueError, match="actions: expected one from 0 to . for each"):
        envs.step(np.array(actions))
    fine = np.array([0, 1, 1])
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
