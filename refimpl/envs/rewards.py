"""Other rewards for an adaptive test: an objective of one's own, and a control."""

from __future__ import annotations

import numpy as np
from gymnasium.vector import VectorWrapper
from gymnasium.wrappers.vector import TransformReward

from refimpl.envs.adaptive_test import AdaptiveTest


def shuffled(envs: AdaptiveTest, seed: int) -> VectorWrapper:
    """A control: each student of ``envs`` gets the reward of another, as ``seed`` says.

    What a policy learns here, it has not learned from which question was asked.
    """
    rng = np.random.default_rng(seed)
    return TransformReward(envs, rng.permutation)


def even_exposure(envs: AdaptiveTest, price: float) -> VectorWrapper:
    """Asking item j in ``envs`` costs ``price`` p_j: p_j of all were asked it so far.

    Two students of N share sum_j p_j^2 questions on average, a number whose slope in
    p_j is 2 p_j: so the price is one on the overlap of what students are asked.
    """

    def priced(rewards: np.ndarray) -> np.ndarray:
        if envs.asked == 0:  # a reset
            return rewards
        J = envs.correct.shape[1]
        share = np.bincount(envs.items.ravel(), minlength=J) / envs.num_envs
        return rewards - price * share[envs.items[:, -1]]

    return TransformReward(envs, priced)
