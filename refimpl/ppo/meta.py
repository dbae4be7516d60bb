"""PPO as part of a meta-learner: RL-squared (Duan et al. 2016).

A student is a task. A *trial* is all that happens with one student. The policy is
recurrent; its state is empty when a student comes, and all that it learns about that
student is in it. PPO trains the weights over the trials of many students: slow
learning, by gradients, across students; fast learning, in the state, within one.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from refimpl.checks import check_count, check_number
from refimpl.ppo.advantages import compute_advantages
from refimpl.ppo.history import History, explained_variance, linear_schedule
from refimpl.ppo.objectives import Batch, clipped_surrogate, make_improve, ppo_loss
from refimpl.ppo.recurrent import RecurrentActorCritic, TrialCollector, Trials


def train_rl2(
    policy: RecurrentActorCritic,
    envs: Any,
    *,
    updates: int,
    seed: int,
    epochs: int = 4,
    minibatches: int = 4,
    learning_rate: float = 1e-3,
    entropy_weight: float = 0.02,
    gamma: float = 0.99,
    lambda_: float = 0.95,
    epsilon: float = 0.2,
    value_weight: float = 0.5,
    reward_scale: float = 1.0,
    max_grad_norm: float = 0.5,
    callback: Callable[[History], bool | None] | None = None,
) -> History:
    """Meta-train a recurrent policy in place: PPO over whole trials.

    Each update meets ``envs.num_envs`` new students. An update is PPO's own
    (:func:`refimpl.ppo.objectives.make_improve`) with a trial in place of a step, so
    that gradients flow back through a student's whole history.

    The policy sees the rewards. Advantages are made from what was to be expected of
    them, if the environment tells (``infos["expected_reward"]``): the same gradient on
    average, with less noise.

    Parameters
    ----------
    policy, envs
        What learns, and where; all of the N students have to leave at the same step.
    updates, seed : int
        Update u draws from a generator made of (seed, u).
    epochs, minibatches : int
        Passes of an update over its trials; the parts of a pass, each of whole trials.
    learning_rate, entropy_weight : float
        Adam's rate and c2 of PPO's loss; both fall to 0.
    gamma, lambda_, epsilon, value_weight, max_grad_norm
        As for :func:`refimpl.ppo.train`.
    reward_scale : float
        For learning only; best if a trial's sum is then about 1.
    callback : History -> bool or None, optional
        Called after each update; training ends if it returns True.

    Returns
    -------
    :class:`refimpl.ppo.History`
        Its returns are those of trials, in the environment's own units.

    Raises
    ------
    TypeError, ValueError
        If an argument, a reward or an observation is not what it should be.
    FloatingPointError
        If an update leads to NaN or infinity.
    """
    n = envs.num_envs
    check_count("updates", updates, 0)
    check_count("epochs", epochs, 1)
    check_count("minibatches", minibatches, 1)
    check_number("learning_rate", learning_rate, 0)
    check_number("epsilon", epsilon, 0)
    check_number("max_grad_norm", max_grad_norm, 0)
    check_number("gamma", gamma, 0, 1)
    check_number("lambda_", lambda_, 0, 1)
    if n % minibatches:
        raise ValueError(f"minibatches: expected to divide {n}, got {minibatches}")
    optimizer = keras.optimizers.Adam(learning_rate, epsilon=1e-5)
    optimizer.build(policy.trainable_variables)
    bonus = tf.Variable(entropy_weight, trainable=False)
    loss = partial(ppo_loss, clipped_surrogate, value_weight, bonus)
    improve = make_improve(policy, optimizer, loss, max_grad_norm, float("inf"))
    collector, history = TrialCollector(policy, envs), History()
    everyone, strength = np.ones(n, bool), tf.constant(epsilon, tf.float32)

    bar = tqdm(range(updates), desc="RL²")
    for update in bar:
        rng = np.random.default_rng([seed, update])
        trials = collector.collect(rng)
        advantages, returns = trial_advantages(trials, reward_scale, gamma, lambda_)
        seen, actions, log_prob = trials.inputs, trials.actions, trials.log_prob
        batch = Batch(seen, actions, log_prob, advantages, returns, everyone)
        order = [rng.permutation(n) for _ in range(epochs)]
        optimizer.learning_rate = learning_rate * linear_schedule(update / updates)
        bonus.assign(entropy_weight * linear_schedule(update / updates))
        rows = np.reshape(order, (epochs * minibatches, -1))
        kl, clipped, entropy = map(float, improve(batch, rows, strength))
        if not np.isfinite(kl + entropy):
            raise FloatingPointError(f"train_rl2: not finite after {update=}")
        ended = trials.rewards.sum(axis=1).tolist()
        explained = explained_variance(returns, trials.values)
        steps = trials.rewards.size * (update + 1)
        history.add(steps, ended, kl, clipped, entropy, explained, epsilon)
        shown = {"return": np.mean(ended), "kl": kl, "entropy": entropy}
        bar.set_postfix({k: f"{v:.3g}" for k, v in shown.items()}, refresh=False)
        if callback and callback(history):
            break
    return history


def trial_advantages(
    trials: Trials, reward_scale: float, gamma: float, lambda_: float
) -> tuple[np.ndarray, np.ndarray]:
    """Generalized advantages and returns [N, T]; a trial ends with its last step.

    Of ``trials``, at ``reward_scale``; ``gamma`` and ``lambda_`` as ever.
    """
    rewards, values = trials.expected.T * reward_scale, trials.values.T
    following = np.concatenate([values[1:], np.zeros_like(values[:1])])
    over = np.zeros(values.shape, bool)
    over[-1] = True
    judged = (rewards, values, following, over, np.zeros_like(over))
    advantages, returns = compute_advantages(*judged, gamma, lambda_)
    return advantages.T, returns.T


def evaluate_rl2(
    policy: RecurrentActorCritic, envs: Any, *, seed: int, greedy: bool = True
) -> Trials:
    """A trial of each of ``envs.num_envs`` new students, without learning by gradients.

    By the likeliest actions of ``policy`` or, if not ``greedy``, drawn ones.
    """
    return TrialCollector(policy, envs).collect(np.random.default_rng(seed), greedy)
