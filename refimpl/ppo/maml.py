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
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from refimpl.checks import check_count, check_number
from refimpl.ppo.episodes import (
    EpisodeCollector,
    Episodes,
    MetaPolicy,
    Weights,
    actor_output,
)
from refimpl.ppo.history import linear_schedule
from refimpl.ppo.objectives import (
    approximate_kl,
    clipped_surrogate,
    normalize_advantages,
)


def inner_step(
    policy: MetaPolicy,
    weights: Weights,
    episodes: Episodes,
    fast_lr: float,
    first_order: bool = False,
) -> Weights:
    """One step of policy gradient for each task, from its own ``episodes``.

    ``weights`` [M, ...] are those of M tasks, and so are those returned; ``policy``
    says how they act, ``fast_lr`` is alpha. Where the policy that acted is the one that
    is adapted, the ratio is 1 and its gradient that of the logarithm: this is REINFORCE
    with a baseline. Written as a ratio, the second derivative keeps, with some bias,
    what that of mean log pi A loses: that phi also decides what is seen (Rothfuss et
    al. 2019). ``first_order`` takes the gradient as a constant. Advantages are not
    divided by their deviation, as PPO does: how far to go would be lost, and only the
    direction left.
    """
    with tf.GradientTape() as tape:
        tape.watch(weights)
        output = actor_output(weights, episodes.observations)
        log_prob = policy.distribution.log_prob(output, episodes.actions)
        ratio = tf.exp(log_prob - episodes.log_prob)
        gain = tf.reduce_sum(tf.reduce_mean(ratio * episodes.advantages, axis=1))
    gradients = tape.gradient(gain, weights)
    if first_order:
        gradients = [tf.stop_gradient(gradient) for gradient in gradients]
    steps = [fast_lr * gradient for gradient in gradients]
    return [w + step for w, step in zip(weights, steps, strict=True)]


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
    callback: Callable[[list[np.ndarray]], bool | None] | None = None,
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
        As for :func:`refimpl.ppo.train`.
    first_order : bool
        Take the inner gradients for constants.
    callback : history -> bool or None, optional
        Called after each update; training ends if it returns True.

    Returns
    -------
    list of arrays [num_steps + 1]
        Each update's mean returns; entry j after j inner steps, before the outer step.

    Raises
    ------
    TypeError, ValueError
        If a count, a rate, ``epsilon`` or ``gamma`` is not what it should be, or
        ``tasks`` does not divide the number of environments.
    FloatingPointError
        If an update leads to NaN or infinity.
    """
    check_count("updates", updates, 0)
    check_count("num_steps", num_steps, 0)
    check_count("epochs", epochs, 1)
    check_number("fast_lr", fast_lr, 0)
    check_number("meta_lr", meta_lr, 0)
    check_number("epsilon", epsilon, 0)
    check_number("gamma", gamma, 0, 1)
    collector = EpisodeCollector(policy, envs, tasks, gamma)
    optimizer = keras.optimizers.Adam(meta_lr, epsilon=1e-5)
    optimizer.build(policy.trainable_variables)

    @tf.function
    def improve(before: list[Episodes], after: Episodes) -> tuple[tf.Tensor, ...]:
        advantages = normalize_advantages(after.advantages)
        for _ in range(epochs):
            with tf.GradientTape() as tape:
                weights = policy.weights_for(tasks)
                for own in before:
                    weights = inner_step(policy, weights, own, fast_lr, first_order)
                output = actor_output(weights, after.observations)
                log_prob = policy.distribution.log_prob(output, after.actions)
                gain = clipped_surrogate(log_prob, after.log_prob, advantages, epsilon)
                entropy = tf.reduce_mean(policy.distribution.entropy(output))
                loss = -gain - entropy_weight * entropy
            gradients = tape.gradient(loss, policy.trainable_variables)
            optimizer.apply(gradients, policy.trainable_variables)
        return approximate_kl(log_prob, after.log_prob), entropy

    history: list[np.ndarray] = []
    bar = tqdm(range(updates), desc="MAML-PPO")
    for update in bar:
        rng = np.random.default_rng([seed, update])
        options = envs.draw_tasks(rng, tasks)
        weights, before = policy.weights_for(tasks), []
        for _ in range(num_steps):
            before.append(collector.collect(weights, options, rng))
            weights = inner_step(policy, weights, before[-1], fast_lr)
        after = collector.collect(weights, options, rng, told=True)
        optimizer.learning_rate = meta_lr * linear_schedule(update / updates)
        kl, entropy = map(float, improve(before, after))
        if not all(np.isfinite(v).all() for v in policy.trainable_variables):
            raise FloatingPointError(f"train_maml_ppo: not finite after {update=}")
        history.append(np.array([e.returns.mean() for e in (*before, after)]))
        shown = {f"after {j}": f"{m:.4g}" for j, m in enumerate(history[-1])}
        bar.set_postfix(
            {**shown, "kl": f"{kl:.2g}", "entropy": f"{entropy:.3g}"}, refresh=False
        )
        if callback and callback(history):
            break
    return history


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
    collector = EpisodeCollector(policy, envs, tasks, gamma)
    rng = np.random.default_rng(seed)
    options, weights = envs.draw_tasks(rng, tasks), policy.weights_for(tasks)
    returns = []
    for rate in [*fast_lr, None]:
        episodes = collector.collect(weights, options, rng)
        shown = episodes
        if greedy:
            shown = collector.collect(weights, options, rng, greedy=True)
        returns.append(shown.returns)
        if rate is not None:
            weights = inner_step(policy, weights, episodes, rate)
    return np.stack(returns)
