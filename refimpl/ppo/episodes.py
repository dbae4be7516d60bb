"""Policies of many tasks at work: one batched computation, no loop over tasks.

Weights get a first axis, [M, ...], and so does everything else: M tasks, and in each n
episodes of T steps. What was to be expected is estimated for each task by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from refimpl.checks import check_count
from refimpl.ppo.environments import World
from refimpl.ppo.linear_baseline import discounted, linear_baseline
from refimpl.ppo.networks import flat_width, forward, is_tanh_network, tanh_network
from refimpl.ppo.policy import Act, Described

TaskWeights = list[tf.Tensor]  #: W [M, D, n], b [M, 1, n] of each layer; M tasks


class MetaPolicy(Described):
    """An actor whose weights may differ from task to task; it has no critic.

    ``weights_for(M)`` repeats the weights for M tasks. If actions are real numbers,
    their deviation is the same for all tasks: only the outer loop moves it. ``hidden``
    gives the widths; weights start as :class:`ActorCritic`'s, from ``seed``. Raises a
    ValueError if a space of ``envs`` is not supported.
    """

    def __init__(self, envs: Any, hidden: Sequence[int] = (64, 64), *, seed: int):
        super().__init__(envs, hidden=[*hidden])
        width, rng = flat_width(self.observation_space), np.random.default_rng(seed)
        sizes = [*hidden, self.distribution.size]
        self.actor = tanh_network(sizes, 0.01, width, None, rng)

    def call(self, observations: tf.Tensor) -> tuple[tf.Tensor]:
        return (self.actor(observations),)

    def as_made(self) -> bool:
        """As :meth:`refimpl.ppo.policy.Described.as_made`."""
        return type(self) is MetaPolicy and is_tanh_network(self.actor)

    def weights_for(self, tasks: int) -> TaskWeights:
        """The weights, once for each of M = ``tasks``: W [M, D, n], b [M, 1, n]."""
        own = [w[None] for w in self.actor.trainable_weights]
        own = [w if len(w.shape) == 3 else w[None] for w in own]
        return [tf.repeat(w, tasks, axis=0) for w in own]

    def acting(self, weights: TaskWeights | None = None) -> Act:
        """As :meth:`refimpl.ppo.policy.Policy.acting`, by ``weights`` of M tasks.

        Observations are then [M, N, D].
        """
        own = self.actor.trainable_weights if weights is None else weights
        own, sample = [w.numpy() for w in own], self.distribution.sampler()
        return lambda seen, noise: sample(forward(own, seen), noise)


#: Each task's tanh network on its own observations: weights, [M, B, D] -> [M, B, n]
actor_output = partial(forward, tanh=tf.tanh)


class Episodes(NamedTuple):
    """n whole episodes of T steps in each of M tasks; a row b is one step, B = n T."""

    observations: tf.Tensor  #: [M, B, D]
    actions: tf.Tensor  #: [M, B, ...]
    log_prob: tf.Tensor  #: [M, B], of the actions as they were drawn
    advantages: tf.Tensor  #: [M, B], in units of the reward; their size tells, too
    returns: np.ndarray  #: [M, n], sums of rewards


class EpisodeCollector:
    """Policies at work, one for each of M ``tasks``, in n of ``envs`` each.

    ``policy`` says how the M policies act, ``gamma`` discounts. Raises as
    :class:`refimpl.ppo.rollout.Collector` does, and a ValueError if ``tasks`` is below
    1 or does not divide the number of environments.
    """

    def __init__(self, policy: MetaPolicy, envs: Any, tasks: int, gamma: float) -> None:
        self.world, self.policy = World(envs, policy), policy
        check_count("tasks", tasks, 1)
        if envs.num_envs % tasks:
            raise ValueError(
                f"tasks: expected to divide {envs.num_envs} environments, got {tasks}"
            )
        self.tasks, self.gamma = tasks, gamma

    def collect(
        self,
        weights: TaskWeights,
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
        act, distribution = self.policy.acting(weights), self.policy.distribution
        seen = self.world.reset(int(rng.integers(2**31)), options)
        split = self.tasks, len(seen) // self.tasks
        steps, over = [], np.zeros(1, bool)
        while not over.any():
            seen = seen.reshape(*split, -1)
            noise = distribution.noise(rng, split) * (not greedy)
            actions = act(seen, noise)
            following, rewards, terminated, truncated, infos = self.world.step(
                actions.reshape(-1, *actions.shape[2:])
            )
            expected = rewards
            if told:
                expected = self.world.told(infos, "expected_reward", rewards)
            paid = rewards.reshape(split), expected.reshape(split)
            steps.append((seen, actions, *paid))
            seen, over = following, terminated | truncated
        if not over.all():
            raise ValueError("envs: expected all episodes to end at the same step")
        stacked = (np.stack(part, axis=2) for part in zip(*steps, strict=True))
        seen, actions, rewards, expected = stacked
        returns = discounted(expected, self.gamma)
        advantages = (returns - linear_baseline(seen, returns)).astype(np.float32)

        def rows(x: np.ndarray) -> tf.Tensor:  # [M, n, T, ...] to [M, B, ...]
            return tf.constant(x.reshape(x.shape[0], -1, *x.shape[3:]))

        seen, actions, advantages = map(rows, (seen, actions, advantages))
        log_prob = distribution.log_prob(actor_output(weights, seen), actions)
        return Episodes(seen, actions, log_prob, advantages, rewards.sum(axis=2))
