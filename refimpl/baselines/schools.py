"""Direct regression that knows which school a child goes to.

Children of one school have much in common. What may be used of it depends on when it is
known: schoolmates' *earlier* scores are, when the forecast is made; their later ones,
of the years that are asked, are not. ``school`` [M] are the schools of ``train``'s
tasks, numbered from 0.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from refimpl.baselines.growth import direct_regression, pooled_polynomial
from refimpl.baselines.responses import variances
from refimpl.tasks import TaskBatch

#: A batch of M tasks and their schools [M] -> predictions [M, Q, 1]
SchoolPredictor = Callable[[TaskBatch, np.ndarray], np.ndarray]


def shrunken(
    total: np.ndarray, count: np.ndarray, between: float, within: float
) -> np.ndarray:
    """Means of ``count`` [M] values whose sums are ``total`` [M], drawn to 0: [M].

    By K t2 / (K t2 + s2), with t2 ``between`` and s2 ``within``; 0 where there is none.
    """
    return total * between / (count * between + within)


def with_schoolmates_later(train: TaskBatch, school: np.ndarray) -> SchoolPredictor:
    """Direct regression, plus its shrunken mean error at the child's school.

    ``train`` as for :func:`direct_regression`. These errors are schoolmates' scores in
    the years that are asked: a leak, unless they are of children who came earlier.
    """
    direct = direct_regression(train)
    error = ((train.query_y - direct(train))[..., 0] * train.query_mask).sum(axis=1)
    error = error / train.query_mask.sum(axis=1)
    both = variances(school, error)

    def predict(batch: TaskBatch, where: np.ndarray) -> np.ndarray:
        total, count = (_at(where, school, x) for x in (error, np.ones_like(error)))
        return direct(batch) + shrunken(total, count, *both)[:, None, None]

    return predict


def with_schoolmates_known(train: TaskBatch, school: np.ndarray) -> SchoolPredictor:
    """Direct regression with one more regressor: how schoolmates did in known tests.

    That is the shrunken mean of their distance from the line of all, the child's own
    left out; schoolmates are those of ``train`` and, when a batch is predicted, those
    in it. All support inputs are observed, as :func:`direct_regression` wants it.
    """
    line = pooled_polynomial(_known_alone(train))

    def distance(batch: TaskBatch) -> np.ndarray:
        return (batch.support_y - line(_known_alone(batch)))[..., 0].mean(axis=1)

    own = distance(train)
    both = variances(school, own)

    def more(batch: TaskBatch, where: np.ndarray, others: bool) -> TaskBatch:
        """The school's level as if it were a first test."""
        d = distance(batch)
        total, count = _at(where, where, d) - d, _at(where, where, np.ones_like(d)) - 1
        if others:
            total = total + _at(where, school, own)
            count = count + _at(where, school, np.ones_like(own))
        level = shrunken(total, count, *both)[:, None, None].astype(np.float32)
        return TaskBatch(
            np.concatenate([np.zeros_like(level), batch.support_x], axis=1),
            np.concatenate([level, batch.support_y], axis=1),
            np.concatenate([np.ones_like(level[..., 0]), batch.support_mask], axis=1),
            batch.query_x,
            batch.query_y,
            batch.query_mask,
        )

    predict = direct_regression(more(train, school, others=False))
    return lambda batch, where: predict(more(batch, where, others=True))


def _at(asked: np.ndarray, school: np.ndarray, value: np.ndarray) -> np.ndarray:
    """The sum of ``value`` over the children of each school that is asked for."""
    size = max(asked.max(initial=0), school.max(initial=0)) + 1
    return np.bincount(school, value, minlength=size)[asked]


def _known_alone(batch: TaskBatch) -> TaskBatch:
    """The known tests, asked."""
    known = batch.support_x, batch.support_y, batch.support_mask
    return TaskBatch(*known, *known)
