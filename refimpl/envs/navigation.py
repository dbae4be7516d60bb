"""2-D navigation, MAML's own test of reinforcement learning: find a hidden goal.

A point starts in the middle of a square. Somewhere in the square is a goal that the
point does not see; it sees where it is, and what each step costs. A goal is a task: as
a student's strengths, it can only be inferred from what was tried.

From Finn, Abbeel & Levine (2017), section 5.3: goals in a unit square, velocities
clipped to [-0.1, 0.1], reward the negative squared distance to the goal, an end within
0.01 of it or after 100 steps. The paper leaves open where the square is; the authors'
program (``point_env_randgoal.py``, repository maml_rl) puts it around the start,
and its policies act in [-1, 1], scaled by 0.1. We do both. Where the two differ we
follow the paper: the program's reward is the negative distance, not squared, and its
episodes end when *each* coordinate is within 0.01, in a square instead of a disk.
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np

from refimpl.checks import check_count
from refimpl.envs.students import OneStudentEnv, StudentsEnv

SPEED = 0.1  # the largest step, in each coordinate
HALF_SIDE = 0.5  # goals lie in [-0.5, 0.5]^2, a unit square


def straight_to(goals: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """The best action for one who sees the goal: [N, 2].

    From ``goals`` and ``positions``, each [N, 2]. Squared distances add over
    coordinates, and so do their limits of speed; hence each coordinate goes its own way
    as fast as it may: clip((goal - x) / 0.1, -1, 1).
    """
    return np.clip((goals - positions) / SPEED, -1, 1)


class Navigation2D(StudentsEnv):
    """``num_envs`` N points, each with a goal of its own, with next-step autoreset.

    Observation [N, 2], float32: the position x. Action a [N, 2]: a velocity in units of
    0.1, clipped to [-1, 1], so that x becomes x + 0.1 a. Reward: -||x - goal||^2 at the
    new x. An episode terminates within ``tolerance`` of the goal and is truncated after
    ``horizon`` steps; both can happen at once. The step after either resets: its action
    is ignored and its reward is 0. With ``tolerance=0`` no episode ends early, and all
    are of the same length; a point that stays at its goal then loses nothing by it.

    Point i has a generator of its own, made from ``seed + i``, which draws a goal for
    each episode. ``reset(options={"goals": goals})`` begins episodes with the given
    goals [N, 2] instead: a meta-learner meets the same task again. An autoreset draws.

    Raises a ValueError if an argument, an action or a goal is not as listed here.
    """

    known_options = ("goals",)

    def __init__(
        self, num_envs: int, horizon: int = 100, tolerance: float = 0.01
    ) -> None:
        check_count("horizon", horizon, 1)
        if not tolerance >= 0:
            raise ValueError(f"tolerance: expected 0 or more, got {tolerance}")
        far = SPEED * horizon
        seen = gym.spaces.Box(-far, far, (2,), np.float32)
        super().__init__(num_envs, seen, gym.spaces.Box(-1, 1, (2,), np.float32))
        self.horizon, self.tolerance = horizon, tolerance
        self.goals, self.positions = np.zeros((2, num_envs, 2))
        self.steps = np.zeros(num_envs, dtype=np.int64)
        self.done = np.zeros(num_envs, dtype=bool)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict]:
        """Begin N episodes, with drawn goals or with ``options["goals"]``."""
        super().reset(seed=seed, options=options)
        self._begin(np.ones(self.num_envs, dtype=bool))
        if options and "goals" in options:
            goals = np.array(options["goals"], dtype=np.float64)
            if goals.shape != (self.num_envs, 2) or not np.isfinite(goals).all():
                raise ValueError(
                    f"options: expected finite goals of shape ({self.num_envs}, 2), "
                    f"got {goals}"
                )
            self.goals = goals
        return self.positions.astype(np.float32), {}

    def step(
        self, actions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict]:
        """Move every point once; those that were done begin anew."""
        self.check_reset()
        actions = np.asarray(actions, dtype=np.float64)
        if actions.shape != (self.num_envs, 2) or np.isnan(actions).any():
            raise ValueError(
                f"actions: expected numbers of shape ({self.num_envs}, 2), "
                f"got {actions}"
            )
        resets = self.done
        self.positions = self.positions + SPEED * np.clip(actions, -1, 1)
        self.steps += 1
        self._begin(resets)
        squared = ((self.positions - self.goals) ** 2).sum(axis=1)
        terminated = (squared < self.tolerance**2) & ~resets
        truncated = self.steps >= self.horizon
        self.done = terminated | truncated
        rewards = np.where(resets, 0.0, -squared)
        return self.positions.astype(np.float32), rewards, terminated, truncated, {}

    def draw_tasks(self, rng: np.random.Generator, tasks: int) -> dict[str, Any]:
        """Options for ``reset``: ``tasks`` goals, each for num_envs / tasks points."""
        goals = rng.uniform(-HALF_SIDE, HALF_SIDE, (tasks, 2))
        return {"goals": goals.repeat(self.num_envs // tasks, axis=0)}

    def _begin(self, chosen: np.ndarray) -> None:
        """Draw a goal for each chosen point, and put it back to the start."""
        for i in np.flatnonzero(chosen):
            self.goals[i] = self.generators[i].uniform(-HALF_SIDE, HALF_SIDE, 2)
        self.positions[chosen], self.steps[chosen] = 0, 0
        self.done = self.done & ~chosen


class Navigation2DEnv(OneStudentEnv):
    """One point, with arguments as for :class:`Navigation2D`."""

    def __init__(self, horizon: int = 100, tolerance: float = 0.01) -> None:
        super().__init__(Navigation2D(1, horizon, tolerance))
