"""A vector environment of one student, as a plain Gymnasium environment."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np


class OneStudentEnv(gym.Env):
    """The same rules for one student; ``students`` is a vector environment of one.

    Its list ``generators`` is where the student's random numbers come from.
    """

    def __init__(self, students: Any) -> None:
        self.students = students
        self.observation_space = students.single_observation_space
        self.action_space = students.single_action_space

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict]:
        """Begin anew; ``options`` are the vector environment's."""
        super().reset(seed=seed)
        self.students.generators = [self.np_random]
        return self.students.reset(options=options)[0][0], {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict]:
        """Act once."""
        observation, reward, terminated, truncated, _ = self.students.step(
            np.array([action])
        )
        return observation[0], float(reward[0]), *map(bool, (terminated, truncated)), {}
