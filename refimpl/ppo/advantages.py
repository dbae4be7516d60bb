"""How much better was an action than expected? Generalized advantage estimation."""

import numpy as np

from refimpl.checks import check_number


def compute_advantages(
    rewards: np.ndarray,
    values: np.ndarray,
    next_values: np.ndarray,
    terminated: np.ndarray,
    truncated: np.ndarray,
    gamma: float = 0.99,
    lambda_: float = 0.95,
) -> tuple[np.ndarray, np.ndarray]:
    """Estimate advantages and returns, walking backwards through time.

    delta_t = r_t + gamma V(s_t+1) - V(s_t);  A_t = delta_t + gamma lambda A_t+1

    Equations (11) and (12) of Schulman et al. (2017). At an episode's end the sum
    stops, since A_t+1 belongs to another episode. If it terminated, V(s_t+1) counts
    as 0; if it was only cut off (truncated), there would have been more to come.

    Parameters
    ----------
    rewards, values : [T, N]
        r_t and V(s_t), of T steps in N environments.
    next_values : [T, N]
        V of the observation that step t really led to, before any reset.
    terminated, truncated : [T, N] of bool
        How the episode ended at step t, if it did.
    gamma, lambda_ : float
        The discount, and how fast later errors fade: lambda 0 gives the TD error
        delta, 1 the discounted sum of rewards minus the value.

    Returns
    -------
    advantages, returns : [T, N]
        A_t, and A_t + V(s_t), which the value function should learn.

    Raises
    ------
    ValueError
        If an array is not [T, N] like ``rewards``, or not finite; if ``gamma`` or
        ``lambda_`` is not between 0 and 1.
    """
    check_number("gamma", gamma, 0, 1)
    check_number("lambda_", lambda_, 0, 1)
    arrays = {"rewards": rewards, "values": values, "next_values": next_values}
    arrays |= {"terminated": terminated, "truncated": truncated}
    for name, array in arrays.items():
        shape, expected = np.shape(array), np.shape(rewards)
        if shape != expected or len(shape) != 2:
            raise ValueError(f"{name}: expected [T, N], as {expected}, got {shape}")
        if not np.isfinite(array).all():
            raise ValueError(f"{name}: expected finite values, got NaN or infinity")
    rewards, values, next_values = map(np.asarray, (rewards, values, next_values))
    terminated, truncated = np.asarray(terminated, bool), np.asarray(truncated, bool)

    deltas = rewards + float(gamma) * next_values * ~terminated - values
    fading = float(gamma * lambda_) * ~(terminated | truncated)
    advantages, following = np.zeros_like(deltas), np.zeros_like(deltas[0])
    for t in reversed(range(len(deltas))):
        following = advantages[t] = deltas[t] + fading[t] * following
    return advantages, advantages + values
