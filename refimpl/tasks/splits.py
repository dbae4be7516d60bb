"""Students: split so that no one is met in training and in the test, and drawn."""

from __future__ import annotations

import numpy as np

from refimpl.checks import check_count, check_rng


def split_students(n: int) -> dict[str, np.ndarray]:
    """Numbers 0 to ``n`` - 1, permuted with seed 0, cut 70/15/15: three arrays [m]."""
    order = np.random.default_rng(0).permutation(n)
    parts = np.split(order, [int(0.7 * n), int(0.85 * n)])
    return dict(zip(("train", "validation", "test"), parts, strict=True))


def rows_of(splits: dict[str, np.ndarray], split: str) -> np.ndarray:
    """The students [m] of ``split``, or a ValueError that lists the ``splits``."""
    if split not in splits:
        raise ValueError(f"split: expected one of {[*splits]}, got {split!r}")
    return splits[split]


def draw_students(
    students: np.ndarray, tasks: int, rng: np.random.Generator
) -> np.ndarray:
    """``tasks`` different ones of ``students`` [m]: [``tasks``].

    Raises a ValueError if there are not so many, a TypeError without a generator.
    """
    tasks = check_count("tasks", tasks, least=1, most=len(students))
    check_rng(rng)
    return rng.choice(students, size=tasks, replace=False)
