"""Choose the next exercise for a student whom practice changes.

A session is a unit of five skills (:mod:`refimpl.envs.knowledge`) and a number of
exercises. The tutor chooses which skill to practice, sees whether the answer is right,
and hopes that the student knows more at the end. With k_j = 1 if skill j is known,

    score(k) = 1/5 sum_j [k_j (1 - s) + (1 - k_j) g]

is the share of right answers to expect in a test with one question for each skill. The
post-test is the score after the last exercise, the pre-test that before the first.
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np

from refimpl.checks import check_count
from refimpl.envs.knowledge import (
    SKILLS,
    Rates,
    chances,
    check_rates,
    draw_rates,
    first_known,
    ready,
    right_chance,
    trace,
)
from refimpl.envs.students import OneStudentEnv, StudentsEnv


def score(known: np.ndarray, rates: Rates) -> np.ndarray:
    """The expected share of right answers in a test, [...].

    Of who knows ``known`` [..., 5] and has these ``rates``.
    """
    return right_chance(known.mean(axis=-1), rates)


class Tutor(StudentsEnv):
    """``num_envs`` N students, each for ``exercises``, with next-step autoreset.

    Action: the skill to practice, 0 to 4. Observation, [N, 7] float32: the skill just
    practiced (one-hot), whether the answer was right (1) or wrong (-1; 0 before the
    first), and the share of the session that is over. Given ``bars``, one set of rates
    for everybody, [N, 12]: also the skill bars of a cognitive tutor, P(known) of each
    skill as :func:`trace` computes it. A policy without memory needs them.

    Reward: post-test - pre-test, at the last exercise; 0 before. Paid step by step it
    would tell a policy that reads its rewards what no tutor sees. ``infos["gain"]`` [N]
    is the part of each exercise, score after - score before; a session's sum to the
    reward. ``infos["expected_reward"]`` [N] is the gain to be expected, given k and the
    skill chosen, for training alone. Scores are expectations: a test would add noise.

    Student i has a generator of its own, made from ``seed + i``. It draws, as a session
    begins, the student's rates, then what is known, then the luck of each exercise: the
    same whatever is chosen. ``reset(options={"rates": rates})`` begins sessions with
    the given students instead, a new unit for each. An autoreset draws new students.

    Attributes: ``rates``, each [N], and ``known`` [N, 5], 0 or 1, which no tutor sees;
    ``done``, exercises that are over. A ValueError says what is not as listed here.
    """

    known_options = ("rates",)

    def __init__(
        self, num_envs: int, exercises: int = 30, bars: Rates | None = None
    ) -> None:
        check_count("exercises", exercises, 1)
        if bars is not None:
            one = check_rates(bars.columns(axes=0), 1, "bars")
            if not (0 < one.guess < 1 and 0 < one.slip < 1):  # an answer must tell
                raise ValueError(
                    "bars: expected guess and slip between 0 and 1, both excluded, got "
                    f"{bars.guess} and {bars.slip}"
                )
        low = np.zeros(SKILLS + 2 + SKILLS * (bars is not None), np.float32)
        low[SKILLS] = -1
        seen = gym.spaces.Box(low, np.ones_like(low))
        super().__init__(num_envs, seen, gym.spaces.Discrete(SKILLS))
        self.exercises, self.bars = exercises, bars
        self.done = exercises

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict]:
        """Begin N sessions, with new students or with those of ``options["rates"]``."""
        super().reset(seed=seed, options=options)
        normal = np.array([g.standard_normal(5) for g in self.generators])
        shape = self.exercises + 1, SKILLS + 1
        self.luck = np.array([g.random(shape) for g in self.generators])
        self.rates = draw_rates(normal)
        if options and "rates" in options:
            self.rates = check_rates(options["rates"], self.num_envs)
        self.known = np.zeros((self.num_envs, SKILLS))
        has = self.luck[:, 0, :SKILLS] < self.rates.prior[:, None]
        for j in range(SKILLS):  # prerequisites come before what builds on them
            self.known[:, j] = has[:, j] * ready(self.known)[:, j]
        self.pre_test = score(self.known, self.rates)
        if self.bars is not None:
            self.belief = np.tile(first_known(self.bars.prior), (self.num_envs, 1))
        self.done = 0
        return self._observe(np.zeros((self.num_envs, SKILLS + 1))), {}

    def step(
        self, actions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict]:
        """Give each student an exercise; after the last, new students come."""
        self.check_reset()
        over = np.zeros(self.num_envs, dtype=bool)
        if self.done == self.exercises:
            nothing = np.zeros(self.num_envs)
            infos = {"gain": nothing, "expected_reward": nothing}
            return self.reset()[0], nothing, over, over.copy(), infos
        actions = self.check_actions(actions)
        self.done += 1
        luck, before = self.luck[:, self.done], score(self.known, self.rates)
        practiced = self.known[np.arange(self.num_envs), actions]
        right = luck[:, SKILLS] < right_chance(practiced, self.rates)
        now = chances(self.known, actions, self.rates)
        self.known = (luck[:, :SKILLS] < now).astype(np.float64)
        if self.bars is not None:
            self.belief = trace(self.belief, actions, right, self.bars)
        after = score(self.known, self.rates)
        over[:] = self.done == self.exercises
        seen = np.column_stack([np.eye(SKILLS)[actions], 2.0 * right - 1])
        rewards = np.where(over, after - self.pre_test, 0.0)
        expected = score(now, self.rates) - before
        infos = {"gain": after - before, "expected_reward": expected}
        return self._observe(seen), rewards, over, np.zeros_like(over), infos

    def draw_tasks(self, rng: np.random.Generator, tasks: int) -> dict[str, Any]:
        """Options for ``reset``: ``tasks`` students, each for N / ``tasks`` units."""
        normal = rng.standard_normal((tasks, 5))
        return {"rates": draw_rates(normal.repeat(self.num_envs // tasks, axis=0))}

    def _observe(self, seen: np.ndarray) -> np.ndarray:
        share = np.full(self.num_envs, self.done / self.exercises)
        bars = () if self.bars is None else (self.belief,)
        return np.column_stack([seen, share, *bars]).astype(np.float32)


class TutorEnv(OneStudentEnv):
    """One student, with arguments as for :class:`Tutor`."""

    def __init__(self, exercises: int = 30, bars: Rates | None = None) -> None:
        super().__init__(Tutor(1, exercises, bars))
