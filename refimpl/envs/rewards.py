"""Other rewards for an adaptive test: an objective of one's own, and a control."""

from __future__ import annotations

import numpy as np
from gymnasium.vector import VectorWrapper
from gymnasium.wrappers.vector import TransformReward

from refimpl.envs.adaptive_test import AdaptiveTest


def shuffled(envs: AdaptiveTest, seed: int) -> VectorWrapper:
    """A control: the students' rewards of a step, dealt out at random.

    What a policy learns in ``envs`` then, it has not learned from which question was
    asked. The generator is made from ``seed`` once: a reset does not begin it anew.
    """
    rng = np.random.default_rng(seed)
    return TransformReward(envs, rng.permutation)


def even_exposure(envs: AdaptiveTest, price: float) -> VectorWrapper:
    """Asking item j in ``envs`` costs ``price`` p_j.

    p_j is the share of students asked item j so far. Two students of N share
    sum_j p_j^2 questions on average, a number whose slope in p_j is 2 p_j: so the price
    is one on the overlap of what students are asked.
    """

    def priced(rewards: np.ndarray) -> np.ndarray:
        if envs.asked == 0:  # a reset
            return rewards
        J = envs.correct.shape[1]
        share = np.bincount(envs.items.ravel(), minlength=J) / envs.num_envs
        return rewards - price * share[envs.items[:, -1]]

    return TransformReward(envs, priced)
