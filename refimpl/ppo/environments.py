"""What acts in environments relies on: they are checked, and all that they return.

An environment may return the same array again and again, changed in place, flags as
numbers, rewards as a list: so each array is copied and checked as it comes.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv

IN_USE: weakref.WeakSet = weakref.WeakSet()


@contextmanager
def in_use(envs: Any) -> Iterator[None]:
    """Meanwhile nobody else acts in ``envs``; a ValueError if somebody does already."""
    if (own := envs.unwrapped) in IN_USE:
        raise ValueError(
            "envs: expected environments that no training is using, got those of the "
            "training that called this; evaluate in others"
        )
    IN_USE.add(own)
    try:
        yield
    finally:
        IN_USE.discard(own)


def check_envs(envs: Any, policy: Any) -> None:
    """Raise a TypeError or ValueError unless ``policy`` can act in ``envs``."""
    if not isinstance(envs, VectorEnv):
        raise TypeError(
            "envs: expected a vector environment, as gymnasium.make_vec makes one, "
            f"got {envs!r}"
        )
    if (mode := envs.metadata.get("autoreset_mode")) != AutoresetMode.NEXT_STEP:
        raise ValueError(f"envs: expected AutoresetMode.NEXT_STEP, got {mode}")
    seen, chosen = envs.single_observation_space, envs.single_action_space
    own = policy.observation_space, policy.action_space
    if seen.shape != own[0].shape or chosen != own[1]:
        raise ValueError(
            f"envs: expected the policy's own spaces, {own[0]} and {own[1]}, "
            f"got {seen} and {chosen}"
        )
    policy.ready()


class World:
    """``envs`` for ``policy``, checked; raises as :func:`check_envs` does."""

    def __init__(self, envs: Any, policy: Any) -> None:
        check_envs(envs, policy)
        self.envs, self.distribution = envs, policy.distribution
        self.seen = envs.num_envs, *envs.single_observation_space.shape

    def reset(self, seed: int, options: dict[str, Any] | None = None) -> np.ndarray:
        """Begin everywhere; what is seen, [N, ...] float32."""
        return numbers("observations", self.envs.reset(seed=seed, options=options)[0],
                       self.seen)  # fmt: skip

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, ...]:
        """Carry out ``actions`` [N, ...], as they were sampled.

        Returns observations [N, ...] and rewards [N], float32, two flags [N] of bool,
        ``terminated`` and ``truncated``, and the infos. Raises a ValueError if one of
        them has another shape, or is not finite.
        """
        executed = self.distribution.executed(actions)
        following, rewards, terminated, truncated, infos = self.envs.step(executed)
        return (
            numbers("observations", following, self.seen),
            numbers("rewards", rewards, self.seen[:1]),
            flags("terminated", terminated, self.seen[0]),
            flags("truncated", truncated, self.seen[0]),
            infos,
        )

    def told(self, infos: Any, name: str, otherwise: np.ndarray) -> np.ndarray:
        """``infos[name]`` [N] where it is told, and ``otherwise`` [N] elsewhere.

        Gymnasium says where: in ``infos["_" + name]``.
        """
        if name not in infos:
            return otherwise
        said = np.where(infos.get(f"_{name}", True), infos[name], otherwise)
        return numbers(f"infos[{name!r}]", said, self.seen[:1])


def numbers(name: str, values: Any, shape: tuple[int, ...]) -> np.ndarray:
    """A copy of ``values``, called ``name``, float32 [...].

    A ValueError if not finite, or not of ``shape``.
    """
    try:
        array = np.array(values, dtype=np.float32)
    except (TypeError, ValueError):
        raise ValueError(f"envs: expected {name} to be numbers") from None
    if array.shape != shape:
        raise ValueError(f"envs: expected {name} of shape {shape}, got {array.shape}")
    # A finite sum is the quick way to know; one that is not may have overflowed.
    if not math.isfinite(array.sum()) and not np.isfinite(array).all():
        raise ValueError(f"envs: expected finite {name}, got NaN or infinity")
    return array


def flags(name: str, values: Any, count: int) -> np.ndarray:
    """A copy of ``values``, ``name`` [``count``], as bool; or ValueError."""
    array = np.array(values)
    if array.shape != (count,):
        raise ValueError(
            f"envs: expected {name} of shape {(count,)}, got {array.shape}"
        )
    if array.dtype == bool:
        return array
    if not np.isin(array, (0, 1)).all():
        raise ValueError(f"envs: expected {name} to be true or false, got {array}")
    return array.astype(bool)
