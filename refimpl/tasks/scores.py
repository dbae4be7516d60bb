"""How good predictions are, task by task and over all."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from refimpl.tasks.batch import TaskBatch

Predictor = Callable[[TaskBatch], np.ndarray]  # to predictions [M, Q, O]


def rmse(prediction: np.ndarray, batch: TaskBatch) -> float:
    """Root mean squared error of ``prediction`` [M, Q, O] over all observed queries.

    Raises
    ------
    ValueError
        If the shape is not that of ``batch.query_y``, or nothing was observed.
    """
    shape, expected = np.shape(prediction), batch.query_y.shape
    if shape != expected or len(shape) != 3:
        raise ValueError(f"prediction: expected shape {expected}, got {shape}")
    observed = batch.query_mask == 1
    if not observed.any():
        raise ValueError("batch: expected at least one observed query example")
    error = (prediction - batch.query_y)[observed].astype(np.float64)
    return float(np.sqrt(np.mean(error**2)))


def summarize(losses: np.ndarray) -> dict[str, np.ndarray]:
    """Mean, median, and the mean's 95 % confidence interval, over tasks.

    ``losses`` [..., M] are, for example, what ``evaluate`` returns; the result
    has "mean", "median", "low" and "high", each [...]. The interval is
    Student's, over M >= 2 tasks (or ValueError) taken to be independent.
    """
    import scipy.stats  # loads slowly: only when an interval is wanted

    losses = np.atleast_1d(losses)
    if losses.shape[-1] < 2:
        raise ValueError(f"losses: expected 2 tasks or more, got {losses.shape[-1]}")
    mean, error = losses.mean(axis=-1), scipy.stats.sem(losses, axis=-1)
    half = error * scipy.stats.t.ppf(0.975, losses.shape[-1] - 1)
    median = np.median(losses, axis=-1)
    return {"mean": mean, "median": median, "low": mean - half, "high": mean + half}
