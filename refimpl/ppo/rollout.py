"""Acting: T steps in N environments, and what is remembered of them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from refimpl.ppo.environments import World


class Rollout(NamedTuple):
    """T steps in N environments. Observation t + 1 is what step t really led to.

    The step after an episode's end is a reset, no experience: ``valid`` is False.
    """

    #: of each that ended, the environment and the return
    episodes: list[tuple[int, float]]
    observations: np.ndarray  #: [T + 1, N, ...]
    actions: np.ndarray  #: [T, N, ...], as they were sampled
    rewards: np.ndarray  #: [T, N]
    terminated: np.ndarray  #: [T, N] of bool, as are the next two
    truncated: np.ndarray  #: whether the episode was cut off here
    valid: np.ndarray  #: whether the step was experience


class Collector:
    """``policy`` at work in ``envs``; it knows where each episode stands.

    Raises a TypeError or ValueError if ``envs`` are no vector environments, do not
    reset on the next step, or have other spaces than the policy.
    """

    def __init__(self, envs: Any, policy: Any) -> None:
        self.world, self.policy = World(envs, policy), policy

    def reset(self, seed: int) -> None:
        """Begin new episodes everywhere."""
        self.observations = self.world.reset(seed)
        self.done = np.zeros(len(self.observations), dtype=bool)
        self.returns = np.zeros(len(self.observations))

    def collect(self, noise: np.ndarray) -> Rollout:
        """Act, after :meth:`reset`, with each of the T rows of ``noise`` [T, N, n].

        Raises a ValueError if what the environments return is not what it should be.
        """
        act, steps, observations = self.policy.acting(), [], [self.observations]
        for now in noise:
            actions = act(self.observations, now)
            self.observations, *others, _ = self.world.step(actions)
            observations.append(self.observations)
            steps.append((actions, *others))
        own = map(stacked, zip(*steps, strict=True))
        actions, rewards, terminated, truncated = own
        over = terminated | truncated
        valid = ~np.concatenate([self.done[None], over[:-1]])
        self.done = over[-1]
        episodes = self._returns(rewards * valid, over)
        ends = terminated, truncated, valid
        rollout = Rollout(episodes, stacked(observations), actions, rewards, *ends)
        self.policy.check_seen(rollout.observations[:-1][valid])
        return rollout

    def _returns(self, paid: np.ndarray, over: np.ndarray) -> list[tuple[int, float]]:
        """Of the episodes that are ``over`` [T, N], from what was ``paid`` [T, N]."""
        sums, episodes = self.returns + paid.cumsum(axis=0, dtype=np.float64), []
        before = np.zeros(len(self.returns))
        for t, i in zip(*over.nonzero(), strict=True):
            episodes.append((int(i), float(sums[t, i] - before[i])))
            before[i] = sums[t, i]
        self.returns = sums[-1] - before
        return episodes


def stacked(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """As ``np.stack``, and faster: ``arrays``, T of [N, ...], as [T, N, ...]."""
    return np.concatenate(arrays).reshape(len(arrays), *arrays[0].shape)


def flat(array: np.ndarray) -> np.ndarray:
    """``array`` [T, N, ...] as [T N, ...]: row t N + n is step t in environment n."""
    return array.reshape(-1, *array.shape[2:])
