"""Bernoulli bandits: which of k kinds of exercise suits this student?

Each arm is an exercise format (a video, a quiz, a worked example, ...). A student has
a hidden success rate for each, drawn from a uniform distribution. In a lesson of n
exercises the tutor chooses a format n times and sees whether the student succeeds.
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np

from refimpl.checks import check_count
from refimpl.envs.students import OneStudentEnv, StudentsEnv


class BernoulliBandits(StudentsEnv):
    """``num_envs`` N students, each for a lesson of ``pulls`` exercises.

    With next-step autoreset. Action: an arm, 0 to ``arms`` - 1. Reward: 1 if the
    student succeeds, else 0. The observation [N, 1] is the share of the lesson that is
    over. Each pull is an episode of its own in the sense of RL-squared
    (``infos["episode_over"]``); Gymnasium's episode, at whose end the student leaves
    (terminated), is the lesson. ``infos["expected_reward"]`` [N] is the rate of the
    arm, for training alone.

    Student i has a generator of its own, made from ``seed + i``. It draws, as a lesson
    begins, the rates and then the luck of each pull: the same whatever is chosen.
    Raises a ValueError if ``actions`` are not one arm for each student.
    """

    def __init__(self, num_envs: int, pulls: int, arms: int) -> None:
        check_count("pulls", pulls, 1)
        seen, chosen = gym.spaces.Box(0, 1, (1,), np.float32), gym.spaces.Discrete(arms)
        super().__init__(num_envs, seen, chosen)
        self.pulls, self.arms = pulls, arms
        self.step_number = pulls

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict]:
        """Begin N lessons, each with a new student."""
        super().reset(seed=seed, options=options)
        drawn = np.array([g.random(self.arms + self.pulls) for g in self.generators])
        self.rates, self.luck = drawn[:, : self.arms], drawn[:, self.arms :]
        self.step_number = 0
        return self._observe(), {}

    def step(
        self, actions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict]:
        """Give each student an exercise; after the last, new students come."""
        self.check_reset()
        if self.step_number == self.pulls:
            observation, _ = self.reset()
            nothing = np.zeros(self.num_envs)
            return observation, nothing, nothing > 0, nothing > 0, {}
        actions = self.check_actions(actions)
        rates = self.rates[np.arange(self.num_envs), actions]
        rewards = (self.luck[:, self.step_number] < rates).astype(np.float64)
        self.step_number += 1
        over = np.full(self.num_envs, self.step_number == self.pulls)
        every = np.ones(self.num_envs, dtype=bool)
        infos = {"episode_over": every, "expected_reward": rates}
        return self._observe(), rewards, over, ~every, infos

    def _observe(self) -> np.ndarray:
        share = self.step_number / self.pulls
        return np.full((self.num_envs, 1), share, np.float32)


class BernoulliBandit(OneStudentEnv):
    """One student, with arguments as for :class:`BernoulliBandits`."""

    def __init__(self, pulls: int, arms: int) -> None:
        super().__init__(BernoulliBandits(1, pulls, arms))
