"""The actor, which chooses, and the critic, which judges: two small networks."""

import math
from collections.abc import Sequence
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
        """What :meth:`sample` needs for ``shape`` actions, [..., n]."""
        return rng.gumbel(size=(*shape, self.size)).astype(np.float32)

    def sample(self, logits: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        """The Gumbel-max trick, [..., n] to [...]; with ``noise`` 0, the likeliest."""
        return tf.argmax(logits + noise, axis=-1)

    def log_prob(self, logits: tf.Tensor, actions: tf.Tensor) -> tf.Tensor:
        """log P of ``actions`` [...]: [...]."""
        return -tf.nn.sparse_softmax_cross_entropy_with_logits(actions, logits)

    def entropy(self, logits: tf.Tensor) -> tf.Tensor:
        """In nats, [...]."""
        log_probs = tf.nn.log_softmax(logits)
        return -tf.reduce_sum(tf.exp(log_probs) * log_probs, axis=-1)

    def executed(self, actions: np.ndarray) -> np.ndarray:
        """The ``actions`` [...] as the environment counts them."""
        return actions + self.start


class Gaussian(keras.layers.Layer):
    """d real numbers, in ``space``; the actor's output is their ``mean`` [..., d].

    The logarithm of the deviation is a weight, the same whatever is observed.
    """

    def __init__(self, space: Box) -> None:
        super().__init__()
        self.space, self.size = space, space.shape[0]
        self.log_std = self.add_weight(shape=space.shape, initializer="zeros")

    def noise(self, rng: np.random.Generator, shape: Sequence[int]) -> np.ndarray:
        """What :meth:`sample` needs for ``shape`` actions, [..., d]."""
        return rng.standard_normal(size=(*shape, self.size), dtype=np.float32)

    def sample(self, mean: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        """Actions [..., d]; with ``noise`` 0, the mean."""
        return mean + tf.exp(self.log_std) * noise

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


class ActorCritic(keras.Model):
    """A tanh network for the ``distribution`` of actions, and one for the value.

    Called with observations [B, D], it returns the actor's output [B, ...] and the
    values [B]. ``hidden`` gives the widths of both. Weights start orthogonal, from
    ``seed``, and biases at 0. If ``masked``, the last n numbers of an observation say
    which of the n actions are allowed. Raises a ValueError if a space of ``envs``, a
    vector environment, is not supported.
    """

    def __init__(
        self, envs: Any, hidden: Sequence = (64, 64), *, seed: int, masked: bool = False
    ) -> None:
        super().__init__()
        self.distribution = distribution_for(envs, discrete=masked)
        seen = envs.single_observation_space
        rng = np.random.default_rng(seed)
        n = self.distribution.size
        if masked and seen.shape[0] < n:
            raise ValueError(f"envs: expected a mask of {n} actions to see, got {seen}")
        # The last layer starts near 0: all actions are about equally likely.
        self.actor = tanh_network([*seen.shape, *hidden, n], 0.01, rng)
        if masked:
            self.actor = MaskedActor(self.actor)
        self.critic = tanh_network([*seen.shape, *hidden, 1], 1.0, rng)
        self.built = True

    def call(self, observations: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return self.actor(observations), self.critic(observations)[:, 0]


def distribution_for(envs: Any, discrete: bool = False) -> Any:
    """What the actions need to be drawn, :class:`Categorical` or :class:`Gaussian`.

    A ValueError if a space of ``envs`` is not supported, or not ``discrete`` if asked.
    """
    seen, chosen = envs.single_observation_space, envs.single_action_space
    kind: Any = {Discrete: Categorical, Box: Gaussian}.get(type(chosen))
    floats = kind is Gaussian and len(chosen.shape) == 1 and chosen.dtype.kind == "f"
    if kind is not Categorical and (discrete or not floats):
        names = "Discrete" if discrete else "Discrete or Box (floats, one axis)"
        raise ValueError(f"envs: expected {names} actions, got {chosen}")
    if not isinstance(seen, Box) or len(seen.shape) != 1:
        raise ValueError(f"envs: expected a Box with one axis to see, got {seen}")
    return kind(chosen)


class MaskedActor(keras.Model):
    """The logits [B, n] of ``net``, for allowed actions only."""

    def __init__(self, net: Any) -> None:
        super().__init__()
        self.net, self.built = net, True

    def call(self, observations: tf.Tensor) -> tf.Tensor:
        logits = self.net(observations)
        return allowed_only(logits, observations[..., -logits.shape[-1] :])


def allowed_only(logits: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """``logits`` [..., n], -1e9 where ``mask`` has no 1: probability 0, and no NaN."""
    return tf.where(mask == 1, logits, -1e9)


def tanh_network(
    sizes: Sequence[int], last_gain: float, rng: np.random.Generator
) -> Any:
    """Tanh layers of ``sizes``, gain sqrt(2); the last linear, with ``last_gain``."""
    model = keras.Sequential([keras.Input((sizes[0],))])
    for i, units in enumerate(sizes[1:], start=2):
        activation, gain = ("tanh", 2**0.5) if i < len(sizes) else (None, last_gain)
        # A seed for each layer: an initializer that has one always draws the same.
        start = keras.initializers.Orthogonal(gain, seed=int(rng.integers(2**31)))
        model.add(keras.layers.Dense(units, activation, kernel_initializer=start))
    return model
