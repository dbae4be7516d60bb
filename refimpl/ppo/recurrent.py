"""A policy that remembers a student: what RL-squared acts with."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from refimpl.ppo.compiled import Alike, judge_for, values_of
from refimpl.ppo.networks import flat_width, is_dense
from refimpl.ppo.policy import Act, Described


class RecurrentActorCritic(Described):
    """A GRU that reads a trial; the actor and the critic read its state.

    At each step it receives the observation, and of the step before the action
    (one-hot), the reward, and whether it ended an episode: I = D + n + 2 numbers, at
    the first step zeros for what there was not. Called with trials [B, T, I] it returns
    the actor's output [B, T, n] and the values [B, T]; :meth:`step` does the same for
    one step. Its state has H = ``hidden`` numbers; weights come from ``seed``. Raises
    a ValueError if ``envs``, a vector environment, has other actions than Discrete, or
    more than a flat Box to see.
    """

    def __init__(self, envs: Any, hidden: int = 64, *, seed: int) -> None:
        super().__init__(envs, discrete=True, hidden=hidden)
        actions = self.distribution.size
        inputs = flat_width(self.observation_space) + actions + 2
        rng = np.random.default_rng(seed)

        def orthogonal(gain: float) -> Any:
            return keras.initializers.Orthogonal(gain, seed=int(rng.integers(2**31)))

        self.memory = keras.layers.GRU(
            hidden,
            return_sequences=True,
            kernel_initializer=orthogonal(1.0),
            recurrent_initializer=orthogonal(1.0),
            seed=0,  # of a dropout that we do not use; without it, not reproducible
        )
        self.memory.build((None, None, inputs))
        # As in ActorCritic, all actions are about equally likely at first.
        self.actor = keras.layers.Dense(actions, kernel_initializer=orthogonal(0.01))
        self.critic = keras.layers.Dense(1, kernel_initializer=orthogonal(1.0))
        self.actor.build((None, hidden))
        self.critic.build((None, hidden))
        self.inputs_width = inputs

    def input_shape_for_keras(self) -> tuple[int | None, ...]:
        """As :meth:`refimpl.ppo.policy.Policy.input_shape_for_keras`: any trials."""
        return None, None, self.inputs_width

    def as_made(self) -> bool:
        """As :meth:`refimpl.ppo.policy.Described.as_made`."""
        return type(self) is RecurrentActorCritic and self.is_quick()

    def is_quick(self) -> bool:
        """Whether a step is a GRU's and a linear layer's, as NumPy can do it."""
        heads = all(
            is_dense(x, keras.activations.linear) for x in (self.actor, self.critic)
        )
        own = type(self).step is RecurrentActorCritic.step
        return heads and own and type(self.memory) is keras.layers.GRU

    def call(self, trials: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        states = self.memory(trials)
        return self.actor(states), self.critic(states)[..., 0]

    def step(self, inputs: tf.Tensor, state: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """One step of B trials: output [B, n], values [B], next state [B, H].

        From the ``inputs`` [B, I] and the ``state`` [B, H].
        """
        state, _ = self.memory.cell(inputs, [state])
        return self.actor(state), self.critic(state)[:, 0], state

    def acting(self) -> Act:
        """As :meth:`refimpl.ppo.policy.Policy.acting`; the state is a new student's, 0.

        From call to call, each with inputs [N, I], it goes on. In NumPy, unless a
        subclass computes its steps in another way.
        """
        state = np.zeros((1, self.settings["hidden"]), np.float32)
        step, values = judge_for(Alike(self), method="step"), values_of(self)
        sample = self.distribution.sampler()
        quick = self.is_quick()
        weights = self.memory.cell.trainable_variables + self.actor.trainable_variables
        W, U, b, V, c = (v.numpy() if quick else np.empty(0) for v in weights)

        def act(inputs: np.ndarray, noise: np.ndarray) -> np.ndarray:
            nonlocal state
            if quick:
                state = gru(inputs @ W + b[0], state @ U + b[1], state)
                output = state @ V + c
            else:
                before = np.broadcast_to(state, (len(inputs), state.shape[1]))
                output, _, state = (x.numpy() for x in step(values, inputs, before))
            return sample(output, noise)

        return act


def gru(given: np.ndarray, kept: np.ndarray, state: np.ndarray) -> np.ndarray:
    """The next state [N, H] of a GRU (Cho et al. 2014), as Keras has it.

    From what the input has ``given`` and what the ``state`` has ``kept``, each [N, 3 H]
    of the update gate, the reset gate and the new content.
    """
    n = state.shape[1]
    gates = 0.5 * (1 + np.tanh(0.5 * (given[:, : 2 * n] + kept[:, : 2 * n])))
    update, reset = gates[:, :n], gates[:, n:]
    new = np.tanh(given[:, 2 * n :] + reset * kept[:, 2 * n :])
    return update * state + (1 - update) * new
