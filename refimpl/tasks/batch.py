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
    support_x, query_x : [M, K, ...], [M, Q, ...]
        Inputs of M tasks with at most K support and Q query examples: numbers [D],
        images [channels, height, width], or integers, such as the numbers of items.
    support_y, query_y : [M, K, O], [M, Q, O], or integers [M, K], [M, Q]
        Targets: numbers, or the number of a class.
    support_mask, query_mask : [M, K], [M, Q]
        1 where an example was observed, 0 where the place is empty.

    Raises
    ------
    TypeError
        If an array is of numbers that are not float32 (or float64, for exact
        arithmetic), nor of integers where these may stand.
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
            _check_array(name, array)
        tasks, _, *inputs = self.support_x.shape
        outputs = self.support_y.shape[2:]
        if tasks == 0:
            raise ValueError("support_x: expected at least one task, got none")
        for part in ("support", "query"):
            examples = getattr(self, f"{part}_x").shape[1]
            for name, expected in (
                (f"{part}_x", (tasks, examples, *inputs)),
                (f"{part}_y", (tasks, examples, *outputs)),
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
        x, y : [n, ...], [n, O] or [n]
            Its input and target.
        """
        mask = np.concatenate([self.support_mask, self.query_mask], axis=1) == 1
        x = np.concatenate([self.support_x, self.query_x], axis=1)
        y = np.concatenate([self.support_y, self.query_y], axis=1)
        return np.nonzero(mask)[0], x[mask], y[mask]


def _check_array(name: str, array: Any) -> None:
    """Raise unless ``array`` has the axes and the type that its ``name`` asks for."""
    if not hasattr(array, "dtype"):
        raise ValueError(f"{name}: expected an array, got {type(array).__name__}")
    kind = str(array.dtype).removeprefix("torch.")
    integers = kind.removeprefix("u") in ("int8", "int16", "int32", "int64")
    if kind not in ("float32", "float64") and (not integers or "mask" in name):
        raise TypeError(f"{name}: expected float32 (or float64), got {array.dtype}")
    axes, more = 3 - ("mask" in name or integers), name.endswith("x")
    if array.ndim != axes and not (more and array.ndim > axes):
        raise ValueError(
            f"{name}: expected an array with {axes} axes{' or more' * more}, got "
            f"shape {tuple(array.shape)}"
        )
    if not integers:
        own = isinstance(array, np.ndarray)
        if not (np.isfinite(array) if own else array - array == 0).all():
            raise ValueError(f"{name}: expected finite values, got NaN or infinity")
