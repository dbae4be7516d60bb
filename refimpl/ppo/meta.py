"""PPO as part of a meta-learner: RL-squared (Duan et al. 2016).

A student is a task. A *trial* is all that happens with one student. The policy is
recurrent; its state is empty when a student comes, and all that it learns about that
student is in it. PPO trains the weights over the trials of many students: slow
learning, by gradients, across students; fast learning, in the state, within one.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from refimpl.ppo.advantages import compute_advantages
from refimpl.ppo.objectives import Batch, clipped_surrogate, make_improve, ppo_loss
from refimpl.ppo.policies import distribution_for
from refimpl.ppo.training import History, explained_variance, linear_schedule


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
        """One step of B trials, from ``state`` [B, H]: output, values, next state."""
        state, _ = self.memory.cell(inputs, [state])
        return self.actor(state), self.critic(state)[:, 0], state


class Trials(NamedTuple):
    """N whole trials of T steps, each from a student's coming to their leaving."""

    inputs: np.ndarray  # [N, T, I], what the policy received
    actions: np.ndarray  # [N, T]
    log_prob: np.ndarray  # [N, T], of the actions as they were drawn
    values: np.ndarray  # [N, T]
    rewards: np.ndarray  # [N, T]
    expected: np.ndarray  # [N, T], rewards without luck, where a simulator knows them
    states: np.ndarray  # [N, T, H], after each input


class TrialCollector:
    """A recurrent policy at work; its state is emptied between students only."""

    def __init__(self, policy: RecurrentActorCritic, envs: Any) -> None:
        self.policy, self.envs = policy, envs
        self.act = tf.function(self._act)

    def collect(self, rng: np.random.Generator, greedy: bool = False) -> Trials:
        """Reset ``envs``, then act until all students leave.

        Raises a ValueError if some leave earlier than others.
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
        return Trials(*(np.stack(part, axis=1) for part in zip(*steps, strict=True)))

    def _act(
        self, inputs: tf.Tensor, state: tf.Tensor, noise: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        output, values, state = self.policy.step(inputs, state)
        actions = self.policy.distribution.sample(output, noise)
        log_prob = self.policy.distribution.log_prob(output, actions)
        return actions, log_prob, values, state


def train_rl2(
    policy: RecurrentActorCritic,
    envs: Any,
    *,
    updates: int,
    seed: int,  # update u draws from a generator made of (seed, u)
    epochs: int = 4,  # passes of an update over its trials
    minibatches: int = 4,  # of each pass; each holds whole trials
    learning_rate: float = 1e-3,  # falls to 0, as does
    entropy_weight: float = 0.02,
    gamma: float = 0.99,
    lambda_: float = 0.95,
    epsilon: float = 0.2,
    value_weight: float = 0.5,
    reward_scale: float = 1.0,  # for learning only; best if a trial's sum is about 1
    max_grad_norm: float = 0.5,
    callback: Callable[[History], bool | None] | None = None,
) -> History:
    """Meta-train a recurrent policy in place: PPO over whole trials.

    Each update meets ``envs.num_envs`` new students. An update is PPO's own
    (:func:`refimpl.ppo.objectives.make_improve`) with a trial in place of a step, so
    that gradients flow back through a student's whole history. Returns
    :class:`History`, whose returns are those of trials, in the environment's own units.

    The policy sees the rewards. Advantages are made from what was to be expected of
    them, if the environment tells (``infos["expected_reward"]``): the same gradient on
    average, with less noise. ``callback`` is called after each update; training ends
    if it returns True.

    Raises a ValueError if ``minibatches`` does not divide the number of students, and
    a FloatingPointError if an update leads to NaN or infinity.
    """
    n = envs.num_envs
    if n % minibatches:
        raise ValueError(f"minibatches: expected to divide {n}, got {minibatches}")
    optimizer = keras.optimizers.Adam(learning_rate, epsilon=1e-5)
    optimizer.build(policy.trainable_variables)
    bonus = tf.Variable(entropy_weight, trainable=False)
    loss = partial(ppo_loss, clipped_surrogate, value_weight, bonus)
    improve = make_improve(policy, optimizer, loss, max_grad_norm, float("inf"))
    collector, history = TrialCollector(policy, envs), History()
    everyone, strength = np.ones(n, bool), tf.constant(epsilon, tf.float32)

    bar = tqdm(range(updates), desc="RL²")
    for update in bar:
        rng = np.random.default_rng([seed, update])
        trials = collector.collect(rng)
        advantages, returns = trial_advantages(trials, reward_scale, gamma, lambda_)
        seen, actions, log_prob = trials.inputs, trials.actions, trials.log_prob
        batch = Batch(seen, actions, log_prob, advantages, returns, everyone)
        order = [rng.permutation(n) for _ in range(epochs)]
        optimizer.learning_rate = learning_rate * linear_schedule(update / updates)
        bonus.assign(entropy_weight * linear_schedule(update / updates))
        rows = np.reshape(order, (epochs * minibatches, -1))
        kl, clipped, entropy = map(float, improve(batch, rows, strength))
        if not np.isfinite(kl + entropy):
            raise FloatingPointError(f"train_rl2: not finite after {update=}")
        ended = trials.rewards.sum(axis=1).tolist()
        explained = explained_variance(returns, trials.values)
        steps = trials.rewards.size * (update + 1)
        history.add(steps, ended, kl, clipped, entropy, explained, epsilon)
        shown = {"return": np.mean(ended), "kl": kl, "entropy": entropy}
        bar.set_postfix({k: f"{v:.3g}" for k, v in shown.items()}, refresh=False)
        if callback and callback(history):
            break
    return history


def trial_advantages(
    trials: Trials, reward_scale: float, gamma: float, lambda_: float
) -> tuple[np.ndarray, np.ndarray]:
    """Generalized advantages and returns [N, T]; a trial ends with its last step."""
    rewards, values = trials.expected.T * reward_scale, trials.values.T
    following = np.concatenate([values[1:], np.zeros_like(values[:1])])
    over = np.zeros(values.shape, bool)
    over[-1] = True
    judged = (rewards, values, following, over, np.zeros_like(over))
    advantages, returns = compute_advantages(*judged, gamma, lambda_)
    return advantages.T, returns.T


def evaluate_rl2(
    policy: RecurrentActorCritic, envs: Any, *, seed: int, greedy: bool = True
) -> Trials:
    """A trial of each of ``envs.num_envs`` new students, without learning by gradients.

    By the likeliest actions or, if not greedy, drawn ones.
    """
    return TrialCollector(policy, envs).collect(np.random.default_rng(seed), greedy)
