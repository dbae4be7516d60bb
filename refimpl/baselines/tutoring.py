"""Which skill next? The rules of today's tutors, and an oracle.

A rule chooses a skill for each of N students in a :class:`refimpl.envs.Tutor`. The
honest ones look at ``seen``, the observation [N, 7 or 12], alone; the oracle looks at
what students know and at their rates, ``envs.known`` and ``envs.rates``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from refimpl.envs.knowledge import SKILLS, Rates, chances

#: seen [N, 7 or 12], a Tutor and a generator -> skills [N]
Rule = Callable[[np.ndarray, Any, np.random.Generator], np.ndarray]

#: As ``POOLED``, of the same data, by a model in which nothing is forgotten, that of
#: Corbett & Anderson's tutors.
CLASSIC = Rates(prior=0.638, learn=0.087, forget=0.0, guess=0.275, slip=0.204)


def play(envs: Any, rule: Rule, seed: int) -> np.ndarray:
    """Gains [N, exercises] of N new students in ``envs``, a Tutor, by a ``rule``.

    Their sum over the exercises is each student's post-test minus pre-test.
    """
    rng = np.random.default_rng(seed)
    seen, _ = envs.reset(seed=int(rng.integers(2**31)))
    gains, over = [], np.zeros(1, bool)
    while not over.any():
        seen, _, over, _, infos = envs.step(rule(seen, envs, rng))
        gains.append(infos["gain"])
    return np.stack(gains, axis=1)


def random_skill(seen: np.ndarray, envs: Any, rng: np.random.Generator) -> np.ndarray:
    """Any skill, whatever was seen."""
    return rng.integers(SKILLS, size=len(seen))


def round_robin(seen: np.ndarray, envs: Any, rng: np.random.Generator) -> np.ndarray:
    """0, 1, 2, 3, 4, and again."""
    return np.full(len(seen), envs.done % SKILLS)


def below(bars: np.ndarray, threshold: float) -> np.ndarray:
    """The first skill whose bar is below the threshold; if none is, the lowest bar.

    From ``bars`` [N, 5] and ``threshold``, a number, to skills [N].
    """
    low = bars < threshold
    return np.where(low.any(axis=1), low.argmax(axis=1), bars.argmin(axis=1))


def mastery(threshold: float = 0.95) -> Rule:
    """Practice each skill, in the order of the prerequisites, until it is mastered.

    The rule of cognitive tutors: mastered means that P(known) has reached the
    ``threshold`` (Corbett & Anderson 1995). Theirs comes with the bars ``CLASSIC``.
    With bars that forget, as ``POOLED``, a skill is reviewed in time, and a lower
    threshold serves better. The rule raises a ValueError in a Tutor without bars.
    """
    return lambda seen, envs, rng: below(_bars(seen), threshold)


def expected_known(known: np.ndarray, rates: Rates) -> np.ndarray:
    """sum_j P(k_j = 1 after practicing a), for each skill a: [N, 5] to [N, 5].

    ``known`` may be 0 or 1, or probabilities.
    """
    practiced = np.arange(SKILLS)
    return chances(known[:, None, :], practiced, rates.columns()).sum(axis=2)


def oracle(seen: np.ndarray, envs: Any, rng: np.random.Generator) -> np.ndarray:
    """The greatest expected gain of one exercise, knowing the state and the rates.

    argmax_a E[score after a | k, rates]; the score grows with the number of skills
    known, so this is argmax_a sum_j P(k_j = 1 after a | k, rates).
    """
    return expected_known(envs.known, envs.rates).argmax(axis=1)


def hopeful(seen: np.ndarray, envs: Any, rng: np.random.Generator) -> np.ndarray:
    """The oracle's equation with what the bars say in place of what is true.

    Raises a ValueError in a Tutor without bars.
    """
    return expected_known(_bars(seen), envs.bars).argmax(axis=1)


def _bars(seen: np.ndarray) -> np.ndarray:
    if seen.shape[1] != SKILLS + 2 + SKILLS:
        raise ValueError("envs: expected a Tutor with bars")
    return seen[:, -SKILLS:]
