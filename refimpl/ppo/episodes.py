"""Policies of many tasks at work: one batched computation, no loop over tasks.

Weights get a first axis, [M, ...], and so does everything else: M tasks, and in each n
episodes of T steps. What was to be expected is estimated for each task by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from refimpl.checks import check_count
from refimpl.ppo.linear_baseline import discounted, linear_baseline
from refimpl.ppo.policies import distribution_for, tanh_network

Weights = list[tf.Tensor]  #: W, b of each layer, each with a first axis of M tasks


class MetaPolicy(keras.Model):
    """An actor whose weights may differ from task to task; it has no critic.

    ``weights_for(M)`` repeats the weights for M tasks. If actions are real numbers,
    their deviation is the same for all tasks: only the outer loop moves it. ``hidden``
    gives the widths; weights start as :class:`ActorCritic`'s, from ``seed``. Raises a
    ValueError if a space of ``envs`` is not supported.
    """

    def __init__(self, envs: Any, hidden: Sequence[int] = (64, 64), *, seed: int):
        super().__init__()
        self.distribution = distribution_for(envs)
        sizes = [*envs.single_observation_space.shape, *hidden, self.distribution.size]
        self.actor = tanh_network(sizes, 0.01, np.random.default_rng(seed))
        self.built = True

    def weights_for(self, tasks: int) -> Weights:
        """The weights, once for each of M = ``tasks``."""
        return [tf.repeat(w[None], tasks, axis=0) for w in self.actor.trainable_weights]


def actor_output(weights: Weights, observations: tf.Tensor) -> tf.Tensor:
    """Each task's tanh network on its own ``observations``: [M, B, D] to [M, B, P].

    ``weights`` are those of M tasks.
    """
    x = observations
    for i in range(0, len(weights), 2):
        x = x @ weights[i] + weights[i + 1][:, None]
        x = tf.tanh(x) if i + 2 < len(weights) else x
    return x


class Episodes(NamedTuple):
    """n whole episodes of T steps in each of M tasks; a row b is one step, B = n T."""

    observations: tf.Tensor  #: [M, B, D]
    actions: tf.Tensor  #: [M, B, ...]
    log_prob: tf.Tensor  #: [M, B], of the actions as they were drawn
    advantages: tf.Tensor  #: [M, B], in units of the reward; their size tells, too
    returns: np.ndarray  #: [M, n], sums of rewards


class EpisodeCollector:
    """Policies at work, one for each of M ``tasks``, in n of ``envs`` each.

    ``policy`` says how the M policies act, ``gamma`` discounts. Raises a ValueError if
    ``tasks`` is below 1 or does not divide the number of environments.
    """

    def __init__(self, policy: MetaPolicy, envs: Any, tasks: int, gamma: float) -> None:
        check_count("tasks", tasks, 1)
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
        greedy: bool = False,
    ) -> Episodes:
        """One episode in each environment; ValueError unless all end at the same step.

        ``weights`` are the M policies'; ``options`` say which tasks these are.
        Advantages are returns, discounted, minus a :func:`linear_baseline`. If
        ``told``, the rewards in them are what was to be expected, where the environment
        knows it (``infos["expected_reward"]``). If ``greedy``, the likeliest actions
        are taken instead of drawn ones.
        """
        seen = self.envs.reset(seed=int(rng.integers(2**31)), options=options)[0]
        split = self.tasks, self.envs.num_envs // self.tasks
        steps, over = [], np.zeros(1, bool)
        while not over.any():
            seen = seen.reshape(*split, -1).astype(np.float32)
            noise = self.policy.distribution.noise(rng, split) * (not greedy)
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

        def rows(x: np.ndarray) -> tf.Tensor:  # [M, n, T, ...] to [M, B, ...]
            return tf.constant(x.reshape(x.shape[0], -1, *x.shape[3:]))

        remembered = seen, actions, log_prob, advantages.astype(np.float32)
        seen, actions, log_prob, advantages = map(rows, remembered)
        return Episodes(seen, actions, log_prob, advantages, rewards.sum(axis=2))

    def _act(
        self, weights: Weights, seen: tf.Tensor, noise: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        output = actor_output(weights, seen)
        actions = self.policy.distribution.sample(output, noise)
        return actions, self.policy.distribution.log_prob(output, actions)
