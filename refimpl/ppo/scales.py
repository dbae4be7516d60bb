"""Running scales: numbers of any size, brought to about the size of 1.

Mean and variance of all that was seen so far. Observations are then (x - mean) / std,
clipped to 10 standard deviations; rewards are divided by the deviation of the
discounted sum of rewards (Engstrom et al. 2020 describe both). The scales are weights
of a policy that no gradient changes: saved with it, and used wherever it acts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from refimpl.ppo.rollout import Rollout

CLIP = 10.0


class Scale(keras.layers.Layer):
    """Mean and variance, each of ``shape`` [...], of the rows it was updated with."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__(autocast=False)
        own = {"trainable": False, "dtype": "float64"}
        self.count = self.add_weight(shape=(), initializer="zeros", **own)
        self.mean = self.add_weight(shape=shape, initializer="zeros", **own)
        self.variance = self.add_weight(shape=shape, initializer="ones", **own)
        self.built = True

    def update(self, rows: np.ndarray) -> None:
        """Take ``rows`` [B, ...] into account (Chan, Golub & LeVeque 1983)."""
        old, new = float(self.count.numpy()), len(rows)
        rows = rows.astype(np.float64)
        total, gap = old + new, rows.mean(axis=0) - self.mean.numpy()
        squares = self.variance.numpy() * old + rows.var(axis=0) * new
        self.variance.assign((squares + gap**2 * old * new / total) / total)
        self.mean.assign(self.mean.numpy() + gap * new / total)
        self.count.assign(total)

    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation, float32 [...]."""
        std = np.sqrt(self.variance.numpy() + 1e-8)
        return self.mean.numpy().astype(np.float32), std.astype(np.float32)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        std = tf.sqrt(self.variance.value + 1e-8)
        moments = tf.cast(self.mean.value, tf.float32), tf.cast(std, tf.float32)
        return normalized(tf.cast(x, tf.float32), *moments, tf.clip_by_value)


def normalized(x: Any, mean: Any, std: Any, clip: Callable = np.clip) -> Any:
    """(``x`` - ``mean``) / ``std``, at most CLIP off 0; ``clip`` is NumPy's or not."""
    return clip((x - mean) / std, -CLIP, CLIP)


class RewardsSoFar:
    """What each of N episodes has brought so far, discounted: G_t = gamma G_t-1 + r_t.

    Its deviation is the scale of rewards; ``gamma`` discounts.
    """

    def __init__(self, gamma: float) -> None:
        self.gamma = gamma

    def reset(self, count: int) -> None:
        """``count`` N episodes begin."""
        self.now = np.zeros(count, np.float32)

    def scaled(self, rollout: Rollout, scale: Scale | None) -> np.ndarray:
        """The rewards [T, N] of a ``rollout``, divided by their ``scale``, updated."""
        if scale is None:
            return rollout.rewards
        begins = rollout.terminated | rollout.truncated | ~rollout.valid
        sums = np.zeros_like(rollout.rewards)
        for t, rewards in enumerate(rollout.rewards):
            sums[t] = self.gamma * self.now + rewards
            self.now = np.where(begins[t], 0, sums[t])
        scale.update(sums[rollout.valid])
        return rollout.rewards / scale.moments()[1]
