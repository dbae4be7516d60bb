"""What PPO maximizes, how far an update went, and the update itself.

``log_prob`` and ``old_log_prob`` [B] are log pi(a|s) and log pi_old(a|s) of the actions
that pi_old took in B steps, ``advantages`` [B] their advantages.
"""

from collections import namedtuple
from collections.abc import Callable
from typing import Any

import tensorflow as tf

#: a tensor [B], or what TensorFlow turns into one; one number for each step
Array = Any
#: What an update learns from; in each array a row for each step in each environment.
Batch = namedtuple(
    "Batch", "observations actions old_log_prob advantages returns valid"
)


def mean(x: Array) -> tf.Tensor:
    """The mean of all entries of ``x`` [...]; 0 if there are none."""
    return tf.math.divide_no_nan(tf.reduce_sum(x), tf.cast(tf.size(x), x.dtype))


def normalize_advantages(advantages: Array) -> tf.Tensor:
    """Shift and scale to mean 0 and standard deviation 1; a constant becomes 0."""
    centered = advantages - mean(advantages)
    return centered / (tf.sqrt(mean(tf.square(centered))) + 1e-8)


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
    c1: float,
    c2: float,
    policy: Any,
    batch: Batch,
    strength: Array,
) -> tuple[tf.Tensor, ...]:
    """-(L^SURROGATE - c1 L^VF + c2 S); with it log pi(a|s), and S.

    Equation (9) of Schulman et al. (2017), with weights ``c1``, ``c2``: of ``policy``
    on ``batch``, where ``surrogate`` has its epsilon or beta from ``strength``.
    """
    output, values = policy(batch.observations)
    log_prob = policy.distribution.log_prob(output, batch.actions)
    advantages = normalize_advantages(batch.advantages)
    gain = surrogate(log_prob, batch.old_log_prob, advantages, strength)
    value_loss = mean(tf.square(values - batch.returns))
    entropy = mean(policy.distribution.entropy(output))
    return -(gain - c1 * value_loss + c2 * entropy), log_prob, entropy


def make_improve(
    policy: Any, optimizer: Any, loss: Callable, max_grad_norm: float, max_kl: float
) -> Callable[..., tuple[tf.Tensor, ...]]:
    """All steps of an update in one call; it returns KL, clip fraction, entropy.

    Each step of ``optimizer`` lowers ``loss`` of ``policy`` on a row of minibatches
    [steps, rows]; ``max_grad_norm`` and ``max_kl`` as for :func:`refimpl.ppo.train`.
    """

    @tf.function
    def improve(batch: Batch, minibatches: tf.Tensor, strength: tf.Tensor) -> tuple:
        for rows in minibatches:
            part = experience(batch, rows)
            with tf.GradientTape() as tape:
                total, log_prob, _ = loss(policy, part, strength)
            if approximate_kl(log_prob, part.old_log_prob) > max_kl:
                break
            gradients = tape.gradient(total, policy.trainable_variables)
            gradients, _ = tf.clip_by_global_norm(gradients, max_grad_norm)
            optimizer.apply(gradients, policy.trainable_variables)
        part = experience(batch, tf.range(tf.size(batch.valid)))
        _, log_prob, entropy = loss(policy, part, strength)
        distance = tf.abs(tf.exp(log_prob - part.old_log_prob) - 1)
        clipped = mean(tf.cast(distance > strength, tf.float32))
        return approximate_kl(log_prob, part.old_log_prob), clipped, entropy

    return improve


def experience(batch: Batch, rows: tf.Tensor) -> Batch:
    """These ``rows`` [n] of a ``batch``, without resets."""
    rows = tf.boolean_mask(rows, tf.gather(batch.valid, rows))
    return Batch(*(tf.gather(array, rows) for array in batch))


def _log_ratio(log_prob: Array, old_log_prob: Array, *others: Array) -> tf.Tensor:
    shapes = [tf.convert_to_tensor(a).shape for a in (log_prob, old_log_prob, *others)]
    if not all(shapes[0].is_compatible_with(shape) for shape in shapes):
        raise ValueError(
            "log_prob, old_log_prob, advantages: expected the same shape, "
            f"got {[tuple(shape) for shape in shapes]}"
        )
    return log_prob - tf.stop_gradient(old_log_prob)
