"""The update: steps of Adam on minibatches, as one compiled function.

It is a pure function: weights in, weights out. So it is compiled once for all policies
that are alike, and shapes never change: what is no experience weighs 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from refimpl.ppo.compiled import Alike, Weights, with_values
from refimpl.ppo.objectives import Batch, Loss, ppo_loss

ADAM_EPSILON = 1e-5


class Adam(NamedTuple):
    """The weights [P], and what Adam remembers of their gradients."""

    weights: tf.Tensor  #: [P], as the next two
    mean: tf.Tensor  #: of the gradients, fading
    square: tf.Tensor  #: of their squares
    step: tf.Tensor  #: how many there were


class Numbers(NamedTuple):
    """What an update needs beside its data, each a number that may change with it."""

    learning_rate: np.float32  #: Adam's
    max_grad_norm: np.float32  #: of a gradient; a longer one is scaled down
    max_kl: np.float32  #: of a minibatch; a larger one ends the update
    strength: np.float32  #: epsilon or beta
    value_weight: np.float32  #: c1
    entropy_weight: np.float32  #: c2

    @classmethod
    def of(cls, *numbers: float) -> Numbers:
        """The ``numbers``, a ``cls``, in float32: Python's own would be constants."""
        return cls(*map(np.float32, numbers))


def adam_step(state: Adam, gradient: tf.Tensor, learning_rate: tf.Tensor) -> Adam:
    """Algorithm 1 of Kingma & Ba (2015), in the order of the end of its section 2.

    Downhill from ``state`` along -``gradient`` [P], at ``learning_rate``. Keras's own
    keeps its state in variables: it cannot serve many policies, compiled once.
    """
    step = state.step + 1
    mean = 0.9 * state.mean + 0.1 * gradient
    square = 0.999 * state.square + 0.001 * tf.square(gradient)
    rate = learning_rate * tf.sqrt(1 - 0.999**step) / (1 - 0.9**step)
    weights = state.weights - rate * mean / (tf.sqrt(square) + ADAM_EPSILON)
    return Adam(weights, mean, square, step)


class Learner:
    """A ``policy`` that learns: its weights as a vector, with Adam's memory."""

    def __init__(self, policy: Any) -> None:
        self.policy, self.own = policy, Weights(policy)
        self.restore({"weights": self.own.vector()})

    def restore(self, arrays: dict[str, Any]) -> None:
        """Go on from ``arrays``: weights and, if stored, Adam's memory [P]."""
        weights = tf.constant(arrays["weights"])
        zeros = np.zeros(weights.shape, np.float32)
        mean, square = (arrays.get(name, zeros) for name in ("mean", "square"))
        memory = map(tf.constant, (mean, square, arrays.get("step", np.float32(0))))
        self.adam = Adam(weights, *memory)
        for i, variable in enumerate(self.policy.non_trainable_variables):
            variable.assign(arrays.get(f"fixed.{i}", variable.numpy()))
        self._assign(self.own.parts(weights))

    def arrays(self) -> dict[str, np.ndarray]:
        """What :meth:`restore` needs, each [...]."""
        fixed = enumerate(self.policy.non_trainable_variables)
        own = {name: part.numpy() for name, part in self.adam._asdict().items()}
        return own | {f"fixed.{i}": variable.numpy() for i, variable in fixed}

    def values(self) -> list[tf.Tensor]:
        """Of all variables [...], in the order of :func:`values_of`."""
        return self.learned + self.fixed()

    def fixed(self) -> list[tf.Tensor]:
        """The values [...] of what is not learned by gradients."""
        own = self.policy.non_trainable_variables
        return [tf.convert_to_tensor(v.value) for v in own]

    def learn(self, improve: Callable, *data: Any) -> Any:
        """What ``improve(adam, fixed, *data)`` says, beside the new weights.

        These it returns as Adam has them, and as the policy does.
        """
        self.adam, learned, more = improve(self.adam, self.fixed(), *data)
        self._assign(learned)
        return more

    def _assign(self, learned: list[tf.Tensor]) -> None:
        self.learned = [*learned]
        own = self.policy.trainable_variables
        for variable, value in zip(own, learned, strict=True):
            variable.value.assign(value)


@lru_cache(maxsize=16)
def improve_for(alike: Alike, surrogate: Callable, jit_compile: bool) -> Callable:
    """All steps of an update of policies ``alike``, in one call; then its report.

    Each step lowers :func:`ppo_loss`, with ``surrogate``, on a row of ``minibatches``
    [steps, rows]; the report is the :class:`Loss` of the whole batch after them.
    ``jit_compile``: with XLA.
    """
    own = Weights(alike.policy)

    def loss(weights: tf.Tensor, fixed: Any, batch: Batch, numbers: Numbers) -> Loss:
        weighed = numbers.value_weight, numbers.entropy_weight
        with with_values(alike.policy, [*own.parts(weights), *fixed]):
            return ppo_loss(surrogate, *weighed, alike.policy, batch, numbers.strength)

    @tf.function(jit_compile=jit_compile)
    def improve(
        adam: Adam,
        fixed: Sequence[tf.Tensor],
        batch: Batch,
        minibatches: tf.Tensor,
        numbers: Numbers,
    ) -> tuple[Adam, list[tf.Tensor], Loss]:
        for rows in minibatches:
            part = Batch(*(x if x is None else tf.gather(x, rows) for x in batch))
            with tf.GradientTape() as tape:
                tape.watch(adam.weights)
                found = loss(adam.weights, fixed, part, numbers)
            if found.kl > numbers.max_kl:
                break
            gradient = tape.gradient(found.total, adam.weights)
            gradient = tf.clip_by_norm(gradient, numbers.max_grad_norm)
            adam = adam_step(adam, gradient, numbers.learning_rate)
        report = loss(adam.weights, fixed, batch, numbers)
        return adam, own.parts(adam.weights), report

    return improve
