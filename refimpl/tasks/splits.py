"""Splits by student: no one is met in training and in the test."""

from __future__ import annotations

import numpy as np


def split_students(n: int) -> dict[str, np.ndarray]:
    """Numbers 0 to n - 1, permuted with seed 0 and cut 70/15/15."""
    order = np.random.default_rng(0).permutation(n)
    parts = np.split(order, [int(0.7 * n), int(0.85 * n)])
    return dict(zip(("train", "validation", "test"), parts, strict=True))


def rows_of(splits: dict[str, np.ndarray], split: str) -> np.ndarray:
    """The students of a split, or a ValueError that lists the splits."""
    if split not in splits:
        raise ValueError(f"split: expected one of {[*splits]}, got {split!r}")
    return splits[split]
