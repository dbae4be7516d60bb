"""What stands beside the class model: the simple methods, and those for many students.

A *reader* takes a class's scores [M, J], from 0 to 1 and NaN where not known. It has a
``forecast`` [M, J], and tells by ``after(student, rows)`` what it would expect of a
student whose answers were each of ``rows`` [n, J].
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

import numpy as np

from refimpl.baselines import crossed_effects, item_response, shrunken_student_mean
from refimpl.baselines.item_fit import ItemPriors
from refimpl.own_class.model import meta_learned
from refimpl.own_class.reading import ClassReader
from refimpl.own_class.tables import reveal
from refimpl.tasks import Predictor, TaskBatch

MANY = 100  # students, from whom the student model of chapter 6.1 is worth trying
PLENTY = 300  # from whom items can be fitted without priors
AT_ONCE = 1000  # students forecast at once, for their memory

Learn = Callable[[np.ndarray], Predictor]


class Reader(Protocol):
    """See above."""

    forecast: np.ndarray
    ends: np.ndarray | None  #: [M, 2], of intervals of its own, if it has any

    def after(self, student: int, rows: np.ndarray) -> np.ndarray:
        """Forecasts [n, J] for a ``student`` whose answers were each of ``rows``."""
        ...


class FittedReader:
    """A model of items that ``learn`` fits to all that is known in ``scores``.

    It has no ``ends`` [M, 2] of intervals of its own.
    """

    ends: np.ndarray | None = None

    def __init__(
        self, learn: Callable[[np.ndarray], Predictor], scores: np.ndarray
    ) -> None:
        self.predictor = learn(scores)
        self.forecast = self.after(0, scores)

    def after(self, student: int, rows: np.ndarray) -> np.ndarray:
        """Forecasts [n, J] for each of ``rows`` [n, J], whoever the ``student`` is."""
        made = []
        for i in range(0, len(rows), AT_ONCE):
            some = rows[i : i + AT_ONCE]
            known = ~np.isnan(some)
            forecast = self.predictor(reveal(some, known))[..., 0].clip(0, 1)
            made.append(np.where(known, some, forecast).astype(np.float32))
        return np.concatenate(made)


def on_items(baseline: Callable[[TaskBatch, int], Predictor]) -> Learn:
    """For a table [M, J]: a ``baseline`` of ``refimpl.baselines``, for batches."""

    def learn(scores: np.ndarray) -> Predictor:
        return baseline(reveal(scores, ~np.isnan(scores)), scores.shape[1])

    return learn


def readers(students: int, binary: bool) -> dict[str, Callable[[np.ndarray], Reader]]:
    """By name, what to try for so many ``students``; the first is preferred.

    ``binary`` says whether all answers are right or wrong.
    """
    learners: dict[str, Learn] = {"shrunken mean": on_items(shrunken_student_mean)}
    if binary:
        believed = partial(item_response, priors=ItemPriors())
        learners["IRT with priors"] = on_items(believed)
    if students >= MANY:
        learners["student model"] = partial(meta_learned, binary=binary)
    if students >= PLENTY:
        if binary:
            learners["IRT"] = on_items(item_response)
        else:
            learners["crossed effects"] = on_items(crossed_effects)
    fitted = {name: partial(FittedReader, learn) for name, learn in learners.items()}
    return {"class model": ClassReader, **fitted}
