"""The networks that our policies are made of, and the same in NumPy, for acting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from gymnasium.spaces import Box

from refimpl.ppo.scales import Scale


def tanh_network(
    sizes: Sequence[int],
    last_gain: float,
    width: int,
    scale: Scale | None,
    rng: np.random.Generator,
) -> Any:
    """Tanh layers of ``sizes`` on ``width`` numbers, of ``scale`` if there is one.

    Gain sqrt(2) from ``rng``; the last is linear, with ``last_gain``.
    """
    model = keras.Sequential([keras.Input((width,))] + [scale] * bool(scale))
    for i, units in enumerate(sizes, start=1):
        activation, gain = ("tanh", 2**0.5) if i < len(sizes) else (None, last_gain)
        # A seed for each layer: an initializer that has one always draws the same.
        start = keras.initializers.Orthogonal(gain, seed=int(rng.integers(2**31)))
        model.add(keras.layers.Dense(units, activation, kernel_initializer=start))
    return model


def is_tanh_network(net: Any) -> bool:
    """Whether ``net`` is one that :func:`tanh_network` makes, scaled or not."""
    if type(net) is not keras.Sequential:
        return False
    layers = [layer for layer in net.layers if not isinstance(layer, Scale)]
    activations = [keras.activations.tanh] * (len(layers) - 1)
    expected = [*activations, keras.activations.linear]
    return all(map(is_dense, layers, expected))


def is_dense(layer: Any, activation: Any) -> bool:
    """Whether ``layer`` is x W + b, followed by this ``activation``."""
    known = type(layer) is keras.layers.Dense
    return known and layer.use_bias and layer.activation is activation


def forward(weights: Sequence[Any], x: Any, tanh: Callable = np.tanh) -> Any:
    """What :func:`tanh_network` computes, from its ``weights`` W, b, W, b, ...

    In NumPy: [..., D] to [..., n]. In TensorFlow, if ``tanh`` is TensorFlow's; with a
    first axis of M tasks in all weights, b being [M, 1, n], for each task by itself.
    """
    for i in range(0, len(weights), 2):
        x = x @ weights[i]
        x += weights[i + 1]
        x = tanh(x) if i + 2 < len(weights) else x
    return x


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


def flat_width(seen: Any) -> int:
    """D of observations [B, D]; a ValueError if ``seen`` is no Box with one axis."""
    if not isinstance(seen, Box) or len(seen.shape) != 1:
        raise ValueError(f"envs: expected a Box with one axis to see, got {seen}")
    return seen.shape[0]
