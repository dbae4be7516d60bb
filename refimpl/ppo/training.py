"""The loop: act, estimate advantages, take epochs of minibatch steps; again.

A long module, since ``train`` has many settings, and says what each of them is.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from refimpl.checks import check_count
from refimpl.ppo.advantages import compute_advantages
from refimpl.ppo.compiled import Alike, judge_for
from refimpl.ppo.environments import in_use
from refimpl.ppo.history import History, explained_variance, linear_schedule
from refimpl.ppo.objectives import Batch, clipped_surrogate
from refimpl.ppo.policy import Policy
from refimpl.ppo.rollout import Collector, Rollout, flat
from refimpl.ppo.run import Run
from refimpl.ppo.scales import RewardsSoFar
from refimpl.ppo.update import Learner, Numbers, improve_for


def train(
    policy: Policy,
    envs: Any,
    *,
    updates: int,
    seed: int,
    rollout_steps: int = 128,
    epochs: int = 4,
    minibatches: int = 4,
    learning_rate: float = 2.5e-4,
    schedule: Callable[[float], float] = linear_schedule,
    gamma: float = 0.99,
    lambda_: float = 0.95,
    surrogate: Callable[..., tf.Tensor] = clipped_surrogate,
    strength: float = 0.2,
    adapt: Callable[[float, float], float] | None = None,
    value_weight: float = 0.5,
    entropy_weight: float = 0.01,
    max_grad_norm: float = 0.5,
    max_kl: float = math.inf,
    jit_compile: bool = False,
    callback: Callable[[History], bool | None] | None = None,
    checkpoint: str | Path | None = None,
    checkpoint_every: int = 50,
    progress: bool = True,
) -> History:
    """Improve a policy, in place: algorithm 1 of Schulman et al. (2017).

    The progress bar shows what :class:`refimpl.ppo.History` defines, and the mean
    return of the last 100 episodes.

    Parameters
    ----------
    policy, envs
        What learns, and N environments that reset on the next step.
    updates, seed : int
        Update u draws from a generator made of (seed, u).
    rollout_steps, epochs, minibatches : int
        T steps in each environment before each update; passes of the update over these;
        and the parts of a pass, as many in each of them, two or more, or ValueError.
    learning_rate, schedule : float, share of the updates done -> factor
        Adam's rate is their product.
    gamma, lambda_ : float
        As for :func:`compute_advantages`.
    surrogate, strength, adapt : function, float, (strength, KL) -> the next strength
        What is maximized, and its epsilon or beta; ``adapt`` may be :func:`adapt_beta`.
        A surrogate of one's own takes the arguments of :func:`clipped_surrogate`, and
        is a mean over steps.
    value_weight, entropy_weight : float
        c1 and c2 of their equation (9).
    max_grad_norm, max_kl : float
        A gradient of larger norm is scaled down. A minibatch of larger KL ends an
        update, before the step it would have made.
    jit_compile : bool
        Compile the update with XLA: some seconds at first, then faster.
    callback : History -> bool or None, optional
        Called after each update; training ends if it returns True. It may not act in
        ``envs``; evaluate in others.
    checkpoint, checkpoint_every : path, int
        An .npz file, written every so many updates and after the last. If it exists,
        training goes on from it and ends just as without interruption: all environments
        are reset at each checkpoint, interrupted or not, since Gymnasium cannot store
        where they stand. (An exception is luck that their seed does not reach, as that
        of :func:`refimpl.envs.shuffled`.) It must have been made with the same
        settings. A finished run may be trained on, by more ``updates``: its
        ``schedule`` then begins anew.
    progress : bool
        Whether to show a progress bar.

    Raises
    ------
    TypeError, ValueError
        If an argument, a reward or an observation is not what it should be.
    FileNotFoundError
        If there is no folder for the checkpoint.
    FloatingPointError
        If an update leads to NaN or infinity.
    """
    given = locals()
    collector = Collector(envs, policy)
    learner, history, alike = Learner(policy), History(), Alike(policy)
    run, n = Run("PPO", given, learner, history), envs.num_envs
    if (size := n * rollout_steps) % minibatches or size == minibatches:
        raise ValueError(
            f"minibatches: expected to divide {size} into parts of at least two steps, "
            f"got {minibatches}"
        )
    judge = judge_for(alike, jit_compile)
    improve = improve_for(alike, surrogate, jit_compile)
    so_far = RewardsSoFar(gamma)
    with in_use(envs):
        for update, rng, done in run:
            if run.resets(update):
                collector.reset(int(rng.integers(2**31)))
                so_far.reset(n)
            noise = policy.distribution.noise(rng, (rollout_steps, n))
            rollout = collector.collect(noise)
            valid = rollout.valid
            if policy.observation_scale:
                policy.observation_scale.update(rollout.observations[:-1][valid])
            rewards = so_far.scaled(rollout, policy.reward_scale)
            output, values = judge(learner.values(), flat(rollout.observations))
            values = values.numpy().reshape(rollout_steps + 1, n)
            batch = judged(policy, rollout, rewards, output, values, gamma, lambda_)

            order = [rng.permutation(size) for _ in range(epochs)]
            rows = np.reshape(order, (epochs * minibatches, -1))
            if adapt and len(history):
                strength = adapt(history.strength[-1], history.kl[-1])
            rate, weights = (
                learning_rate * schedule(done),
                (value_weight, entropy_weight),
            )
            numbers = Numbers.of(rate, max_grad_norm, max_kl, strength, *weights)
            found = learner.learn(improve, batch, rows, numbers)

            entry: dict[str, Any] = {
                name: float(x) for name, x in found._asdict().items()
            }
            entry |= {"strength": float(strength), "steps": int(valid.sum())}
            entry["returns"] = [total for _, total in rollout.episodes]
            entry["explained_variance"] = explained_variance(
                batch.returns[batch.valid], values[:-1][valid]
            )
            history.add(**entry, log_std=policy.distribution.mean_log_std())
            run.shown = {"return": history.mean_return(), "kl": entry["kl"]}
            run.shown |= {"clip": entry["clip_fraction"], "entropy": entry["entropy"]}
            run.shown["explained"] = entry["explained_variance"]
    return history


def judged(
    policy: Policy,
    rollout: Rollout,
    rewards: np.ndarray,
    output: tf.Tensor,
    values: np.ndarray,
    gamma: float,
    lambda_: float,
) -> Batch:
    """What an update of ``policy`` learns from: a ``rollout``, row by row.

    ``output`` [(T + 1) N, ...] and ``values`` [T + 1, N] are the policy's, of all that
    was observed; ``rewards`` [T, N] may be scaled; ``gamma``, ``lambda_`` as ever.
    """
    actions = flat(rollout.actions)
    log_prob = policy.distribution.log_prob(output[: len(actions)], actions)
    ends = rollout.terminated, rollout.truncated
    estimated = compute_advantages(
        rewards, values[:-1], values[1:], *ends, gamma, lambda_
    )
    seen = flat(rollout.observations[:-1])
    return Batch(seen, actions, log_prob, *map(flat, (*estimated, rollout.valid)))


def evaluate(
    policy: Policy, envs: Any, episodes: int = 1, *, seed: int, greedy: bool = True
) -> np.ndarray:
    """Returns [N, ``episodes``] of a ``policy`` in N ``envs``, one row for each.

    By the likeliest actions or, if not ``greedy``, drawn ones. Raises a ValueError if
    a training that is going on uses ``envs``.
    """
    check_count("episodes", episodes, 1)
    collector, rng = Collector(envs, policy), np.random.default_rng(seed)
    returns: list[list[float]] = [[] for _ in range(envs.num_envs)]
    with in_use(envs):
        collector.reset(int(rng.integers(2**31)))
        while min(map(len, returns)) < episodes:
            noise = policy.distribution.noise(rng, (64, envs.num_envs))
            for i, total in collector.collect(noise * (not greedy)).episodes:
                returns[i].append(total)
    return np.array([own[:episodes] for own in returns])
