"""Which skill next, if one can compute: skill bars from the exact belief.

Five skills have 32 states. Bayes' rule over the states gives skill bars that keep what
prerequisites tell: who knows the last skill once knew them all. ``rates`` are those of
N students, or one set for all.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from refimpl.baselines.tutoring import Rule, below
from refimpl.envs.knowledge import POOLED, SKILLS, Rates, chances, ready, right_chance

# [32, 5], k_j of each state; the state's number is sum_j 2^j k_j
STATES = (np.arange(2**SKILLS)[:, None] >> np.arange(SKILLS) & 1).astype(float)


def moves(rates: Rates) -> np.ndarray:
    """P(k' | k, a) for N students: [N, 32, 5, 32]. Each skill changes on its own."""
    now = chances(STATES[:, None, :], np.arange(SKILLS), rates.columns(axes=2))
    following = np.ones((*now.shape[:3], 1))
    for j in range(SKILLS):
        one = now[..., j, None]
        following = np.concatenate([following * (1 - one), following * one], axis=3)
    return following


def first_belief(rates: Rates) -> np.ndarray:
    """P(k) before the session, for N students: [N, 32]."""
    has = np.reshape(rates.prior, (-1, 1, 1)) * ready(STATES)
    return np.where(STATES == 1, has, 1 - has).prod(axis=2)


def trace_states(
    belief: np.ndarray,
    practiced: np.ndarray,
    right: np.ndarray,
    rates: Rates,
    following: np.ndarray,
) -> np.ndarray:
    """P(k) after an answer: [N, 32].

    From ``belief`` [N, 32], the skill ``practiced`` [N] and ``right`` [N], 1 if the
    answer was right, else 0. P(k | answer) is P(answer | k) P(k), normalized. Then the
    exercise changes k: P(k') = sum_k P(k' | k, a) P(k | answer), with ``following``
    from :func:`moves`.
    """
    p_right = right_chance(STATES[:, practiced].T, rates.columns())
    belief = belief * np.where(right[:, None] == 1, p_right, 1 - p_right)
    belief /= belief.sum(axis=1, keepdims=True)
    rows = np.arange(len(belief)) if len(following) > 1 else 0
    return (belief[:, None] @ following[rows, :, practiced])[:, 0]


def exact_mastery(threshold: float, rates: Rates | None = None) -> Rule:
    """The mastery rule with exact bars, for one set of rates or each student's own.

    ``threshold`` as for :func:`tutoring.mastery`. With ``rates`` None, the student's
    own, it sees what no tutor does, who this is, but not what they know: the difference
    is what knowing the student is worth to the rule.
    """
    own, following, belief = POOLED, np.empty(0), np.empty(0)  # until a session begins

    def rule(seen: np.ndarray, envs: Any, rng: np.random.Generator) -> np.ndarray:
        nonlocal own, following, belief
        if envs.done == 0:
            own = rates or envs.rates
            following = moves(own)
            belief = np.broadcast_to(first_belief(own), (len(seen), len(STATES)))
        else:
            practiced, right = seen[:, :SKILLS].argmax(axis=1), seen[:, SKILLS] > 0
            belief = trace_states(belief, practiced, right, own, following)
        return below(belief @ STATES, threshold)

    return rule
