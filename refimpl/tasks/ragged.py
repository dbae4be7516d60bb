"""Tasks of unequal size as one batch: empty places have a mask of 0."""

from __future__ import annotations

import numpy as np

from refimpl.tasks.batch import TaskBatch


def known_and_asked(
    x: np.ndarray,
    y: np.ndarray,
    start: np.ndarray,
    count: np.ndarray,
    shots: int,
    rng: np.random.Generator | None,
) -> TaskBatch:
    """M tasks of unequal size: ``shots`` examples of each are known, all others asked.

    The task i has the examples from ``start[i]``, ``count[i]`` of them, of ``x`` and
    ``y`` [n]; both are [M]. Known are the first, or with ``rng`` random ones.
    """
    task = np.repeat(np.arange(len(start)), count)
    place = np.arange(len(task)) - np.repeat(np.cumsum(count) - count, count)
    own = np.repeat(start, count) + place
    if rng is not None:
        own = own[np.lexsort((rng.random(len(task)), task))]
    x, y, known = x[own], y[own], place < shots
    seen, asked = (
        scatter(task[part], place[part] - first, x[part], y[part], len(start))
        for part, first in ((known, 0), (~known, shots))
    )
    return TaskBatch(*seen, *asked)


def scatter(
    task: np.ndarray, place: np.ndarray, x: np.ndarray, y: np.ndarray, tasks: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, y [``tasks``, K, 1] and mask [``tasks``, K] of n examples.

    ``task``, ``place``, ``x`` and ``y``, each [n], say whose, where and which they are.
    """
    arrays = np.zeros((3, tasks, place.max(initial=0) + 1), np.float32)
    arrays[:, task, place] = x, y, np.ones(len(x))
    return arrays[0, ..., None], arrays[1, ..., None], arrays[2]
