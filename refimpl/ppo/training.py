"""The loop: act, estimate advantages, take epochs of minibatch steps; again.

A long module, since ``train`` has many settings, and says what each of them is.
"""

import math
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from refimpl.checks import check_count, check_number
from refimpl.ppo.advantages import compute_advantages
from refimpl.ppo.checkpoint import load_arrays, save_arrays
from refimpl.ppo.history import History, explained_variance, linear_schedule
from refimpl.ppo.objectives import Batch, clipped_surrogate, make_improve, ppo_loss
from refimpl.ppo.policies import ActorCritic
from refimpl.ppo.rollout import Collector


def train(
    policy: ActorCritic,
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
    callback: Callable[[History], bool | None] | None = None,
    checkpoint: str | Path | None = None,
    checkpoint_every: int = 50,
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
        and the parts of a pass, as many in each of them, or ValueError.
    learning_rate, schedule : float, share of the updates done -> factor
        Adam's rate is their product.
    gamma, lambda_ : float
        As for :func:`compute_advantages`.
    surrogate, strength, adapt : function, float, (strength, KL) -> the next strength
        What is maximized, and its epsilon or beta; ``adapt`` may be :func:`adapt_beta`.
    value_weight, entropy_weight : float
        c1 and c2 of their equation (9).
    max_grad_norm, max_kl : float
        A gradient of larger global norm is scaled down. A minibatch of larger KL ends
        an update, before the step it would have made.
    callback : History -> bool or None, optional
        Called after each update; training ends if it returns True.
    checkpoint, checkpoint_every : path, int
        An .npz file, written every so many updates and after the last. If it exists,
        training goes on from it and ends just as without interruption: all environments
        are reset at each checkpoint, interrupted or not, since Gymnasium cannot store
        where they stand. (An exception is luck that their seed does not reach, as that
        of :func:`refimpl.envs.shuffled`.) It must have been made with the same
        settings, ``updates`` among them, since the schedule depends on it.

    Raises
    ------
    TypeError, ValueError
        If an argument, a reward or an observation is not what it should be.
    FileNotFoundError
        If there is no folder for the checkpoint.
    FloatingPointError
        If an update leads to NaN or infinity.
    """
    given: dict = {n: getattr(v, "__qualname__", v) for n, v in locals().items()}
    given |= {"policy": [v.shape for v in policy.variables], "envs": envs.num_envs}
    del given["callback"], given["checkpoint"]
    settings = {n: re.sub(r" at 0x\w+", "", str(v)) for n, v in given.items()}
    check_count("updates", updates, 0)
    for name in ("rollout_steps", "epochs", "minibatches", "checkpoint_every"):
        check_count(name, given[name], 1)
    for name in ("learning_rate", "strength", "max_grad_norm"):
        check_number(name, given[name], 0)
    for name in ("gamma", "lambda_"):
        check_number(name, given[name], 0, 1)
    size = rollout_steps * envs.num_envs
    if size % minibatches:
        raise ValueError(f"minibatches: expected to divide {size}, got {minibatches}")
    optimizer = keras.optimizers.Adam(learning_rate, epsilon=1e-5)
    optimizer.build(policy.trainable_variables)
    collector, judge, history = Collector(envs, policy), tf.function(policy), History()
    loss = partial(ppo_loss, surrogate, value_weight, entropy_weight)
    improve = make_improve(policy, optimizer, loss, max_grad_norm, max_kl)
    saved = {f"{i}": v for i, v in enumerate(policy.variables + optimizer.variables)}
    if checkpoint and not Path(checkpoint).parent.is_dir():
        raise FileNotFoundError(f"checkpoint: no folder {Path(checkpoint).parent}")
    if checkpoint and Path(checkpoint).exists():
        arrays, note = load_arrays(checkpoint)
        for name, value in settings.items():
            if (old := note.get("settings", {}).get(name)) != value:
                raise ValueError(f"checkpoint: made with {name}={old}, not {value}")
        vars(history).update(note["history"])
        for name, variable in saved.items():
            variable.assign(arrays[name])

    bar = tqdm(range(start := len(history.kl), updates), desc="PPO")
    for update in bar:
        rng = np.random.default_rng([seed, update])
        if update == start or (checkpoint and update % checkpoint_every == 0):
            collector.reset(int(rng.integers(2**31)))
        noise = policy.distribution.noise(rng, (rollout_steps, envs.num_envs))
        rollout = collector.collect(noise)
        actions, valid = flat(rollout.actions), rollout.valid
        output, values = judge(flat(rollout.observations))
        log_prob = policy.distribution.log_prob(output[:size], actions)
        values = values.numpy().reshape(rollout_steps + 1, -1)
        judged = (rollout.rewards, values[:-1], values[1:])
        ends = (rollout.terminated, rollout.truncated)
        advantages, returns = compute_advantages(*judged, *ends, gamma, lambda_)
        seen, *rest = map(flat, (rollout.observations[:-1], advantages, returns, valid))
        batch = Batch(seen, actions, log_prob, *rest)
        order = [rng.permutation(size) for _ in range(epochs)]
        rows = np.reshape(order, (epochs * minibatches, -1))
        optimizer.learning_rate = learning_rate * schedule(update / updates)
        if adapt and history.kl:
            strength = adapt(history.strength[-1], history.kl[-1])
        metrics = improve(batch, rows, tf.constant(strength, tf.float32))
        kl, clipped, entropy = map(float, metrics)
        if not math.isfinite(kl + entropy):
            raise FloatingPointError(f"train: the policy is not finite after {update=}")

        steps = (history.steps or [0])[-1] + int(valid.sum())
        explained = explained_variance(returns[valid], values[:-1][valid])
        ended = [total for _, total in rollout.episodes]
        history.add(steps, ended, kl, clipped, entropy, explained, float(strength))
        shown = {"return": history.mean_return(), "kl": kl, "clip": clipped}
        shown |= {"entropy": entropy, "explained": explained}
        bar.set_postfix({n: f"{v:.3g}" for n, v in shown.items()}, refresh=False)
        due = update + 1 == updates or (update + 1) % checkpoint_every == 0
        if checkpoint and due:
            note = {"settings": settings, "history": vars(history)}
            save_arrays(checkpoint, {n: v.numpy() for n, v in saved.items()}, note)
        if callback and callback(history):
            break
    return history


def flat(array: np.ndarray) -> np.ndarray:
    """``array`` [T, N, ...] as [T N, ...]: row t N + n is step t in environment n."""
    return array.reshape(-1, *array.shape[2:])


def evaluate(
    policy: ActorCritic, envs: Any, episodes: int = 1, *, seed: int, greedy: bool = True
) -> np.ndarray:
    """Returns [N, ``episodes``] of a ``policy`` in N ``envs``, one row for each.

    By the likeliest actions or, if not ``greedy``, drawn ones.
    """
    collector, rng = Collector(envs, policy), np.random.default_rng(seed)
    collector.reset(int(rng.integers(2**31)))
    returns: list[list[float]] = [[] for _ in range(envs.num_envs)]
    while min(map(len, returns)) < episodes:
        noise = policy.distribution.noise(rng, (64, envs.num_envs))
        for i, total in collector.collect(noise * (not greedy)).episodes:
            returns[i].append(total)
    return np.array([own[:episodes] for own in returns])
