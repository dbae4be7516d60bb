"""The actor, which chooses, and the critic, which judges: two small networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from refimpl.ppo.networks import (
    MaskedActor,
    flat_width,
    forward,
    is_tanh_network,
    tanh_network,
)
from refimpl.ppo.policy import Act, Described
from refimpl.ppo.scales import Scale, normalized


class ActorCritic(Described):
    """A tanh network for the ``distribution`` of actions, and one for the value.

    Called with observations [B, D], it returns the actor's output [B, ...] and the
    values [B]. ``hidden`` gives the widths of both. Weights start orthogonal, from
    ``seed``, and biases at 0. If ``masked``, the last n numbers of an observation say
    which of the n actions are allowed. ``normalize`` may name "observations" and
    "rewards": training then measures their scale (:class:`refimpl.ppo.scales.Scale`),
    which stays with the policy. Raises a ValueError if a space of ``envs``, a vector
    environment, is not supported, or ``normalize`` names anything else.
    """

    def __init__(
        self,
        envs: Any,
        hidden: Sequence[int] = (64, 64),
        *,
        seed: int,
        masked: bool = False,
        normalize: Sequence[str] = (),
    ) -> None:
        settings = {"hidden": [*hidden], "masked": masked, "normalize": [*normalize]}
        super().__init__(envs, discrete=masked, **settings)
        width, n = flat_width(self.observation_space), self.distribution.size
        if wrong := {*normalize} - {"observations", "rewards"}:
            raise ValueError(
                f"normalize: expected 'observations', 'rewards', got {sorted(wrong)}"
            )
        if masked and width < n:
            raise ValueError(
                f"envs: expected a mask of {n} actions to see, got {width} numbers"
            )
        if "observations" in normalize:
            self.observation_scale = Scale(self.observation_space.shape)
        if "rewards" in normalize:
            self.reward_scale = Scale(())
        rng = np.random.default_rng(seed)
        # The last layer starts near 0: all actions are about equally likely.
        own = width, self.observation_scale, rng
        self.actor = tanh_network([*hidden, n], 0.01, *own)
        if masked:
            self.actor = MaskedActor(self.actor)
        self.critic = tanh_network([*hidden, 1], 1.0, *own)

    def call(self, observations: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return self.actor(observations), self.critic(observations)[:, 0]

    def net(self) -> Any:
        """The actor without its mask."""
        return self.actor.net if self.settings["masked"] else self.actor

    def as_made(self) -> bool:
        """As :meth:`refimpl.ppo.policy.Described.as_made`."""
        nets = self.net(), self.critic
        return type(self) is ActorCritic and all(map(is_tanh_network, nets))

    def acting(self) -> Act:
        """As :meth:`Policy.acting`, in NumPy: faster than to call TensorFlow.

        A subclass or an actor that computes something else goes the slower way.
        """
        masked, scale = self.settings["masked"], self.observation_scale
        net = self.net()
        if type(self).call is not ActorCritic.call or not is_tanh_network(net):
            return super().acting()
        weights = [v.numpy() for v in net.trainable_variables]
        moments, sample = scale and scale.moments(), self.distribution.sampler()

        def act(observations: np.ndarray, noise: np.ndarray) -> np.ndarray:
            x = normalized(observations, *moments) if moments else observations
            output = forward(weights, x)
            if masked:
                mask = observations[..., -output.shape[-1] :]
                output = np.where(mask == 1, output, -1e9)
            return sample(output, noise)

        return act

    def check_seen(self, observations: np.ndarray) -> None:
        """A ValueError if masks are not 0 and 1, or allow nothing.

        In ``observations`` [B, D] of a masked policy.
        """
        if not self.settings["masked"]:
            return
        mask = observations[..., -self.distribution.size :]
        if not np.isin(mask, (0, 1)).all():
            wrong = mask[(mask != 0) & (mask != 1)][0]
            raise ValueError(f"envs: expected masks of 0 and 1, got {wrong}")
        if not mask.any(axis=-1).all():
            raise ValueError("envs: expected at least one action allowed, got none")
