"""PPO as part of a meta-learner: RL-squared (Duan et al. 2016).

A student is a task. A *trial* is all that happens with one student. The policy is
recurrent; its state is empty when a student comes, and all that it learns about that
student is in it. PPO trains the weights over the trials of many students: slow
learning, by gradients, across students; fast learning, in the state, within one.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from refimpl.ppo.advantages import compute_advantages
from refimpl.ppo.compiled import Alike
from refimpl.ppo.environments import in_use
from refimpl.ppo.history import History, explained_variance, linear_schedule
from refimpl.ppo.objectives import Batch, clipped_surrogate
from refimpl.ppo.recurrent import RecurrentActorCritic
from refimpl.ppo.run import Run
from refimpl.ppo.trials import TrialCollector, Trials
from refimpl.ppo.update import Learner, Numbers, improve_for


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
    jit_compile: bool = False,
    callback: Callable[[History], bool | None] | None = None,
    checkpoint: str | Path | None = None,
    checkpoint_every: int = 50,
    progress: bool = True,
) -> History:
    """Meta-train a recurrent policy in place: PPO over whole trials.

    Each update meets ``envs.num_envs`` new students. An update is PPO's own
    (:func:`refimpl.ppo.update.improve_for`) with a trial in place of a step, so
    that gradients flow back through a student's whole history.

    The policy sees the rewards. Advantages are made from what was to be expected, where
    the environment tells (``infos["expected_reward"]``): less noise, the same mean.

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
    gamma, lambda_, epsilon, value_weight, max_grad_norm, jit_compile
        As for :func:`refimpl.ppo.train`; ``epsilon`` is its strength.
    reward_scale : float
        For learning only; best if a trial's sum is then about 1.
    callback, checkpoint, checkpoint_every, progress
        As for :func:`refimpl.ppo.train`.

    Returns
    -------
    :class:`refimpl.ppo.History`
        Its returns are those of trials, in the environment's own units.

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
    collector = TrialCollector(policy, envs, jit_compile)
    learner, history, n = Learner(policy), History(), envs.num_envs
    run = Run("RL²", given, learner, history)
    if n % minibatches:
        raise ValueError(f"minibatches: expected to divide {n}, got {minibatches}")
    improve = improve_for(Alike(policy), clipped_surrogate, jit_compile)
    with in_use(envs):
        for _, rng, done in run:
            trials = collector.collect(rng)
            if trials.rewards.size == minibatches:
                raise ValueError(f"minibatches: expected two steps in each, got {n}")
            advantages, returns = trial_advantages(trials, reward_scale, gamma, lambda_)
            acted = trials.inputs, trials.actions, trials.log_prob
            batch = Batch(*acted, advantages, returns, None)
            order = [rng.permutation(n) for _ in range(epochs)]
            rows = np.reshape(order, (epochs * minibatches, -1))
            falling = linear_schedule(done)
            limits = learning_rate * falling, max_grad_norm, math.inf
            weights = value_weight, entropy_weight * falling
            numbers = Numbers.of(*limits, epsilon, *weights)
            found = learner.learn(improve, batch, rows, numbers)

            entry = {name: float(x) for name, x in found._asdict().items()}
            explained = explained_variance(returns, trials.values)
            ended = trials.rewards.sum(axis=1).tolist()
            entry |= {"strength": float(epsilon), "steps": trials.rewards.size}
            entry |= {"explained_variance": explained, "returns": ended}
            history.add(**entry, log_std=0.0)
            own = {"kl": entry["kl"], "entropy": entry["entropy"]}
            run.shown = {"return": float(np.mean(ended)), **own}
    return history


def trial_advantages(
    trials: Trials, reward_scale: float, gamma: float, lambda_: float
) -> tuple[np.ndarray, np.ndarray]:
    """Generalized advantages and returns [N, T]; a trial ends with its last step.

    Of ``trials``, at ``reward_scale``; ``gamma`` and ``lambda_`` as ever.
    """
    rewards, values = trials.expected.T * np.float32(reward_scale), trials.values.T
    following = np.concatenate([values[1:], trials.next_values[None]])
    truncated = np.zeros(values.shape, bool)
    terminated = truncated.copy()
    terminated[-1], truncated[-1] = ~trials.truncated, trials.truncated
    judged = (rewards, values, following, terminated, truncated)
    advantages, returns = compute_advantages(*judged, gamma, lambda_)
    return advantages.T, returns.T


def evaluate_rl2(
    policy: RecurrentActorCritic, envs: Any, *, seed: int, greedy: bool = True
) -> Trials:
    """A trial of each of ``envs.num_envs`` new students, without learning by gradients.

    By the likeliest actions of ``policy`` or, if not ``greedy``, drawn ones. Raises a
    ValueError if a training that is going on uses ``envs``.
    """
    collector = TrialCollector(policy, envs)
    with in_use(envs):
        return collector.collect(np.random.default_rng(seed), greedy)
