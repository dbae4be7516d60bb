"""The Bayesian tutor: what to practice, averaged over all that a student may be.

A student is one of 32 states (``STATES`` of :mod:`refimpl.baselines.tutoring_plan`)
with one of P sets of ``rates``; a belief [N, P, 32] says how likely each is, for N
students.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from refimpl.baselines.tutoring import Rule
from refimpl.baselines.tutoring_plan import STATES, first_belief, moves
from refimpl.envs.knowledge import SKILLS, Rates, right_chance
from refimpl.envs.tutor import score


def plan(rates: Rates, exercises: int) -> np.ndarray:
    """Q_t(k, a), by dynamic programming: [T, N, 32, 5].

    The score to expect after a session of T ``exercises``, if before exercise t from 0
    to T - 1 one knows the state k and these rates, does a, and then what is best,

        Q_t(k, a) = sum_k' P(k' | k, a) max_a' Q_t+1(k', a'),

    with the score of k' in place of the maximum after the last exercise.
    """
    following, ahead = moves(rates), score(STATES, rates.columns())
    values = []
    for _ in range(exercises):
        values.append((following @ ahead[:, None, :, None])[..., 0])
        ahead = values[-1].max(axis=2)
    return np.stack(values[::-1])


def trace_all(
    belief: np.ndarray,
    practiced: np.ndarray,
    right: np.ndarray,
    rates: Rates,
    following: np.ndarray,
) -> np.ndarray:
    """P(k, rates) after an answer: [N, P, 32].

    As :func:`trace_states`, for a belief over P sets of rates, too. An exercise changes
    k and no rates.
    """
    after = np.empty_like(belief)
    for skill in range(SKILLS):
        who = practiced == skill
        p_right = right_chance(STATES[:, skill], rates.columns())
        said = np.where(right[who, None, None] == 1, p_right, 1 - p_right)
        now = belief[who] * said.astype(belief.dtype)
        now /= now.sum(axis=(1, 2), keepdims=True)
        after[who] = np.swapaxes(np.swapaxes(now, 0, 1) @ following[:, :, skill], 0, 1)
    return after


def bayesian(rates: Rates) -> Rule:
    """The oracle's plan, averaged over what the answers leave open.

    ``rates`` are P sets, drawn as students are, equally likely before the session.
    After each answer Bayes' rule weighs all 32 P pairs, and the choice is

        argmax_a sum_k,rates P(k, rates | answers) Q_t(k, a),

    Q-MDP of Littman, Cassandra & Kaelbling (1995). As if all were known from the next
    exercise on, so it never asks only to find out.
    """
    following, values = np.empty(0), np.empty(0)
    belief = np.empty(0, np.float32)  # of N students: [N, P, 32]

    def rule(seen: np.ndarray, envs: Any, rng: np.random.Generator) -> np.ndarray:
        nonlocal following, values, belief
        if envs.done == 0:
            if len(values) != envs.exercises:
                following = moves(rates).astype(np.float32)
                values = plan(rates, envs.exercises).astype(np.float32)
            first = (first_belief(rates) / len(following)).astype(np.float32)
            belief = np.tile(first, (len(seen), 1, 1))
        else:
            practiced, right = seen[:, :SKILLS].argmax(axis=1), seen[:, SKILLS] > 0
            belief = trace_all(belief, practiced, right, rates, following)
        rows = belief.reshape(len(seen), -1)
        return (rows @ values[envs.done].reshape(-1, SKILLS)).argmax(axis=1)

    return rule
