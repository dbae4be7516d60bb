"""Checks of arguments that many functions make."""

from __future__ import annotations

import math
import operator

import numpy as np


def check_count(name: str, value: int, least: int, most: int | None = None) -> int:
    """Return ``value`` as an int, if it is one from ``least`` to ``most``.

    Else raises a TypeError or ValueError that names the argument, ``name``.
    """
    try:
        count = operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: expected an integer, got {value!r}") from None
    if count < least or (most is not None and count > most):
        allowed = f"at least {least}" if most is None else f"{least} to {most}"
        raise ValueError(f"{name}: expected {allowed}, got {count}")
    return count


def check_number(name: str, value: float, least: float, most: float = math.inf) -> None:
    """Raise a ValueError unless ``value`` is from ``least`` to ``most``; NaN is not.

    A TypeError if it is no number. Both name the argument, ``name``.
    """
    try:
        fits = least <= value <= most
    except TypeError:
        raise TypeError(f"{name}: expected a number, got {value!r}") from None
    if not fits:
        allowed = f"at least {least}" if most == math.inf else f"{least} to {most}"
        raise ValueError(f"{name}: expected {allowed}, got {value}")


def check_items(numbers: np.ndarray, items: int) -> np.ndarray:
    """Return ``numbers`` [...] as integers, if all are whole and below ``items``.

    Raises a ValueError if one is not, or is negative.
    """
    if not np.isin(numbers, np.arange(items)).all():
        raise ValueError(
            f"items: expected {items}, numbered from 0, "
            f"got numbers from {numbers.min():g} to {numbers.max():g}"
        )
    return numbers.astype(int)


def check_rng(rng: np.random.Generator) -> None:
    """Raise a TypeError unless ``rng`` is a NumPy generator: no draw without a seed."""
    if not isinstance(rng, np.random.Generator):
        raise TypeError(
            "rng: expected a numpy.random.Generator, as np.random.default_rng(0) "
            f"makes one, got {rng!r}"
        )
