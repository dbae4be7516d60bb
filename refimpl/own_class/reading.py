"""A class read by the class model of chapter 6.4: no training, nobody set aside."""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from refimpl.context import ClassModel, read_class, trained_class_model
from refimpl.tasks.class_batch import class_batch

MOST = 60  # students, and items, of the classes that it was trained on
LEAST = 5
LARGE = 2000  # students, from whom on less work is done for each
ROUNDS = 4  # of dividing a larger table into blocks; for the largest, one
CELLS = 200_000  # of tables read at once
loaded = cache(trained_class_model)  # a report reads a class many times


def read(model: ClassModel, tables: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Forecasts [n, M, J] and intervals' ends [n, M, 2], from ``tables`` [n, M, J].

    Of n classes of at most 60 students and items, NaN where an answer is not known. The
    intervals are those of :func:`~refimpl.context.read_class`, of the mean of all that
    is not known; known answers stand in the forecast as they are.
    """
    known = ~np.isnan(tables)
    some = max(1, CELLS // known[0].size)
    parts = [
        read_class(
            model, class_batch(np.nan_to_num(tables[i : i + some]), known[i : i + some])
        )
        for i in range(0, len(tables), some)
    ]
    made, ends = (np.concatenate(part) for part in zip(*parts, strict=True))
    return np.where(known, tables, made.reshape(tables.shape)), ends


def blocks(size: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Places 0 to ``size`` - 1, drawn into even groups [n] of at most 60 each."""
    return np.array_split(rng.permutation(size), math.ceil(size / MOST))


class ClassReader:
    """The class model for one class's ``scores`` [M, J], NaN where not known.

    ``forecast`` [M, J] is what it expects of each answer. A table of more than 60
    students or items is read in blocks, drawn by lot four times over (once, if there
    are more than 2,000 students), whose forecasts are averaged. ``ends`` [M, 2] are
    those of the 80 % interval of the mean of a student's open answers; None for a table
    on whose like they were not calibrated.
    """

    def __init__(self, scores: np.ndarray) -> None:
        self.model, self.scores = loaded(), scores
        self.ends: np.ndarray | None = None
        if max(scores.shape) <= MOST:
            made, ends = read(self.model, scores[None])
            self.forecast = made[0]
            self.ends = ends[0] if min(scores.shape) >= LEAST else None
            return
        rng, total = np.random.default_rng(0), np.zeros(scores.shape)
        rounds = ROUNDS if len(scores) <= LARGE else 1
        for _ in range(rounds):
            columns = blocks(scores.shape[1], rng)
            for rows in blocks(len(scores), rng):
                for some in columns:
                    place = np.ix_(rows, some)
                    total[place] += read(self.model, scores[place][None])[0][0]
        self.forecast = total / rounds

    def after(self, student: int, rows: np.ndarray) -> np.ndarray:
        """Forecasts [n, J] for a ``student``, if each of ``rows`` were the answers.

        Read beside at most 59 classmates, and the items in blocks, both drawn by lot.
        """
        rng = np.random.default_rng([0, student])
        others = np.delete(np.arange(len(self.scores)), student)
        beside = rng.permutation(others)[: MOST - 1]
        made = np.empty(rows.shape)
        for some in blocks(rows.shape[1], rng):
            tables = np.repeat(self.scores[np.ix_(beside, some)][None], len(rows), 0)
            own = np.concatenate([rows[:, None, some], tables], axis=1)
            made[:, some] = read(self.model, own)[0][:, 0]
        return made
