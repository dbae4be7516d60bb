"""Small environments that the tests of acting and training share."""

import gymnasium as gym
import numpy as np
import tensorflow as tf
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from refimpl.envs import TwoStateVectorEnv
from refimpl.ppo.compiled import judge_for
from refimpl.ppo.maml_steps import outer_steps_for
from refimpl.ppo.update import improve_for


def cart_pole(num_envs=4):
    return gym.make_vec(
        "CartPole-v1", num_envs=num_envs, vectorization_mode="vector_entry_point"
    )


class Spoiled(gym.vector.VectorWrapper):
    """Students of the two-state world, with what ``spoil`` makes of each step.

    ``spoil(count, resets, step)`` gets the number of the step since the wrapper was
    made, who is being reset by it, and what the environment returned.
    """

    def __init__(self, spoil, num_envs=4, max_steps=5):
        super().__init__(TwoStateVectorEnv(num_envs, max_steps))
        self.spoil, self.count = spoil, 0

    def step(self, actions):
        self.count += 1
        resets = self.env.done.copy()
        return *self.spoil(self.count, resets, list(self.env.step(actions)[:4])), {}


class Target(VectorEnv):
    """Real numbers near .5, in [-1, 1], are rewarded; episodes of three steps."""

    def __init__(self, num_envs=4):
        self.metadata = {"autoreset_mode": AutoresetMode.NEXT_STEP}
        self.num_envs = num_envs
        self.single_observation_space = gym.spaces.Box(-1, 1, (2,), np.float64)
        self.single_action_space = gym.spaces.Box(-1, 1, (1,), np.float32)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.seen = []

    def reset(self, *, seed=None, options=None):
        self.time = 0
        return np.zeros((self.num_envs, 2)), {}

    def step(self, actions):
        assert self.action_space.contains(actions)
        self.seen.append(actions)
        resets = self.time == 3
        self.time = 0 if resets else self.time + 1
        ends = np.full(self.num_envs, self.time == 3)
        rewards = 0.0 if resets else -((actions[:, 0] - 0.5) ** 2)
        observations = np.full((self.num_envs, 2), self.time / 3)
        return observations, rewards + np.zeros(self.num_envs), ends & False, ends, {}


def forget_what_is_compiled():
    """The next training compiles anew, whatever was trained before."""
    for cached in (improve_for, judge_for, outer_steps_for):
        cached.cache_clear()


class Traces:
    """How often TensorFlow has traced a ``function``: only then Python runs inside."""

    def __init__(self, function):
        self.function, self.count = function, 0

    def __call__(self, *arguments):
        self.count += tf.inside_function()
        return self.function(*arguments)


def assert_traced_in_the_first_update_alone(monkeypatch, owner, name, train):
    """Four updates of ``train(updates)`` trace ``owner.name`` no more often than one.

    And another training, whose policy is like the first, does not trace it at all.
    """
    traces = Traces(getattr(owner, name))
    monkeypatch.setattr(owner, name, lambda *a: traces(*a))
    counts = []
    try:
        for updates in (1, 4):
            forget_what_is_compiled()
            train(updates)
            counts.append(traces.count)
        train(4)
    finally:
        forget_what_is_compiled()
    assert counts[1] == 2 * counts[0] > 0
    assert traces.count == counts[1]
