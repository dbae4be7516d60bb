"""Which skill next? The rules of today's tutors, an oracle, and the best plan.

A rule chooses for N students in a :class:`refimpl.envs.Tutor`. The honest ones look at
the skill bars, ``envs.belief``, which are computed from the answers seen; the oracle and
the plan look at ``envs.known`` and ``envs.rates``, which no tutor sees.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from refimpl.envs.knowledge import POPULATION, SKILLS, Rates, chances

# A Tutor and a generator -> skills [N]
Rule = Callable[[Any, np.random.Generator], np.ndarray]

CLASSIC = replace(POPULATION, forget=0.0)  # the bars of Corbett & Anderson's tutors
STATES = (np.arange(2**SKILLS)[:, None] >> np.arange(SKILLS)) & 1  # [32, 5]


def play(envs: Any, rule: Rule, seed: int) -> np.ndarray:
    """Gains [N, exercises] of N new students in ``envs``, a Tutor, under a rule.

    Their sum over the exercises is each student's post-test minus pre-test.
    """
    rng = np.random.default_rng(seed)
    envs.reset(seed=int(rng.integers(2**31)))
    gains, over = [], np.zeros(1, bool)
    while not over.any():
        _, _, over, _, infos = envs.step(rule(envs, rng))
        gains.append(infos["gain"])
    return np.stack(gains, axis=1)


def random_skill(envs: Any, rng: np.random.Generator) -> np.ndarray:
    """Any skill, whatever was seen."""
    return rng.integers(SKILLS, size=envs.num_envs)


def round_robin(envs: Any, rng: np.random.Generator) -> np.ndarray:
    """0, 1, 2, 3, 4, and again."""
    return np.full(envs.num_envs, envs.done % SKILLS)


def mastery(threshold: float = 0.95) -> Rule:
    """The first skill whose bar is below the threshold; if none is, the lowest bar.

    The rule of cognitive tutors (Corbett & Anderson 1995, who chose .95): skills come
    in the order of their prerequisites. Theirs goes with the bars ``CLASSIC``.
    """

    def rule(envs: Any, rng: np.random.Generator) -> np.ndarray:
        low = envs.belief < threshold
        return np.where(low.any(1), low.argmax(1), envs.belief.argmin(1))

    return rule


def expected_known(known: np.ndarray, rates: Rates) -> np.ndarray:
    """sum_j P(k_j = 1 after practicing a), for each skill a: [N, 5] to [N, 5]."""
    each = Rates(*(np.reshape(value, (-1, 1)) for value in vars(rates).values()))
    return chances(known[:, None, :], np.arange(SKILLS), each).sum(axis=2)


def oracle(envs: Any, rng: np.random.Generator) -> np.ndarray:
    """The greatest expected gain of one step, for one who knows state and rates.

    argmax_a E[score after a | k, rates]; the score grows with the number of skills
    known, so this is argmax_a sum_j P(k_j = 1 after a | k, rates).
    """
    return expected_known(envs.known, envs.rates).argmax(axis=1)


def greedy(envs: Any, rng: np.random.Generator) -> np.ndarray:
    """The oracle's equation with what is believed in place of what is true."""
    return expected_known(envs.belief, envs.bars).argmax(axis=1)


def best_plan(rates: Rates, exercises: int) -> tuple[np.ndarray, np.ndarray]:
    """What is best for N students, by dynamic programming over the 32 states of k.

    With V_h(k) the number of skills that one can expect to know h exercises after k,

        V_0(k) = sum_j k_j,   V_h(k) = max_a sum_k' P(k' | k, a) V_h-1(k').

    Nobody who sees less than k and the rates can do better on average. Returns V of the
    whole session [N, 32] and the best actions [exercises, N, 32], first exercise first.
    The state's number is sum_j 2^j k_j.
    """
    each = Rates(*(np.reshape(value, (-1, 1, 1)) for value in vars(rates).values()))
    now = chances(STATES[:, None, :].astype(float), np.arange(SKILLS), each)
    following = np.ones((*now.shape[:3], 1))  # [N, 32, 5, ...]: P(k' | k, a)
    for j in range(SKILLS):  # skills change independently of each other
        one = now[..., j, None]
        following = np.concatenate([following * (1 - one), following * one], axis=3)
    value = np.tile(STATES.sum(axis=1).astype(float), (len(now), 1))
    actions = np.empty((exercises, *value.shape), dtype=np.int8)
    for h in range(exercises):
        ahead = np.einsum("nsat,nt->nsa", following, value)
        value, actions[-1 - h] = ahead.max(axis=2), ahead.argmax(axis=2)
    return value, actions


def plan(envs: Any, rates: Rates) -> Rule:
    """The rule that follows the best plan for students with these rates, each [N]."""
    _, actions = best_plan(rates, envs.exercises)
    bits = 2 ** np.arange(SKILLS)

    def rule(envs: Any, rng: np.random.Generator) -> np.ndarray:
        state = (envs.known @ bits).astype(int)
        return actions[envs.done, np.arange(envs.num_envs), state]

    return rule
