"""Trials: all that happens with one student, and what is remembered of it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from refimpl.ppo.compiled import Alike, judge_for, values_of
from refimpl.ppo.environments import World
from refimpl.ppo.recurrent import RecurrentActorCritic


class Trials(NamedTuple):
    """N whole trials of T steps, each from a student's coming to their leaving."""

    inputs: np.ndarray  #: [N, T, I], what the policy received
    actions: np.ndarray  #: [N, T]
    log_prob: np.ndarray  #: [N, T], of the actions as they were drawn
    values: np.ndarray  #: [N, T]
    rewards: np.ndarray  #: [N, T]
    expected: np.ndarray  #: [N, T], rewards without luck, where a simulator knows them
    next_values: np.ndarray  #: [N], V of what followed the last step
    truncated: np.ndarray  #: [N] of bool: cut off there, so that next_values counts


class TrialCollector:
    """A recurrent ``policy`` at work in ``envs``; its state lasts for one student.

    ``jit_compile``: with XLA. Raises as :class:`refimpl.ppo.rollout.Collector` does.
    """

    def __init__(
        self, policy: RecurrentActorCritic, envs: Any, jit_compile: bool = False
    ) -> None:
        self.world, self.policy = World(envs, policy), policy
        self.judge = judge_for(Alike(policy), jit_compile)

    def collect(self, rng: np.random.Generator, greedy: bool = False) -> Trials:
        """Reset the environments, then act until all students leave.

        If ``greedy``, the likeliest actions are taken instead of drawn ones. Raises a
        ValueError if some leave earlier than others, or if what the environments
        return is not what it should be.
        """
        act, distribution = self.policy.acting(), self.policy.distribution
        seen = self.world.reset(int(rng.integers(2**31)))
        n = len(seen)
        before = np.zeros((n, distribution.size + 2), np.float32)
        steps, over = [], np.zeros(n, bool)
        while not over.any():
            noise = distribution.noise(rng, (n,)) * (not greedy)
            inputs = np.concatenate([seen, before], axis=1)
            action = act(inputs, noise)
            seen, reward, terminated, truncated, infos = self.world.step(action)
            over = terminated | truncated
            expected = self.world.told(infos, "expected_reward", reward)
            before = np.zeros_like(before)  # action, reward, episode over
            before[np.arange(n), action] = 1
            before[:, -2] = reward
            before[:, -1] = self.world.told(infos, "episode_over", over)
            steps.append((inputs, action, reward, expected))
        if not over.all():
            raise ValueError("envs: expected all students to leave at the same step")
        last = np.concatenate([seen, before], axis=1)
        inputs, actions, rewards, expected = (
            np.stack(part, axis=1) for part in zip(*steps, strict=True)
        )
        output, values = self.judge(
            values_of(self.policy), np.append(inputs, last[:, None], axis=1)
        )
        log_prob = distribution.log_prob(output[:, :-1], actions).numpy()
        values = values.numpy()
        judged = actions, log_prob, values[:, :-1], rewards, expected
        return Trials(inputs, *judged, values[:, -1], truncated & ~terminated)
