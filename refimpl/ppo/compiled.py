"""Policies compiled once for all that are alike, with weights as arguments.

To compile costs more than a short training. A ``tf.function`` of a policy's own
weights is compiled anew for each policy; one whose weights are arguments serves every
policy of the same structure: all seeds of an experiment, and every later call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import keras
import numpy as np
import tensorflow as tf


class Alike:
    """A ``policy`` as a key: equal to every other one of the same structure."""

    def __init__(self, policy: Any) -> None:
        self.policy, self.structure = policy, policy.structure()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Alike) and self.structure == other.structure

    def __hash__(self) -> int:
        return hash(self.structure)


def values_of(policy: Any) -> list[tf.Tensor]:
    """Of all variables [...] of ``policy`` as they are now: the learned ones first."""
    own = policy.trainable_variables + policy.non_trainable_variables
    return [tf.convert_to_tensor(v.value) for v in own]


def with_values(policy: Any, values: Sequence[tf.Tensor]) -> keras.StatelessScope:
    """Inside of it, the variables of ``policy`` have these ``values``, each [...]."""
    own = policy.trainable_variables + policy.non_trainable_variables
    return keras.StatelessScope(list(zip(own, values, strict=True)))


@lru_cache(maxsize=32)
def judge_for(
    alike: Alike, jit_compile: bool = False, method: str = "__call__"
) -> Callable:
    """(values of the variables, observations) -> output, values; compiled by shape.

    For policies ``alike``, with XLA if ``jit_compile``; ``method`` names another method
    than their call.
    """

    @tf.function(jit_compile=jit_compile)
    def judge(values: Sequence[tf.Tensor], *inputs: tf.Tensor) -> tuple:
        with with_values(alike.policy, values):
            return getattr(alike.policy, method)(*inputs)

    return judge


class Weights:
    """What a ``policy`` learns, as one vector [P]."""

    def __init__(self, policy: Any) -> None:
        self.policy = policy
        self.shapes = [tuple(v.shape) for v in policy.trainable_variables]
        self.sizes = [int(np.prod(shape)) for shape in self.shapes]

    def vector(self) -> tf.Tensor:
        """The weights as they are now."""
        own = [tf.reshape(v.value, [-1]) for v in self.policy.trainable_variables]
        return tf.concat(own, axis=0)

    def parts(self, vector: tf.Tensor) -> list[tf.Tensor]:
        """The variables' values that a ``vector`` [P] holds."""
        parts = zip(tf.split(vector, self.sizes), self.shapes, strict=True)
        return [tf.reshape(part, shape) for part, shape in parts]
