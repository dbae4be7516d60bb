"""TaskBatch: what every task source returns and every learner takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class TaskBatch:
    """M tasks, each with a support set to learn from and a query set to be judged on.

    Tasks may have fewer than K or Q examples: the mask of an empty place is 0,
    and what it holds (usually zeros) counts for nothing. Task sources make
    float32 NumPy arrays; :meth:`map` turns them into another library's tensors.

    Parameters
    ----------
    support_x, query_x : [M, K, D], [M, Q, D]
        Inputs of M tasks with at most K support and Q query examples.
    support_y, query_y : [M, K, O], [M, Q, O]
        Targets.
    support_mask, query_mask : [M, K], [M, Q]
        1 where an example was observed, 0 where the place is empty.

    Raises
    ------
    TypeError
        If an array's type is not float32 (or float64, for exact arithmetic).
    ValueError
        If there is no task, a shape does not fit the others, a value is not
        finite, or a mask holds anything but 0 and 1.
    """

    support_x: Any
    support_y: Any
    support_mask: Any
    query_x: Any
    query_y: Any
    query_mask: Any

    def __post_init__(self) -> None:
        for name, array in vars(self).items():
            _check_array(name, array, ndim=2 if name.endswith("mask") else 3)
        tasks, _, inputs = self.support_x.shape
        outputs = self.support_y.shape[2]
        if tasks == 0:
            raise ValueError("support_x: expected at least one task, got none")
        for part in ("support", "query"):
            examples = getattr(self, f"{part}_x").shape[1]
            for name, expected in (
                (f"{part}_x", (tasks, examples, inputs)),
                (f"{part}_y", (tasks, examples, outputs)),
                (f"{part}_mask", (tasks, examples)),
            ):
                shape = tuple(getattr(self, name).shape)
                if shape != expected:
                    raise ValueError(f"{name}: expected shape {expected}, got {shape}")
            mask = getattr(self, f"{part}_mask")
            if not ((mask == 0) | (mask == 1)).all():
                raise ValueError(
                    f"{part}_mask: expected only 0 (empty) and 1 (observed)"
                )

    def __len__(self) -> int:
        """The number of tasks M."""
        return self.support_x.shape[0]

    def map(self, function: Callable[[Any], Any]) -> TaskBatch:
        """Return a batch with ``function`` applied to each of the six arrays.

        ``batch.map(torch.as_tensor)`` gives tensors, ``batch.map(lambda a: a[:5])``
        the first five tasks.
        """
        return TaskBatch(*(function(array) for array in vars(self).values()))

    def observed(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """All observed examples, support and query alike, one per row.

        Returns
        -------
        task : [n] integers
            Each example's task, as its position in the batch.
        x, y : [n, D], [n, O]
            Its input and target.
        """
        mask = np.concatenate([self.support_mask, self.query_mask], axis=1) == 1
        x = np.concatenate([self.support_x, self.query_x], axis=1)
        y = np.concatenate([self.support_y, self.query_y], axis=1)
        return np.nonzero(mask)[0], x[mask], y[mask]


Predictor = Callable[[TaskBatch], np.ndarray]  # to predictions [M, Q, O]


def rmse(prediction: np.ndarray, batch: TaskBatch) -> float:
    """Root mean squared error of ``prediction`` [M, Q, O] over all observed queries.

    Raises
    ------
    ValueError
        If the shape is not that of ``batch.query_y``, or nothing was observed.
    """
    shape, expected = np.shape(prediction), batch.query_y.shape
    if shape != expected:
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


def _check_array(name: str, array: Any, ndim: int) -> None:
    """Raise unless ``array`` has ``ndim`` axes, a float type and finite values."""
    if getattr(array, "ndim", None) != ndim:
        raise ValueError(
            f"{name}: expected an array with {ndim} axes, "
            f"got shape {tuple(np.shape(array))}"
        )
    if str(array.dtype).removeprefix("torch.") not in ("float32", "float64"):
        raise TypeError(f"{name}: expected float32 (or float64), got {array.dtype}")
    with np.errstate(invalid="ignore"):  # inf - inf and nan - nan are nan
        if not (array - array == 0).all():
            raise ValueError(f"{name}: expected finite values, got NaN or infinity")
