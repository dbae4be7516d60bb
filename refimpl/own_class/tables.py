"""Tables of a class's scores [M, J], a row per student and a column per item.

NaN is where there is no answer. :func:`reveal` turns a table, ``scores``, into tasks.
"""

from __future__ import annotations

import numpy as np

from refimpl.checks import check_rng
from refimpl.tasks import TaskBatch


def shuffled(scores: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random order of each student's answers, [M, J]: 0, 1, ...; then what is NaN.

    Of the answers in ``scores`` [M, J]. Raises a TypeError if ``rng`` is no generator.
    """
    check_rng(rng)
    order = np.where(np.isnan(scores), 2, rng.random(scores.shape)).argsort(axis=1)
    return order.argsort(axis=1)


def draw_known(
    scores: np.ndarray, known: int | np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Mask [M, J]: ``known`` of each student's answers (or all, if fewer) at random.

    Raises a TypeError if ``rng`` is no generator.
    """
    rank = shuffled(scores, rng)
    return (rank < np.reshape(known, (-1, 1))) & ~np.isnan(scores)


def reveal(scores: np.ndarray, known: np.ndarray) -> TaskBatch:
    """Known answers as support sets, and all J items, in order, as queries.

    ``known`` is a mask [M, J]. The query mask is 1 for the answers that are not known,
    so that only they count in a loss. Raises a ValueError if ``known`` holds where
    there is no answer.
    """
    if (known & np.isnan(scores)).any():
        raise ValueError("known: expected only what was answered, got NaN in scores")
    count = known.sum(axis=1)
    item = np.argsort(~known, axis=1, kind="stable")[:, : max(1, count.max())]
    mask = (np.arange(item.shape[1]) < count[:, None]).astype(np.float32)
    filled = np.nan_to_num(scores).astype(np.float32)
    every = np.broadcast_to(np.arange(scores.shape[1], dtype=np.float32), scores.shape)
    return TaskBatch(
        (item * mask)[..., None].astype(np.float32),
        (np.take_along_axis(filled, item, axis=1) * mask)[..., None],
        mask,
        every[..., None].copy(),
        filled[..., None],
        (~known & ~np.isnan(scores)).astype(np.float32),
    )
