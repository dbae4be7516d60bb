"""The two steps of MAML with PPO: the inner one, and the outer one through it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import tensorflow as tf

from refimpl.ppo.compiled import Alike, Weights, with_values
from refimpl.ppo.episodes import Episodes, MetaPolicy, TaskWeights, actor_output
from refimpl.ppo.objectives import (
    approximate_kl,
    clipped_surrogate,
    normalize_advantages,
)
from refimpl.ppo.update import Adam, adam_step


def inner_step(
    policy: MetaPolicy,
    weights: TaskWeights,
    episodes: Episodes,
    fast_lr: float,
    first_order: bool = False,
) -> TaskWeights:
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


@lru_cache(maxsize=16)
def outer_steps_for(
    alike: Alike, tasks: int, epochs: int, first_order: bool, jit_compile: bool
) -> Callable:
    """The outer steps of an update, compiled for policies ``alike``.

    With ``tasks``, ``epochs``, ``first_order`` as for :func:`train_maml_ppo`; returns
    the KL before the last step, and the entropy.
    """
    own = Weights(alike.policy)

    @tf.function(jit_compile=jit_compile)
    def improve(
        adam: Adam,
        fixed: Sequence[tf.Tensor],
        before: list[Episodes],
        after: Episodes,
        numbers: tuple[tf.Tensor, ...],
    ) -> tuple[Adam, list[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
        fast_lr, rate, epsilon, entropy_weight = numbers
        policy, advantages = alike.policy, normalize_advantages(after.advantages)
        kl = entropy = tf.zeros(())
        for _ in tf.range(epochs):
            with tf.GradientTape() as tape:
                tape.watch(adam.weights)
                with with_values(policy, [*own.parts(adam.weights), *fixed]):
                    weights = policy.weights_for(tasks)
                    for episodes in before:
                        weights = inner_step(
                            policy, weights, episodes, fast_lr, first_order
                        )
                    output = actor_output(weights, after.observations)
                    log_prob = policy.distribution.log_prob(output, after.actions)
                    each = policy.distribution.entropy(output)
                judged = log_prob, after.log_prob
                gain = clipped_surrogate(*judged, advantages, epsilon)
                entropy = tf.reduce_mean(each)
                loss = -gain - entropy_weight * entropy
            kl = approximate_kl(*judged)
            adam = adam_step(adam, tape.gradient(loss, adam.weights), rate)
        return adam, own.parts(adam.weights), (kl, entropy)

    return improve
