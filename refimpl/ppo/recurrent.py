"""A policy that remembers a student, and its trials: what RL-squared acts with."""

from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from refimpl.ppo.policies import distribution_for


class RecurrentActorCritic(keras.Model):
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
        super().__init__()
        self.distribution = distribution_for(envs, discrete=True)
        actions = self.distribution.size
        inputs = envs.single_observation_space.shape[0] + actions + 2
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
        self.built = True

    def call(self, trials: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        states = self.memory(trials)
        return self.actor(states), self.critic(states)[..., 0]

    def step(self, inputs: tf.Tensor, state: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """One step of B trials: output [B, n], values [B], next state [B, H].

        From the ``inputs`` [B, I] and the ``state`` [B, H].
        """
        state, _ = self.memory.cell(inputs, [state])
        return self.actor(state), self.critic(state)[:, 0], state


class Trials(NamedTuple):
    """N whole trials of T steps, each from a student's coming to their leaving."""

    inputs: np.ndarray  #: [N, T, I], what the policy received
    actions: np.ndarray  #: [N, T]
    log_prob: np.ndarray  #: [N, T], of the actions as they were drawn
    values: np.ndarray  #: [N, T]
    rewards: np.ndarray  #: [N, T]
    expected: np.ndarray  #: [N, T], rewards without luck, where a simulator knows them
    states: np.ndarray  #: [N, T, H], after each input


class TrialCollector:
    """A recurrent ``policy`` at work in ``envs``; its state lasts for one student."""

    def __init__(self, policy: RecurrentActorCritic, envs: Any) -> None:
        self.policy, self.envs = policy, envs
        self.act = tf.function(self._act)

    def collect(self, rng: np.random.Generator, greedy: bool = False) -> Trials:
        """Reset ``envs``, then act until all students leave.

        If ``greedy``, the likeliest actions are taken instead of drawn ones. Raises a
        ValueError if some leave earlier than others, or what is seen is not finite.
        """
        actions = self.policy.distribution.size
        seen = self.envs.reset(seed=int(rng.integers(2**31)))[0]
        n = self.envs.num_envs
        before = np.zeros((n, actions + 2), np.float32)  # action, reward, episode over
        state = np.zeros((n, self.policy.memory.units), np.float32)
        steps, over = [], np.zeros(n, bool)
        while not over.any():
            noise = self.policy.distribution.noise(rng, (n,)) * (not greedy)
            inputs = np.concatenate([seen, before], axis=1).astype(np.float32)
            action, log_prob, value, state = (
                tensor.numpy() for tensor in self.act(inputs, state, noise)
            )
            executed = self.policy.distribution.executed(action)
            seen, reward, terminated, truncated, infos = self.envs.step(executed)
            reward, over = reward.astype(np.float32), terminated | truncated
            expected = infos.get("expected_reward", reward).astype(np.float32)
            before = np.zeros_like(before)
            before[np.arange(n), action] = 1
            before[:, -2], before[:, -1] = reward, infos.get("episode_over", over)
            steps.append((inputs, action, log_prob, value, reward, expected, state))
        if not over.all():
            raise ValueError("envs: expected all students to leave at the same step")
        trials = Trials(*(np.stack(part, axis=1) for part in zip(*steps, strict=True)))
        if not np.isfinite(trials.inputs).all():
            raise ValueError(
                "envs: expected finite observations and rewards, got NaN or infinity"
            )
        return trials

    def _act(
        self, inputs: tf.Tensor, state: tf.Tensor, noise: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        output, values, state = self.policy.step(inputs, state)
        actions = self.policy.distribution.sample(output, noise)
        log_prob = self.policy.distribution.log_prob(output, actions)
        return actions, log_prob, values, state
