"""Many students at once, and one of them as a plain Gymnasium environment."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from refimpl.checks import check_count


class StudentsEnv(gym.vector.VectorEnv):
    """``num_envs`` N students, each with a generator of their own; next-step autoreset.

    ``generators[i]`` is made from ``seed + i``, so that student i does not depend on
    how many others there are. ``seen`` and ``chosen`` are one student's spaces. Raises
    a ValueError if ``num_envs`` is below 1, or ``reset`` gets options of other names
    than ``known_options``.
    """

    known_options: tuple[str, ...] = ()

    def __init__(self, num_envs: int, seen: gym.Space, chosen: gym.Space) -> None:
        self.metadata = {"autoreset_mode": AutoresetMode.NEXT_STEP}
        self.num_envs = check_count("num_envs", num_envs, 1)
        self.single_observation_space, self.single_action_space = seen, chosen
        self.observation_space = batch_space(seen, num_envs)
        self.action_space = batch_space(chosen, num_envs)
        self.generators: list[np.random.Generator] = []

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> Any:
        """Make the generators, if a seed is given or there are none yet."""
        super().reset(seed=seed)
        if unknown := sorted({*(options or {})} - {*self.known_options}):
            raise ValueError(
                f"options: expected {', '.join(self.known_options) or 'none'}, "
                f"got {', '.join(unknown)}"
            )
        if seed is not None or not self.generators:
            seeds = [None if seed is None else seed + i for i in range(self.num_envs)]
            self.generators = [seeding.np_random(s)[0] for s in seeds]

    def check_reset(self) -> None:
        """Raise a RuntimeError if there has been no reset yet."""
        if not self.generators:
            raise RuntimeError("step: expected a reset before the first step")

    def check_actions(self, actions: np.ndarray) -> np.ndarray:
        """``actions`` as an array [N], or a ValueError: one of n for each student."""
        chosen: Any = self.single_action_space
        actions, n = np.asarray(actions), chosen.n
        fits = actions.shape == (self.num_envs,) and actions.dtype.kind in "iu"
        if not fits or not ((actions >= 0) & (actions < n)).all():
            raise ValueError(
                f"actions: expected one from 0 to {n - 1} for each of "
                f"{self.num_envs} students, got {actions.tolist()}"
            )
        return actions.astype(np.int64)


class OneStudentEnv(gym.Env):
    """The same rules for one student; ``students`` is a :class:`StudentsEnv` of one."""

    def __init__(self, students: Any) -> None:
        self.students = students
        self.observation_space = students.single_observation_space
        self.action_space = students.single_action_space

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict]:
        """Begin anew: an observation [D]; ``options`` are the vector environment's."""
        super().reset(seed=seed)
        self.students.generators = [self.np_random]
        return self.students.reset(options=options)[0][0], {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict]:
        """Act once; what is then seen is [D], and each info the student's own."""
        observation, reward, terminated, truncated, infos = self.students.step(
            np.array([action])
        )
        ends = map(bool, (terminated, truncated))
        own = {name: array[0] for name, array in infos.items()}
        return observation[0], float(reward[0]), *ends, own
