"""How actions are drawn from an actor's output: one of n, or real numbers.

Drawing is NumPy's, since an environment waits for it; log-probabilities and entropy
are TensorFlow's, since gradients pass through them.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from gymnasium.spaces import Box, Discrete


class Categorical:
    """One of n actions of ``space``; the actor's output are ``logits`` [..., n]."""

    def __init__(self, space: Discrete) -> None:
        self.size, self.start = int(space.n), int(space.start)

    def noise(self, rng: np.random.Generator, shape: Sequence[int]) -> np.ndarray:
        """What :meth:`sampler`'s function needs for ``shape`` actions, [..., n]."""
        return rng.gumbel(size=(*shape, self.size)).astype(np.float32)

    def sampler(self) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
        """Logits and noise [..., n] -> actions [...]: the Gumbel-max trick.

        With noise 0, the likeliest.
        """
        return lambda logits, noise: (logits + noise).argmax(axis=-1)

    def log_prob(self, logits: tf.Tensor, actions: tf.Tensor) -> tf.Tensor:
        """log P of ``actions`` [...]: [...]."""
        return -tf.nn.sparse_softmax_cross_entropy_with_logits(actions, logits)

    def entropy(self, logits: tf.Tensor) -> tf.Tensor:
        """In nats, [...]."""
        log_probs = tf.nn.log_softmax(logits)
        return -tf.reduce_sum(tf.exp(log_probs) * log_probs, axis=-1)

    def executed(self, actions: np.ndarray) -> np.ndarray:
        """The ``actions`` [...] as the environment counts them."""
        return actions + self.start if self.start else actions

    def mean_log_std(self) -> float:
        """0: there is no deviation."""
        return 0.0


class Gaussian(keras.layers.Layer):
    """d real numbers, in ``space``; the actor's output is their ``mean`` [..., d].

    The logarithm of the deviation is a weight, the same whatever is observed.
    """

    def __init__(self, space: Box) -> None:
        super().__init__()
        self.space, self.size = space, space.shape[0]
        self.log_std = self.add_weight(shape=space.shape, initializer="zeros")
        self.built = True

    def noise(self, rng: np.random.Generator, shape: Sequence[int]) -> np.ndarray:
        """What :meth:`sampler`'s function needs for ``shape`` actions, [..., d]."""
        return rng.standard_normal(size=(*shape, self.size), dtype=np.float32)

    def sampler(self) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
        """Mean and noise [..., d] -> actions [..., d], with the deviation of now.

        With noise 0, the mean.
        """
        std = np.exp(self.log_std.numpy())
        return lambda mean, noise: mean + std * noise

    def log_prob(self, mean: tf.Tensor, actions: tf.Tensor) -> tf.Tensor:
        """The log of the density of ``actions`` [..., d]: [...]."""
        z = (actions - mean) / tf.exp(self.log_std)
        each = -0.5 * (z**2 + math.log(2 * math.pi)) - self.log_std
        return tf.reduce_sum(each, axis=-1)

    def entropy(self, mean: tf.Tensor) -> tf.Tensor:
        """In nats, [...]."""
        each = self.log_std + 0.5 * math.log(2 * math.pi * math.e)
        return tf.reduce_sum(each + tf.zeros_like(mean), axis=-1)

    def executed(self, actions: np.ndarray) -> np.ndarray:
        """The ``actions`` [..., d] within bounds; remembered is what was sampled."""
        return actions.clip(self.space.low, self.space.high).astype(self.space.dtype)

    def mean_log_std(self) -> float:
        """The logarithm of the deviation, the mean over the d numbers."""
        return float(np.mean(self.log_std.numpy()))


def distribution_for(envs: Any, discrete: bool = False) -> Any:
    """What the actions need to be drawn, :class:`Categorical` or :class:`Gaussian`.

    A ValueError if the actions of ``envs`` are not supported, or not ``discrete`` if
    that is asked for; a TypeError if it is no vector environment.
    """
    if not hasattr(envs, "single_action_space"):
        raise TypeError(
            "envs: expected a vector environment, as gymnasium.make_vec makes one, "
            f"got {envs!r}"
        )
    chosen = envs.single_action_space
    kind: Any = {Discrete: Categorical, Box: Gaussian}.get(type(chosen))
    floats = kind is Gaussian and len(chosen.shape) == 1 and chosen.dtype.kind == "f"
    if kind is not Categorical and (discrete or not floats):
        names = "Discrete" if discrete else "Discrete or Box (floats, one axis)"
        raise ValueError(f"envs: expected {names} actions, got {chosen}")
    return kind(chosen)
