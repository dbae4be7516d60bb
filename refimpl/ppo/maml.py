"""MAML with PPO as its outer loop: a policy one gradient step away from every student.

A student is a task i. The policy acts for a few episodes; a step of policy gradient at
the rate alpha (``fast_lr``) makes the student's own policy of it; that one acts too:

    theta_i' = theta + alpha grad J_i(theta),  J_i = mean_t pi(a|s) / pi_old(a|s) A_t.

The outer loop moves theta so that the adapted policies do well: PPO's clipped objective
on the new episodes, as a function of theta, through the step. Finn, Abbeel & Levine
(2017), algorithm 3, with PPO in place of TRPO; with second derivatives it is ProMP
(Rothfuss et al. 2019) without its KL penalty. All tasks are one batched computation:
weights get a first axis, [M, ...], and so does everything else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from refimpl.ppo.objectives import approximate_kl, clipped_surrogate
from refimpl.ppo.policies import distribution_for, tanh_network

Weights = list[tf.Tensor]  # W, b of each layer, each with a first axis of M tasks


class MetaPolicy(keras.Model):
    """An actor whose weights may differ from task to task; it has no critic.

    ``weights_for(M)`` repeats the weights for M tasks. If actions are real numbers,
    their deviation is the same for all tasks: only the outer loop moves it. Weights
    start as :class:`ActorCritic`'s, from ``seed``. Raises a ValueError if a space of
    ``envs`` is not supported.
    """

    def __init__(self, envs: Any, hidden: Sequence[int] = (64, 64), *, seed: int):
        super().__init__()
        self.distribution = distribution_for(envs)
        sizes = [*envs.single_observation_space.shape, *hidden, self.distribution.size]
        self.actor = tanh_network(sizes, 0.01, np.random.default_rng(seed))
        self.built = True

    def weights_for(self, tasks: int) -> Weights:
        """The weights, once for each of M tasks."""
        return [tf.repeat(w[None], tasks, axis=0) for w in self.actor.trainable_weights]


def actor_output(weights: Weights, observations: tf.Tensor) -> tf.Tensor:
    """The tanh network of each task on its own observations: [M, B, D] to [M, B, P]."""
    x = observations
    for i in range(0, len(weights), 2):
        x = x @ weights[i] + weights[i + 1][:, None]
        x = tf.tanh(x) if i + 2 < len(weights) else x
    return x


class Episodes(NamedTuple):
    """n whole episodes of T steps in each of M tasks; a row b is one step, B = n T."""

    observations: tf.Tensor  # [M, B, D]
    actions: tf.Tensor  # [M, B, ...]
    log_prob: tf.Tensor  # [M, B], of the actions as they were drawn
    advantages: tf.Tensor  # [M, B], in each task of mean 0 and deviation 1
    returns: np.ndarray  # [M, n], sums of rewards


def inner_step(
    policy: MetaPolicy,
    weights: Weights,
    episodes: Episodes,
    fast_lr: float,
    first_order: bool = False,
) -> Weights:
    """One step of policy gradient for each task, from its own episodes.

    Where the policy that acted is the one that is adapted, the ratio is 1 and its
    gradient that of the logarithm: this is REINFORCE with a baseline. Written as a
    ratio, the second derivative is right too: that of mean log pi A leaves out that
    theta also decides what is seen (Rothfuss et al. 2019, section 4). ``first_order``
    takes the gradient as a constant.
    """
    with tf.GradientTape() as tape:
        tape.watch(weights)
        output = actor_output(weights, episodes.observations)
        log_prob = policy.distribution.log_prob(output, episodes.actions)
        ratio = tf.exp(log_prob - episodes.log_prob)
        gain = tf.reduce_sum(tf.reduce_mean(ratio * episodes.advantages, axis=1))
    gradients = tape.gradient(gain, weights)
    if first_order:
        gradients = [tf.stop_gradient(gradient) for gradient in gradients]
    return [w + fast_lr * gradient for w, gradient in zip(weights, gradients)]


class EpisodeCollector:
    """Policies at work, one for each of M tasks, in n environments each."""

    def __init__(self, policy: MetaPolicy, envs: Any, tasks: int, gamma: float) -> None:
        if envs.num_envs % tasks:
            raise ValueError(
                f"tasks: expected to divide {envs.num_envs} environments, got {tasks}"
            )
        self.policy, self.envs, self.tasks, self.gamma = policy, envs, tasks, gamma
        self.act = tf.function(self._act)

    def collect(
        self,
        weights: Weights,
        options: dict[str, Any],
        rng: np.random.Generator,
        told: bool = False,
    ) -> Episodes:
        """One episode in each environment; all must end at the same step.

        ``options`` say which tasks these are. Advantages are returns, discounted, minus
        a :func:`linear_baseline`. If ``told``, the rewards in them are what was to be
        expected, where the environment knows it (``infos["expected_reward"]``).
        """
        seen = self.envs.reset(seed=int(rng.integers(2**31)), options=options)[0]
        split = self.tasks, self.envs.num_envs // self.tasks
        steps, over = [], np.zeros(1, bool)
        while not over.any():
            seen = seen.reshape(*split, -1)
            noise = self.policy.distribution.noise(rng, split)
            actions, log_prob = (x.numpy() for x in self.act(weights, seen, noise))
            executed = self.policy.distribution.executed(actions)
            executed = executed.reshape(-1, *actions.shape[2:])
            following, rewards, terminated, truncated, infos = self.envs.step(executed)
            expected = infos.get("expected_reward", rewards) if told else rewards
            paid = rewards.reshape(split), expected.reshape(split)
            steps.append((seen, actions, log_prob, *paid))
            seen, over = following, terminated | truncated
        if not over.all():
            raise ValueError("envs: expected all episodes to end at the same step")
        stacked = (np.stack(part, axis=2) for part in zip(*steps, strict=True))
        seen, actions, log_prob, rewards, expected = stacked
        returns = discounted(expected, self.gamma)
        advantages = returns - linear_baseline(seen, returns)
        advantages -= advantages.mean(axis=(1, 2), keepdims=True)
        advantages /= advantages.std(axis=(1, 2), keepdims=True) + 1e-8
        rows = (
            tf.constant(x.reshape(x.shape[0], -1, *x.shape[3:]), dtype)
            for x, dtype in (
                (seen, tf.float32),
                (actions, actions.dtype),
                (log_prob, tf.float32),
                (advantages, tf.float32),
            )
        )
        return Episodes(*rows, rewards.sum(axis=2))

    def _act(
        self, weights: Weights, seen: tf.Tensor, noise: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        output = actor_output(weights, tf.cast(seen, tf.float32))
        actions = self.policy.distribution.sample(output, noise)
        return actions, self.policy.distribution.log_prob(output, actions)


def discounted(rewards: np.ndarray, gamma: float) -> np.ndarray:
    """What follows from each step on: sum_l gamma^l R_t+l, for [..., T]."""
    returns = np.array(rewards, dtype=np.float64)
    for t in reversed(range(returns.shape[-1] - 1)):
        returns[..., t] += gamma * returns[..., t + 1]
    return returns


def linear_baseline(observations: np.ndarray, returns: np.ndarray) -> np.ndarray:
    """What returns were to be expected, in each task: [M, n, T, D], [M, n, T] to it.

    Least squares, with a small ridge, on s, s^2, t, t^2, t^3 and 1 (Duan et al. 2016,
    "Benchmarking deep reinforcement learning"; MAML's own experiments use it).
    """
    tasks, steps = returns.shape[0], returns.shape[-1]
    times = np.broadcast_to(np.arange(steps) / 100, returns.shape)
    powers = np.stack([times**p for p in range(4)], axis=-1)
    seen = observations.astype(np.float64)
    features = np.concatenate([seen, seen**2, powers], axis=-1)
    x = features.reshape(tasks, -1, features.shape[-1])
    square = x.transpose(0, 2, 1) @ x + 1e-5 * np.eye(x.shape[-1])
    weights = np.linalg.solve(square, x.transpose(0, 2, 1) @ returns.reshape(tasks, -1, 1))
    return (x @ weights).reshape(returns.shape)


def train_maml_ppo(
    policy: MetaPolicy,
    envs: Any,
    *,
    tasks: int,  # of an update, each in envs.num_envs / tasks environments
    updates: int,
    seed: int,  # update u draws from a generator made of (seed, u)
    num_steps: int = 1,  # inner steps; with 0 this is PPO without a meta
    fast_lr: float = 0.1,
    meta_lr: float = 1e-3,
    epochs: int = 5,  # outer steps on the same episodes
    epsilon: float = 0.2,
    gamma: float = 0.99,
    entropy_weight: float = 0.0,
    first_order: bool = False,
    callback: Callable[[np.ndarray, list], bool | None] | None = None,
) -> list[np.ndarray]:
    """Meta-train in place; returns the mean returns [num_steps + 1] of each update.

    Entry j is the mean after j inner steps, before the outer step. ``envs.draw_tasks``
    draws an update's tasks. The adapted policies' advantages may be told, as in
    :func:`refimpl.ppo.meta.train_rl2`; those of the inner steps never are, since a new
    student's will not be.

    Raises a ValueError if ``tasks`` does not divide the number of environments, and a
    FloatingPointError if an update leads to NaN or infinity.
    """
    collector = EpisodeCollector(policy, envs, tasks, gamma)
    optimizer = keras.optimizers.Adam(meta_lr, epsilon=1e-5)
    optimizer.build(policy.trainable_variables)

    @tf.function
    def improve(before: list[Episodes], after: Episodes) -> tf.Tensor:
        log_prob = after.log_prob
        for _ in range(epochs):
            with tf.GradientTape() as tape:
                weights = policy.weights_for(tasks)
                for own in before:
                    weights = inner_step(policy, weights, own, fast_lr, first_order)
                output = actor_output(weights, after.observations)
                log_prob = policy.distribution.log_prob(output, after.actions)
                gain = clipped_surrogate(
                    log_prob, after.log_prob, after.advantages, epsilon
                )
                entropy = tf.reduce_mean(policy.distribution.entropy(output))
                loss = -gain - entropy_weight * entropy
            gradients = tape.gradient(loss, policy.trainable_variables)
            optimizer.apply(gradients, policy.trainable_variables)
        return approximate_kl(log_prob, after.log_prob), entropy

    history: list[np.ndarray] = []
    bar = tqdm(range(updates), desc="MAML-PPO")
    for update in bar:
        rng = np.random.default_rng([seed, update])
        options = envs.draw_tasks(rng, tasks)
        weights, before = policy.weights_for(tasks), []
        for _ in range(num_steps):
            before.append(collector.collect(weights, options, rng))
            weights = inner_step(policy, weights, before[-1], fast_lr)
        after = collector.collect(weights, options, rng, told=True)
        kl, entropy = map(float, improve(before, after))
        if not np.isfinite(kl):
            raise FloatingPointError(f"train_maml_ppo: not finite after {update=}")
        history.append(np.array([e.returns.mean() for e in (*before, after)]))
        shown = {f"after {j}": f"{m:.4g}" for j, m in enumerate(history[-1])}
        bar.set_postfix({**shown, "kl": f"{kl:.2g}", "entropy": f"{entropy:.3g}"}, refresh=False)
        if callback and callback(history):
            break
    return history


def evaluate_maml_ppo(
    policy: MetaPolicy,
    envs: Any,
    *,
    tasks: int,
    num_steps: int,
    fast_lr: float,
    seed: int,
    gamma: float = 0.99,
) -> np.ndarray:
    """Returns [num_steps + 1, M, n] of M new tasks, after 0, 1, ... inner steps.

    Those after j steps are the very episodes that step j + 1 learns from.
    """
    collector = EpisodeCollector(policy, envs, tasks, gamma)
    rng = np.random.default_rng(seed)
    options, weights = envs.draw_tasks(rng, tasks), policy.weights_for(tasks)
    returns = []
    for _ in range(num_steps + 1):
        episodes = collector.collect(weights, options, rng)
        returns.append(episodes.returns)
        weights = inner_step(policy, weights, episodes, fast_lr)
    return np.stack(returns)
