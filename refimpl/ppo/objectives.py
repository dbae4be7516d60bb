"""What PPO maximizes, and how far an update went.

``log_prob`` and ``old_log_prob`` [B] are log pi(a|s) and log pi_old(a|s) of the actions
that pi_old took in B steps, ``advantages`` [B] their advantages.
"""

from collections import namedtuple
from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

#: a tensor [B], or what TensorFlow turns into one; one number for each step
Array = Any
#: What an update learns from; in each array a row for each step in each environment.
#: ``valid`` [B] says which are experience; None: all of them.
Batch = namedtuple(
    "Batch", "observations actions old_log_prob advantages returns valid"
)


class Loss(NamedTuple):
    """The ``total``, to be lowered, and its parts; each a number."""

    total: tf.Tensor
    kl: tf.Tensor  #: from the policy that acted
    clip_fraction: tf.Tensor  #: the share of ratios off 1 by more than ``strength``
    entropy: tf.Tensor  #: in nats
    objective: tf.Tensor  #: the surrogate's value
    value_loss: tf.Tensor  #: mean (V - return)^2


def mean(x: Array, valid: Array | None = None) -> tf.Tensor:
    """The mean of all entries of ``x`` [...], or of the ``valid`` ones; 0 of none."""
    if valid is None:
        valid = tf.ones_like(x, tf.bool)
    count = tf.reduce_sum(tf.cast(valid, x.dtype))
    return tf.math.divide_no_nan(tf.reduce_sum(tf.where(valid, x, 0)), count)


def normalize_advantages(advantages: Array, valid: Array | None = None) -> tf.Tensor:
    """Shift and scale to mean 0 and standard deviation 1; a constant becomes 0.

    Of the ``valid`` entries of ``advantages`` [...], if there are others; those are 0.
    """
    centered = advantages - mean(advantages, valid)
    if valid is not None:
        centered = tf.where(valid, centered, 0)
    return centered / (tf.sqrt(mean(tf.square(centered), valid)) + 1e-8)


def clipped_surrogate(
    log_prob: Array, old_log_prob: Array, advantages: Array, epsilon: Array = 0.2
) -> tf.Tensor:
    """L^CLIP = mean min(r A, clip(r, 1 - epsilon, 1 + epsilon) A), to be maximized.

    Equation (7) of Schulman et al. (2017). ``epsilon`` is how far the ratio may go, r =
    pi(a|s) / pi_old(a|s), of the probabilities of the action taken. Only ``log_prob``
    carries a gradient. Raises a ValueError if shapes differ: (N,) and (N, 1) would
    broadcast to (N, N).
    """
    ratio = tf.exp(_log_ratio(log_prob, old_log_prob, advantages))
    advantages = tf.stop_gradient(advantages)
    clipped = tf.clip_by_value(ratio, 1 - epsilon, 1 + epsilon)
    return mean(tf.minimum(ratio * advantages, clipped * advantages))


def penalized_surrogate(
    log_prob: Array, old_log_prob: Array, advantages: Array, beta: Array = 1.0
) -> tf.Tensor:
    """L^KLPEN = mean(r A) - beta KL, to be maximized: PPO's second variant.

    Equation (8) of Schulman et al. (2017), with :func:`approximate_kl`;
    :func:`adapt_beta` chooses ``beta``. Raises a ValueError if shapes differ.
    """
    ratio = tf.exp(_log_ratio(log_prob, old_log_prob, advantages))
    gain = mean(ratio * tf.stop_gradient(advantages))
    return gain - beta * approximate_kl(log_prob, old_log_prob)


def adapt_beta(beta: float, kl: float, target: float = 0.01) -> float:
    """The next ``beta``: half if ``kl`` < ``target`` / 1.5, double if > 1.5 ``target``.

    Section 4 of Schulman et al. (2017).
    """
    if kl < target / 1.5:
        return beta / 2
    return beta * 2 if kl > target * 1.5 else beta


def approximate_kl(log_prob: Array, old_log_prob: Array) -> tf.Tensor:
    """mean((r - 1) - log r) >= 0: KL(pi_old, pi), from actions that pi_old took.

    The estimator k3 of Schulman's note "Approximating KL divergence" (2020):
    unbiased, and no term of it is negative. Raises a ValueError if shapes differ.
    """
    log_ratio = _log_ratio(log_prob, old_log_prob)
    # Rounding can leave a term just below 0, hence relu.
    return mean(tf.nn.relu(tf.math.expm1(log_ratio) - log_ratio))


def ppo_loss(
    surrogate: Callable,
    c1: Array,
    c2: Array,
    policy: Any,
    batch: Batch,
    strength: Array,
) -> Loss:
    """-(L^SURROGATE - c1 L^VF + c2 S), and what a report says of it.

    Equation (9) of Schulman et al. (2017), with weights ``c1``, ``c2``: of ``policy``
    on ``batch``, where ``surrogate`` has its epsilon or beta from ``strength``.

    What is not ``valid`` enters as an action of unchanged probability and advantage 0,
    which a surrogate counts 0; dividing by the share of the others gives their mean.
    """
    output, values = policy(batch.observations)
    valid, old = batch.valid, batch.old_log_prob
    log_prob = policy.distribution.log_prob(output, batch.actions)
    advantages = normalize_advantages(batch.advantages, valid)
    share = tf.ones(())
    if valid is not None:
        log_prob = tf.where(valid, log_prob, old)
        share = tf.reduce_mean(tf.cast(valid, tf.float32))
    gain = surrogate(log_prob, old, advantages, strength)
    gain = tf.math.divide_no_nan(gain, share)
    kl = tf.math.divide_no_nan(approximate_kl(log_prob, old), share)
    value_loss = mean(tf.square(values - batch.returns), valid)
    entropy = mean(policy.distribution.entropy(output), valid)
    total = -(gain - c1 * value_loss + c2 * entropy)
    off = tf.abs(tf.exp(log_prob - old) - 1) > strength
    clipped = mean(tf.cast(off, tf.float32), valid)
    return Loss(total, kl, clipped, entropy, gain, value_loss)


def _log_ratio(log_prob: Array, old_log_prob: Array, *others: Array) -> tf.Tensor:
    shapes = [tf.convert_to_tensor(a).shape for a in (log_prob, old_log_prob, *others)]
    if not all(shapes[0].is_compatible_with(shape) for shape in shapes):
        raise ValueError(
            "log_prob, old_log_prob, advantages: expected the same shape, "
            f"got {[tuple(shape) for shape in shapes]}"
        )
    return log_prob - tf.stop_gradient(old_log_prob)
