"""Direct regression that knows which school a child goes to.

Children of one school have much in common. What may be used of it depends on when it is
known: classmates' *earlier* scores are, when the forecast is made; their later ones, of
the years that are asked, are not. ``school`` [M] are the schools of ``train``'s tasks,
numbered from 0.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from refimpl.baselines.growth import direct_regression
from refimpl.tasks import TaskBatch

#: A batch of M tasks and their schools [M] -> predictions [M, Q, 1]
SchoolPredictor = Callable[[TaskBatch, np.ndarray], np.ndarray]


def shrunken_means(school: np.ndarray, value: np.ndarray) -> Callable:
    """Schools [m] -> what their children's ``value`` [M] is on average, drawn to 0.

    A mean of K children is multiplied by K t2 / (K t2 + s2), with t2 the variance of
    schools and s2 that within schools, both moments of the values; 0 for a school that
    is not there.
    """
    count = np.bincount(school)
    mean = np.bincount(school, value) / np.maximum(count, 1)
    there = count > 0
    within = ((value - mean[school]) ** 2).sum() / (len(value) - there.sum())
    between = max(np.mean(mean[there] ** 2 - within / count[there]), 0.0)
    level = mean * count * between / np.maximum(count * between + within, 1e-12)

    def of(asked: np.ndarray) -> np.ndarray:
        known = asked < len(level)
        return np.where(known, level[np.minimum(asked, len(level) - 1)], 0.0)

    return of


def with_classmates_later(train: TaskBatch, school: np.ndarray) -> SchoolPredictor:
    """Direct regression, plus its mean error at the school of the child.

    These errors are classmates' scores in the years that are asked: a leak, unless they
    are of children who came earlier.
    """
    direct = direct_regression(train)
    error = ((train.query_y - direct(train))[..., 0] * train.query_mask).sum(axis=1)
    level = shrunken_means(school, error / train.query_mask.sum(axis=1))
    return lambda batch, where: direct(batch) + level(where)[:, None, None]


def with_classmates_known(train: TaskBatch, school: np.ndarray) -> SchoolPredictor:
    """Direct regression with one more regressor: how classmates stood in known tests.

    Their mean distance from the average child, shrunken. The tasks of ``train`` and of
    a batch have the same, fully observed support inputs. Raises a ValueError if not.
    """
    average = train.support_y.mean(axis=0)
    level = shrunken_means(school, (train.support_y - average)[..., 0].mean(axis=1))

    def more(batch: TaskBatch, where: np.ndarray) -> TaskBatch:
        """The school's level as if it were a first test."""
        own = level(where)[:, None, None].astype(np.float32)
        return TaskBatch(
            np.concatenate([np.zeros_like(own), batch.support_x], axis=1),
            np.concatenate([own, batch.support_y], axis=1),
            np.concatenate([np.ones_like(own[..., 0]), batch.support_mask], axis=1),
            batch.query_x,
            batch.query_y,
            batch.query_mask,
        )

    predict = direct_regression(more(train, school))
    return lambda batch, where: predict(more(batch, where))
