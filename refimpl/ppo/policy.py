"""What a policy is: a Keras network, and how its output draws actions."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

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

    def build(self, shape: Any) -> None:
        """Nothing, whatever the ``shape``: layers make their weights. (Keras asks.)"""

    def structure(self) -> Any:
        """What policies share that compute alike, with other weights: here nothing."""
        return self

    def ready(self) -> None:
        """Make the weights, if Keras has not made them yet."""
        if not self.built:
            self(np.zeros((1, *self.observation_space.shape), np.float32))

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

    def structure(self) -> str:
        """Class, settings and spaces, as text."""
        spaces = self.observation_space, self.action_space
        return f"{type(self).__qualname__} {json.dumps(self.settings)} {spaces}"
