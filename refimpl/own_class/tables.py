"""Tables of a class's scores [M, J], a row per student and a column per item.

NaN is where there is no answer. :func:`reveal` turns a table, ``scores``, into tasks;
``prediction`` [M, J, 1] is what was forecast for the queries of a ``batch`` of them.
"""

from __future__ import annotations

import numpy as np

from refimpl.checks import check_items, check_rng
from refimpl.tasks import TaskBatch

HIDDEN = 5  # answers at least that are to be forecast


def score_table(answers: TaskBatch, items: int) -> np.ndarray:
    """Scores [M, J] of all ``answers`` to J = ``items``; of repeated ones, the last.

    Raises a ValueError if a number is that of no item.
    """
    student, x, y = answers.observed()
    scores = np.full((len(answers), items), np.nan, np.float32)
    scores[student, check_items(x[:, 0], items)] = y[:, 0]
    return scores


def draw_known(
    scores: np.ndarray, known: int | np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Mask [M, J]: ``known`` of each student's answers (or all, if fewer) at random.

    Raises a TypeError if ``rng`` is no generator.
    """
    check_rng(rng)
    order = np.where(np.isnan(scores), 2, rng.random(scores.shape)).argsort(axis=1)
    rank = order.argsort(axis=1)
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


def hide(scores: np.ndarray, known: int, rng: np.random.Generator) -> TaskBatch | None:
    """Tasks of the students of ``scores`` [M, J] with ``known`` answers and five more.

    ``known`` of a student's answers, drawn with ``rng``, are the support set, all
    others are the queries. None if nobody has so many.
    """
    some = scores[(~np.isnan(scores)).sum(axis=1) >= known + HIDDEN]
    return reveal(some, draw_known(some, known, rng)) if len(some) else None


def student_losses(
    prediction: np.ndarray, batch: TaskBatch, binary: bool
) -> np.ndarray:
    """Each student's mean log-loss (if ``binary``) or squared error of queries: [M].

    Raises a ValueError if a student has no query.
    """
    y = batch.query_y
    if binary:
        p = prediction.clip(1e-3, 1 - 1e-3)  # the shrunken mean can leave 0 to 1
        each = -np.where(y == 1, np.log(p), np.log(1 - p))
    else:
        each = (y - prediction) ** 2
    return (each[..., 0] * batch.query_mask).sum(axis=1) / _queries(batch)


def mean_errors(prediction: np.ndarray, batch: TaskBatch) -> np.ndarray:
    """Each student's mean query target minus its mean prediction: [M].

    Raises a ValueError if a student has no query.
    """
    left = (batch.query_y - prediction)[..., 0] * batch.query_mask
    return left.sum(axis=1) / _queries(batch)


def _queries(batch: TaskBatch) -> np.ndarray:
    """How many queries each student has, [M]; a ValueError if one has none."""
    count = batch.query_mask.sum(axis=1)
    if not count.all():
        raise ValueError("batch: expected a query or more of each student")
    return count
