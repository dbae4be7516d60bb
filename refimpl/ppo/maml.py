"""MAML with PPO as its outer loop: a policy one gradient step away from every student.

A student is a task i. The policy acts for a few episodes; a step of policy gradient at
the rate alpha (``fast_lr``) makes the student's own policy of it; that one acts too:

    phi_i' = phi + alpha grad U_i(phi),   U_i = mean_t pi(a|s) / pi_old(a|s) A_t.

The outer loop moves phi so that the adapted policies do well: PPO's clipped objective
on the new episodes, as a function of phi, through the step. Finn, Abbeel & Levine
(2017), algorithm 3, with PPO in place of TRPO; with second derivatives it is ProMP
(Rothfuss et al. 2019) without its KL penalty. All tasks are one batched computation.
A long module, since its docstrings say where the literature differs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from refimpl.checks import check_number
from refimpl.ppo.compiled import Alike
from refimpl.ppo.environments import in_use
from refimpl.ppo.episodes import EpisodeCollector, MetaPolicy
from refimpl.ppo.history import MeanReturns, linear_schedule
from refimpl.ppo.maml_steps import inner_step, outer_steps_for
from refimpl.ppo.run import Run
from refimpl.ppo.update import Learner

__all__ = ["evaluate_maml_ppo", "inner_step", "train_maml_ppo"]


def train_maml_ppo(
    policy: MetaPolicy,
    envs: Any,
    *,
    tasks: int,
    updates: int,
    seed: int,
    num_steps: int = 1,
    fast_lr: float = 0.1,
    meta_lr: float = 1e-3,
    epochs: int = 5,
    epsilon: float = 0.2,
    gamma: float = 0.99,
    entropy_weight: float = 0.0,
    first_order: bool = False,
    jit_compile: bool = False,
    callback: Callable[[list[np.ndarray]], bool | None] | None = None,
    checkpoint: str | Path | None = None,
    checkpoint_every: int = 50,
    progress: bool = True,
) -> list[np.ndarray]:
    """Meta-train in place, over many students.

    The adapted policies' advantages may be told, as in :func:`train_rl2`; those of the
    inner steps never are, since a new student's will not be. The KL that the progress
    bar shows is the one before the last of the ``epochs``.

    Parameters
    ----------
    policy : MetaPolicy
        Holds phi: where training starts, and afterwards what it learned.
    envs : vector environment
        Its ``draw_tasks`` draws an update's students.
    tasks, updates : int
        M students of an update, each in ``envs.num_envs`` / M environments.
    seed : int
        Update u draws from a generator made of (seed, u).
    num_steps : int
        Inner steps; with 0 this is PPO without a meta.
    fast_lr, meta_lr : float
        alpha, and Adam's rate for the outer loop, which falls to 0.
    epochs : int
        Outer steps on the same episodes.
    epsilon, gamma, entropy_weight
        As for :func:`refimpl.ppo.train`; ``epsilon`` is its strength.
    first_order : bool
        Take the inner gradients for constants.
    jit_compile, callback, checkpoint, checkpoint_every, progress
        As for :func:`refimpl.ppo.train`.

    Returns
    -------
    list of arrays [num_steps + 1]
        Each update's mean returns; entry j after j inner steps, before the outer step.

    Raises
    ------
    TypeError, ValueError
        If an argument, a reward or an observation is not what it should be, ``tasks``
        does not divide the number of environments, or these have no ``draw_tasks``.
    FileNotFoundError
        If there is no folder for the checkpoint.
    FloatingPointError
        If an update leads to NaN or infinity.
    """
    given = locals()
    draw_tasks = task_drawer(envs)
    collector = EpisodeCollector(policy, envs, tasks, gamma)
    learner, history = Learner(policy), MeanReturns()
    run = Run("MAML-PPO", given, learner, history)
    improve = outer_steps_for(Alike(policy), tasks, epochs, first_order, jit_compile)
    with in_use(envs):
        for _, rng, done in run:
            options = draw_tasks(rng, tasks)
            weights, before = policy.weights_for(tasks), []
            for _ in range(num_steps):
                before.append(collector.collect(weights, options, rng))
                weights = inner_step(policy, weights, before[-1], fast_lr)
            after = collector.collect(weights, options, rng, told=True)
            rates = fast_lr, meta_lr * linear_schedule(done), epsilon, entropy_weight
            numbers = (*map(np.float32, rates),)
            kl, entropy = map(float, learner.learn(improve, before, after, numbers))
            history.append(np.array([e.returns.mean() for e in (*before, after)]))
            run.shown = {f"after {j}": m for j, m in enumerate(history[-1])}
            run.shown |= {"kl": kl, "entropy": entropy}
    return history


def task_drawer(envs: Any) -> Callable:
    """``envs.draw_tasks``, or that of what it wraps; a TypeError if there is none."""
    for source in (envs, getattr(envs, "unwrapped", None)):
        if draw := getattr(source, "draw_tasks", None):
            return draw
    raise TypeError(
        "envs: expected a method draw_tasks(rng, tasks) that returns options for "
        f"reset, got {envs!r}"
    )


def evaluate_maml_ppo(
    policy: MetaPolicy,
    envs: Any,
    *,
    tasks: int,
    fast_lr: Sequence[float],
    seed: int,
    gamma: float = 0.99,
    greedy: bool = False,
) -> np.ndarray:
    """Returns [k + 1, M, n] of M new ``tasks``, after 0, 1, ..., k inner steps.

    ``policy``, ``envs`` and ``gamma`` as for :func:`train_maml_ppo`. Step j is made at
    the rate ``fast_lr[j - 1]``, from episodes with drawn actions; these are the ones
    whose returns stand in row j - 1. If ``greedy``, each policy acts once more, by its
    likeliest actions, and the returns are those. Raises a ValueError if ``tasks`` does
    not divide the number of environments, or ``fast_lr`` is not a list of numbers.
    """
    if np.ndim(fast_lr) != 1:
        raise ValueError(f"fast_lr: expected one rate for each step, got {fast_lr!r}")
    for each in fast_lr:
        check_number("fast_lr", each, 0)
    check_number("gamma", gamma, 0, 1)
    draw_tasks = task_drawer(envs)
    collector = EpisodeCollector(policy, envs, tasks, gamma)
    rng, returns = np.random.default_rng(seed), []
    options, weights = draw_tasks(rng, tasks), policy.weights_for(tasks)
    with in_use(envs):
        rates: list[float | None] = [*fast_lr, None]
        for rate in rates:
            episodes = shown = collector.collect(weights, options, rng)
            if greedy:
                shown = collector.collect(weights, options, rng, greedy=True)
            returns.append(shown.returns)
            if rate is not None:
                weights = inner_step(policy, weights, episodes, rate)
    return np.stack(returns)
