"""Bernoulli bandits without learning to learn: four rules, from greedy to Gittins.

A rule turns what was seen of each arm into an index; the arm of largest index is
pulled, the first one if several are equal. ``wins`` and ``losses``, each [N, k], are
the successes and failures of N students with k arms. Every arm starts as Beta(1, 1):
one of both is counted in, so its mean is (1 + successes) / (2 + pulls).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

#: wins [N, k], losses [N, k] and a generator -> indices [N, k]
Rule = Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]


def play(envs: Any, rule: Rule, seed: int) -> np.ndarray:
    """Rewards [N, n] of N new students in ``envs``, BernoulliBandits, by a ``rule``."""
    rng = np.random.default_rng(seed)
    envs.reset(seed=int(rng.integers(2**31)))
    shape = envs.num_envs, int(envs.single_action_space.n)
    wins, losses = np.zeros(shape), np.zeros(shape)
    rewards, over = [], np.zeros(1, bool)
    while not over.any():
        arm = rule(wins, losses, rng).argmax(axis=1)
        _, reward, over, _, _ = envs.step(arm)
        wins[np.arange(len(arm)), arm] += reward
        losses[np.arange(len(arm)), arm] += 1 - reward
        rewards.append(reward)
    return np.stack(rewards, axis=1)


def mean(wins: np.ndarray, losses: np.ndarray) -> np.ndarray:
    """The expected success rate of each arm, [N, k]."""
    return (1 + wins) / (2 + wins + losses)


def random_arm(
    wins: np.ndarray, losses: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Any arm, whatever was seen."""
    return rng.random(wins.shape)


def greedy(
    wins: np.ndarray, losses: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """The arm that looks best now."""
    return mean(wins, losses)


def thompson(
    wins: np.ndarray, losses: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """The arm that looks best in one draw from the posterior (Thompson 1933)."""
    return rng.beta(1 + wins, 1 + losses)


def ucb1(c: float) -> Rule:
    """The mean plus ``c`` sqrt(2 ln t / (2 + pulls)): the unknown gets credit.

    Auer, Cesa-Bianchi & Fischer (2002) try each arm once and have c = 1; this is the
    form of Duan et al. (2016), who count Beta(1, 1) in and choose c for each setting.
    """

    def rule(
        wins: np.ndarray, losses: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        pulls = wins + losses
        t = np.maximum(pulls.sum(axis=1, keepdims=True), 1)  # so far
        return mean(wins, losses) + c * np.sqrt(2 * np.log(t) / (2 + pulls))

    return rule


def gittins(discount: float, pulls: int) -> Rule:
    """The best rule there is for endless lessons whose rewards are discounted.

    ``discount`` and ``pulls``, the most that an arm will get, as :func:`gittins_index`.
    The rule raises a ValueError for an arm that had more.
    """
    table = gittins_index(discount, pulls)

    def rule(
        wins: np.ndarray, losses: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        if (wins + losses).max() > pulls:
            most = (wins + losses).max()
            raise ValueError(f"pulls: expected {most:g} or more, got {pulls}")
        return table[wins.astype(int), losses.astype(int)]

    return rule


def gittins_index(discount: float, pulls: int, depth: int = 400) -> np.ndarray:
    """The Gittins index after w successes (row) and l failures (column).

    An arm's index is the sure reward r for which one is indifferent between this arm,
    which one may leave for r later, and r forever (Gittins 1979). With
    d, the ``discount``, V(r) = max(r / (1 - d), p (1 + d V_w+1) + (1 - p) d V_l+1),
    computed backwards from ``depth`` pulls after the last for 2,000 values of r: exact
    to about 1 / 2000. Returns [pulls + 1, pulls + 1]; it is 0 where w + l > ``pulls``.
    Raises a ValueError unless 0 <= ``discount`` < 1.
    """
    if not 0 <= discount < 1:
        raise ValueError(f"discount: expected 0 or more and below 1, got {discount}")
    r = (np.arange(2000) + 0.5) / 2000
    sure = r / (1 - discount)
    total = pulls + depth
    wins = np.arange(total + 1)[:, None]
    value = np.maximum(r, (1 + wins) / (2 + total)) / (1 - discount)
    table = np.zeros((pulls + 1, pulls + 1))
    for n in range(total - 1, -1, -1):
        wins = np.arange(n + 1)[:, None]
        p = (1 + wins) / (2 + n)
        play_on = p * (1 + discount * value[1:]) + (1 - p) * discount * value[:-1]
        value = np.maximum(sure, play_on)
        if n <= pulls:
            table[wins[:, 0], n - wins[:, 0]] = (play_on > sure).mean(axis=1)
    return table
