"""Acting: T steps in N environments, and what is remembered of them."""

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from gymnasium.vector import AutoresetMode


class Rollout(NamedTuple):
    """T steps in N environments. Observation t + 1 is what step t really led to.

    The step after an episode's end is a reset, no experience: ``valid`` is False.
    """

    #: of each that ended, the environment and the return
    episodes: list[tuple[int, float]]
    observations: np.ndarray  #: [T + 1, N, D]
    actions: np.ndarray  #: [T, N, ...], as they were sampled
    rewards: np.ndarray  #: [T, N]
    terminated: np.ndarray  #: [T, N] of bool, as are the next two
    truncated: np.ndarray  #: whether the episode was cut off here
    valid: np.ndarray  #: whether the step was experience


class Collector:
    """``policy`` at work in its environments; it knows where each episode stands.

    A call of TensorFlow costs more than a small network. So one call acts for a
    whole rollout: the loop over time is inside, and calls the environments back.
    Raises a ValueError if ``envs`` do not reset on the next step.
    """

    def __init__(self, envs: Any, policy: Any) -> None:
        if (mode := envs.metadata.get("autoreset_mode")) != AutoresetMode.NEXT_STEP:
            raise ValueError(f"envs: expected AutoresetMode.NEXT_STEP, got {mode}")
        self.envs, self.policy = envs, policy
        self.act = tf.function(self._act)
        self.error: Exception | None = None

    def reset(self, seed: int) -> None:
        """Begin new episodes everywhere."""
        self.observations = self.envs.reset(seed=seed)[0].astype(np.float32)
        self.done = np.zeros(self.envs.num_envs, dtype=bool)
        self.returns = np.zeros(self.envs.num_envs)

    def collect(self, noise: np.ndarray) -> Rollout:
        """Act, after :meth:`reset`, with each of the T rows of ``noise`` [T, N, P].

        Raises a ValueError if an observation is not finite.
        """
        first, self.error = self.observations, None
        self.steps: list[tuple] = []
        self.episodes: list[tuple[int, float]] = []
        try:
            self.act(first, noise)
        except tf.errors.OpError as error:  # around the environment's own
            raise self.error or error from None
        following, *others = map(np.stack, zip(*self.steps, strict=True))
        observations = np.concatenate([first[None], following])
        if not np.isfinite(observations).all():
            raise ValueError("envs: expected finite observations, got NaN or infinity")
        return Rollout(self.episodes, observations, *others)

    def _act(self, observations: tf.Tensor, noise: tf.Tensor) -> None:
        distribution, shape = self.policy.distribution, observations.shape
        for now in noise:
            actions = distribution.sample(self.policy.actor(observations), now)
            following = tf.numpy_function(self._step, [actions], tf.float32)
            observations = tf.ensure_shape(following, shape)

    def _step(self, actions: np.ndarray) -> np.ndarray:
        try:
            executed = self.policy.distribution.executed(actions)
            following, rewards, terminated, truncated, _ = self.envs.step(executed)
        except Exception as error:
            self.error = error
            raise
        following, rewards = following.astype(np.float32), rewards.astype(np.float32)
        valid, done = ~self.done, terminated | truncated
        self.steps.append((following, actions, rewards, terminated, truncated, valid))
        self.returns += rewards * valid
        self.episodes += [(int(i), float(self.returns[i])) for i in done.nonzero()[0]]
        self.returns[done] = 0
        self.observations, self.done = following, done
        return following
