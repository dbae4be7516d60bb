"""The functions that act, each with a small world; and worlds that are odd.

All tests use the same sizes, so that each function is compiled once for all of them.
"""

import sqlite3
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper
from gymnasium.vector.utils import batch_space

from refimpl.envs import BernoulliBandits, Navigation2D, TwoStateVectorEnv
from refimpl.ppo import (
    ActorCritic,
    History,
    evaluate,
    evaluate_maml_ppo,
    evaluate_rl2,
    train,
    train_maml_ppo,
    train_rl2,
)
from refimpl.ppo.episodes import MetaPolicy
from refimpl.ppo.recurrent import RecurrentActorCritic


def students(num_envs=4):
    return TwoStateVectorEnv(num_envs, 5)


def lessons(num_envs=8):
    return BernoulliBandits(num_envs, pulls=4, arms=2)


def points(num_envs=4):
    return Navigation2D(num_envs, 3, 0.0)


def plain_policy(envs, seed=0, **settings):
    return ActorCritic(envs, (8,), seed=seed, **settings)


def recurrent_policy(envs, seed=0):
    return RecurrentActorCritic(envs, 4, seed=seed)


def meta_policy(envs, seed=0):
    return MetaPolicy(envs, (8,), seed=seed)


class Way(NamedTuple):
    """A function that acts: in what, by what policy, and with small settings."""

    envs: Callable[..., Any]
    policy: Callable[..., Any]
    call: Callable[..., Any]


SMALL = {"updates": 2, "seed": 0, "rollout_steps": 8, "minibatches": 2, "epochs": 2}
RL2 = {"updates": 2, "seed": 0, "epochs": 1, "minibatches": 2}
MAML = {"tasks": 2, "updates": 2, "seed": 0, "epochs": 1}
ADAPT = {"tasks": 2, "fast_lr": [0.1], "seed": 0}
WAYS = {
    "train": Way(students, plain_policy, partial(train, **SMALL)),
    "train_rl2": Way(lessons, recurrent_policy, partial(train_rl2, **RL2)),
    "train_maml_ppo": Way(points, meta_policy, partial(train_maml_ppo, **MAML)),
    "evaluate": Way(students, plain_policy, partial(evaluate, seed=0)),
    "evaluate_rl2": Way(lessons, recurrent_policy, partial(evaluate_rl2, seed=0)),
    "evaluate_maml_ppo": Way(points, meta_policy, partial(evaluate_maml_ppo, **ADAPT)),
}
TRAINING = [name for name in WAYS if name.startswith("train")]


def weights_of(policy):
    return [v.numpy() for v in policy.variables]


def ran(name, envs=None, policy=None, **change):
    """What the function ``name`` returns, and the weights after it."""
    way = WAYS[name]
    envs = way.envs() if envs is None else envs
    policy = way.policy(envs) if policy is None else policy
    return way.call(policy, envs, **change), weights_of(policy)


def same(one, other):
    """Whether two results of :func:`ran` are equal bit for bit."""
    first, second = (
        vars(result) if isinstance(result, History) else np.array(result).tolist()
        for result, _ in (one, other)
    )
    return first == second and all(map(np.array_equal, one[1], other[1]))


class Odd(VectorWrapper):
    """``envs``, whose steps are what ``change(step)`` makes of them, a list of five."""

    def __init__(self, envs, change):
        super().__init__(envs)
        self.change = change

    def step(self, actions):
        return tuple(self.change(list(self.env.step(actions))))


class InPlace(VectorWrapper):
    """``envs`` that return the same arrays each time, changed in place."""

    def __init__(self, envs):
        super().__init__(envs)
        n, seen = envs.num_envs, envs.single_observation_space.shape
        self.own = [np.zeros((n, *seen), np.float32), np.zeros(n)]
        self.own += [np.zeros(n, bool), np.zeros(n, bool)]
        self.told = {}

    def reset(self, *, seed=None, options=None):
        self.own[0][:] = self.env.reset(seed=seed, options=options)[0]
        return self.own[0], self.told

    def step(self, actions):
        *arrays, infos = self.env.step(actions)
        for own, array in zip(self.own, arrays, strict=True):
            own[:] = array
        for name, array in infos.items():
            self.told.setdefault(name, np.zeros_like(array))[:] = array
        return *self.own, {name: self.told[name] for name in infos}


class Database(VectorWrapper):
    """``envs`` that note each step in a database, as only one thread may."""

    def reset(self, *, seed=None, options=None):
        self.notes = sqlite3.connect(":memory:")
        self.notes.execute("create table steps (action)")
        return self.env.reset(seed=seed, options=options)

    def step(self, actions):
        rows = [(float(np.ravel(action)[0]),) for action in actions]
        self.notes.executemany("insert into steps values (?)", rows)
        return self.env.step(actions)


class BreakingError(Exception):
    """The environment's own."""


class Breaks(VectorWrapper):
    """``envs`` that break down at a step, counted from 1 since they were made."""

    def __init__(self, envs, at):
        super().__init__(envs)
        self.at, self.count = at, 0

    def step(self, actions):
        self.count += 1
        if self.count == self.at:
            raise BreakingError
        return self.env.step(actions)


class Simple(VectorEnv):
    """Episodes of ``length`` steps; ``seen(envs)`` is observed, ``pay(actions)`` paid.

    ``self.time`` is the number of steps since the episode began.
    """

    def __init__(self, observed, chosen, seen, pay, length, num_envs=4):
        self.metadata = {"autoreset_mode": AutoresetMode.NEXT_STEP}
        self.num_envs, self.length = num_envs, length
        self.single_observation_space, self.single_action_space = observed, chosen
        self.observation_space = batch_space(observed, num_envs)
        self.action_space = batch_space(chosen, num_envs)
        self.seen, self.pay = seen, pay

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.time = 0
        return self.seen(self), {}

    def step(self, actions):
        if self.time == self.length:
            nothing = np.zeros(self.num_envs)
            return self.reset()[0], nothing, nothing > 0, nothing > 0, {}
        self.time += 1
        rewards = self.pay(self, actions)
        ends = np.full(self.num_envs, self.time == self.length)
        return self.seen(self), rewards, ends, ends & False, {}


def masked_world(mask, at_end=None):
    """Three actions and ``mask`` [3]; when an episode of three is over, ``at_end``."""

    def seen(envs):
        shown = mask if at_end is None or envs.time < 3 else at_end
        row = np.array([envs.time / 3, *shown], np.float32)
        return np.tile(row, (envs.num_envs, 1))

    observed = gym.spaces.Box(-5, 5, (4,), np.float32)
    pay = lambda envs, actions: np.ones(envs.num_envs)  # noqa: E731
    return Simple(observed, gym.spaces.Discrete(3), seen, pay, 3)
