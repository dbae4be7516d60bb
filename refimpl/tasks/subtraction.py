"""A made-up world of subtraction, where some students' procedure is faulty.

A world like those of :mod:`refimpl.tasks.class_worlds`, of M ``classes``, S
``students`` and I ``items``.
"""

from __future__ import annotations

import numpy as np

from refimpl.tasks.class_worlds import abilities, drawn, sigmoid


def procedures(
    classes: int, students: int, items: int, rng: np.random.Generator
) -> np.ndarray:
    """Subtraction in columns, by students whose procedure may be faulty: [M, S, I].

    Four faults (Brown & Burton 1978), each held by a share of the class: the smaller
    digit from the larger, nothing handed back after borrowing, 0 - n = n, and a zero
    that one should borrow across is skipped. An answer is right if the faulty procedure
    happens to give it and no slip is made.
    """
    M = (classes, 1, 1)
    digits = 4
    top, low = rng.integers(0, 10, (2, classes, 1, items, digits))  # ones first
    length = rng.integers(2, digits + 1, (classes, 1, items, 1))
    top[..., 1:][rng.random(top[..., 1:].shape) < 0.15] = 0
    short = np.arange(digits) >= length
    top[short], low[short] = 0, 0
    value = (
        (top * 10 ** np.arange(digits)).sum(-1),
        (low * 10 ** np.arange(digits)).sum(-1),
    )
    swap = (value[0] < value[1])[..., None]
    top, low = np.where(swap, low, top), np.where(swap, top, low)
    held = rng.beta(0.7, 1.0, (4, classes, 1, 1)) * 0.9
    ability = abilities(classes, students, 1, rng)
    leaning = rng.uniform(0, 2, M)
    odds = np.log(held / (1 - held)) - leaning * ability
    faults = rng.random((4, classes, students, 1)) < sigmoid(odds)
    right = subtracted(top, low, faults)
    slip = rng.beta(1, 12, (classes, students, 1)) * 2 * rng.uniform(0.2, 1, M)
    lucky = rng.uniform(0, 0.1, M)
    return drawn(np.where(right, 1 - slip.clip(0, 0.9), lucky), rng)


def subtracted(top: np.ndarray, low: np.ndarray, faults: np.ndarray) -> np.ndarray:
    """Whether each student's procedure gives the right difference, [M, S, I].

    ``top`` and ``low`` [M, 1, I, 4] are digits, ones first; ``faults`` [4, M, S, 1].
    """
    smaller, kept, zero, skipped = faults
    owed = np.zeros(np.broadcast_shapes(top.shape[:-1], smaller.shape), int)
    true = np.zeros(top.shape[:-1], int)
    right = np.ones(owed.shape, bool)
    for column in range(top.shape[-1]):
        n, d = top[..., column], low[..., column]
        exact = n - d - true
        have = n - owed
        borrows = have < d
        passes = (n == 0) & (owed > 0) & skipped  # the debt jumps over the zero
        digit = np.where(borrows, have + 10 - d, have - d)
        digit = np.where(passes, (10 + n - d) % 10, digit)
        own = np.where(borrows & smaller, np.abs(have - d), digit)
        own = np.where((n == 0) & (d > 0) & zero, d, own)
        right &= own % 10 == exact % 10
        took = borrows & ~smaller & ~((n == 0) & (d > 0) & zero)
        owed = np.where(passes, owed, np.where(took & ~kept, 1, 0))
        true = (exact < 0).astype(int)
    return right
