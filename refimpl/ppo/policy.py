"""What a policy is: a Keras network, and how its output draws actions."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from refimpl.ppo.compiled import Alike, judge_for, values_of
from refimpl.ppo.distributions import distribution_for
from refimpl.ppo.scales import Scale

Act = Callable[[np.ndarray, np.ndarray], np.ndarray]  #: observations, noise -> actions


class Policy(keras.Model):
    """Any Keras network as a policy: subclass it, and define ``call``.

    ``call`` gets observations [B, ...] and returns the actor's output [B, n] and the
    values [B]; with a shared trunk, convolutions or whatever else. ``distribution``
    says what the output means, ``settings`` how to make another one like it;
    ``observation_scale`` and ``reward_scale``, if there are any, are updated in
    training. Raises a ValueError if the actions of ``envs``, a vector environment, are
    not supported, or not Discrete if ``discrete``.
    """

    observation_scale: Scale | None = None
    reward_scale: Scale | None = None

    def __init__(self, envs: Any, *, discrete: bool = False, **settings: Any) -> None:
        super().__init__()
        self.distribution = distribution_for(envs, discrete)
        self.observation_space = envs.single_observation_space
        self.action_space = envs.single_action_space
        self.settings = settings

    def structure(self) -> Any:
        """What policies share that compute alike, with other weights: here nothing."""
        return self

    def input_shape_for_keras(self) -> tuple[int | None, ...]:
        """Of what it is called with; None is any number."""
        return (None, *self.observation_space.shape)

    def ready(self) -> None:
        """Call it once, so that Keras makes the weights that are not there yet."""
        if not self.built:
            shape = [1 if n is None else n for n in self.input_shape_for_keras()]
            self(np.zeros(shape, np.float32))

    def export(self, filepath: str | Path, **options: Any) -> None:
        """As Keras exports, to ``filepath`` with its ``options``; for any batch."""
        self.ready()
        shape = self.input_shape_for_keras()
        options.setdefault("input_signature", [tf.TensorSpec(shape, tf.float32)])
        super().export(filepath, **options)

    def acting(self) -> Act:
        """:meth:`act` with the weights as they are now. Here TensorFlow computes it."""
        self.ready()
        judge, values = judge_for(Alike(self)), values_of(self)
        sample = self.distribution.sampler()
        return lambda seen, noise: sample(judge(values, seen)[0].numpy(), noise)

    def act(self, observations: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """Actions [N, ...] for ``observations`` [N, ...], as they are sampled.

        ``noise`` [N, n] comes from ``distribution.noise``; where it is 0, the
        likeliest action. ``distribution.executed`` makes them the environment's own.
        """
        return self.acting()(np.asarray(observations, np.float32), noise)

    def check_seen(self, observations: np.ndarray) -> None:
        """Raise a ValueError if nobody could act on ``observations`` [B, ...]."""


class Described(Policy):
    """A policy that its class and ``settings`` describe: it can be saved and loaded."""

    def as_made(self) -> bool:
        """Whether it computes what its class says: no subclass, no other networks."""
        return False

    def structure(self) -> Any:
        """Class, settings, spaces and shapes as text, if it is :meth:`as_made`."""
        if not self.as_made():
            return self
        spaces = self.observation_space, self.action_space
        shapes = [tuple(v.shape) for v in self.variables]
        own = json.dumps([self.settings, shapes])
        return f"{type(self).__qualname__} {own} {spaces}"
