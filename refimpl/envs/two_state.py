"""A tutor's smallest world: two states, two actions, values known exactly.

A student either does not know the topic yet (state 0) or knows it (state 1). The
tutor chooses what to practice: repeat the topic (action 0) or start new material
(action 1). Repeating teaches one who does not know yet, half of the time. New
material pays 1 if the student knows: the course is then over with probability .2,
or else the next topic begins, which the student does not know yet. New material
for one who does not know teaches rarely; repeating what is known changes nothing.
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np

from refimpl.checks import check_count
from refimpl.envs.students import OneStudentEnv, StudentsEnv

# P(next | state, action): next is 0 or 1, as the state, or 2, the course is over.
TRANSITIONS = np.array(
    [
        [[0.5, 0.5, 0.0], [0.9, 0.1, 0.0]],  # does not know yet: repeat, new
        [[0.0, 1.0, 0.0], [0.8, 0.0, 0.2]],  # knows: repeat, new
    ]
)
REWARDS = np.array([[0.0, 0.0], [0.0, 1.0]])  # [state, action]
OVER = 2


def state_values(policy: np.ndarray, gamma: float = 0.99) -> np.ndarray:
    """The exact value of both states under a policy, without a time limit: [2].

    Solves Bellman's equation V = r + ``gamma`` P V, which is linear, with r [2] and
    P [2, 2] averaged over the policy's actions; a course that is over is worth 0.

    Parameters
    ----------
    policy : [2, 2]
        The probability of each action (column) in each state (row).

    Raises
    ------
    ValueError
        If ``policy`` has another shape, or a row is no distribution; if ``gamma`` is
        not from 0 to below 1.
    """
    policy = np.asarray(policy, dtype=np.float64)
    rows_sum_to_1 = policy.shape == (2, 2) and np.allclose(policy.sum(axis=1), 1)
    if not rows_sum_to_1 or (policy < 0).any():
        raise ValueError(
            "policy: expected shape (2, 2), each row two probabilities that sum to 1, "
            f"got {policy.tolist()}"
        )
    if not 0 <= gamma < 1:
        raise ValueError(f"gamma: expected a number from 0 to below 1, got {gamma}")
    reward = (policy * REWARDS).sum(axis=1)
    transition = np.einsum("sa,san->sn", policy, TRANSITIONS)[:, :OVER]
    return np.linalg.solve(np.eye(2) - gamma * transition, reward)


class TwoStateVectorEnv(StudentsEnv):
    """``num_envs`` N students in the two-state world, with next-step autoreset.

    Observations are one-hot, [N, 2] float32. A course that is over terminates; one
    that has lasted ``max_steps`` is truncated; both can happen at once. The step
    after either resets: its action is ignored and its reward is 0.

    Student i has a generator of its own, made from ``seed + i``, so that the N
    students are those of N :class:`TwoStateEnv`. Raises a ValueError if ``actions`` are
    not 0 or 1 for each student, or ``max_steps`` is below 1.
    """

    def __init__(self, num_envs: int, max_steps: int = 20) -> None:
        check_count("max_steps", max_steps, 1)
        seen, chosen = gym.spaces.Box(0, 1, (2,), np.float32), gym.spaces.Discrete(2)
        super().__init__(num_envs, seen, chosen)
        self.max_steps = max_steps
        self.state = np.zeros(num_envs, dtype=np.int64)
        self.steps = np.zeros(num_envs, dtype=np.int64)
        self.done = np.zeros(num_envs, dtype=bool)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict]:
        """Begin N courses: no student knows the first topic yet."""
        super().reset(seed=seed, options=options)
        for array in (self.state, self.steps, self.done):
            array[:] = 0
        return self._observe(), {}

    def step(
        self, actions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict]:
        """Practice once with every student; those who were done begin anew."""
        self.check_reset()
        actions, resets = self.check_actions(actions), self.done
        draws = [
            0.0 if reset else generator.random()
            for generator, reset in zip(self.generators, resets, strict=True)
        ]
        cumulative = TRANSITIONS[self.state, actions].cumsum(axis=1)
        following = (np.array(draws)[:, None] >= cumulative[:, :OVER]).sum(axis=1)
        rewards = np.where(resets, 0.0, REWARDS[self.state, actions])

        self.steps = np.where(resets, 0, self.steps + 1)
        terminated = (following == OVER) & ~resets
        truncated = self.steps >= self.max_steps
        self.done = terminated | truncated
        # A course that is over leaves the student as one who knows.
        self.state = np.where(resets, 0, np.minimum(following, 1))
        return self._observe(), rewards, terminated, truncated, {}

    def _observe(self) -> np.ndarray:
        return np.eye(2, dtype=np.float32)[self.state]


class TwoStateEnv(OneStudentEnv):
    """One student, with arguments as for :class:`TwoStateVectorEnv`."""

    def __init__(self, max_steps: int = 20) -> None:
        super().__init__(TwoStateVectorEnv(1, max_steps))
