"""A critic that is no network: returns to be expected, fitted anew to each task."""

import numpy as np


def discounted(rewards: np.ndarray, gamma: float) -> np.ndarray:
    """What follows from each step on: sum_l gamma^l R_t+l.

    ``rewards`` are [..., T], and so is what is returned; ``gamma`` discounts.
    """
    returns = np.array(rewards, dtype=np.float64)
    for t in reversed(range(returns.shape[-1] - 1)):
        returns[..., t] += gamma * returns[..., t + 1]
    return returns


def linear_baseline(observations: np.ndarray, returns: np.ndarray) -> np.ndarray:
    """What ``returns`` [M, n, T] were to be expected, in each task: [M, n, T].

    From ``observations`` s [M, n, T, D]: least squares, with a small ridge, on s, s^2,
    t, t^2, t^3 and 1 (Duan et al. 2016, "Benchmarking deep reinforcement learning";
    MAML's own experiments use it).
    """
    tasks, steps = returns.shape[0], returns.shape[-1]
    times = np.broadcast_to(np.arange(steps) / 100, returns.shape)
    powers = np.stack([times**p for p in range(4)], axis=-1)
    seen = observations.astype(np.float64)
    features = np.concatenate([seen, seen**2, powers], axis=-1)
    x = features.reshape(tasks, -1, features.shape[-1])
    square = x.transpose(0, 2, 1) @ x + 1e-5 * np.eye(x.shape[-1])
    weights = np.linalg.solve(
        square, x.transpose(0, 2, 1) @ returns.reshape(tasks, -1, 1)
    )
    return (x @ weights).reshape(returns.shape)
