"""A teacher's own table of answers, CSV or Parquet: a student is a task.

A long module, since a third of it says what a file may look like.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from refimpl.checks import check_count, check_rng
from refimpl.tasks.batch import TaskBatch
from refimpl.tasks.gradebook_answers import read_answers
from refimpl.tasks.splits import draw_students, rows_of, split_students

MIN_ANSWERS = 6
MIN_STUDENTS = 4  # with fewer, a split would be empty


class GradebookTasks:
    """Answers of a teacher's own students; from some of a student's, predict the rest.

    The table is *long*, a row per answer, if ``item`` and ``score`` name columns::

        GradebookTasks("quiz.csv", student="pupil", item="question", score="points")

    or *wide*, a row per student and a column per item, if they do not::

        GradebookTasks("quiz.csv", student="pupil", ignore=["total"])

    A CSV file is UTF-8, with or without a byte-order mark, separated by commas,
    semicolons or tabs; the file's beginning tells whether it is Parquet. A score is a
    number (with a decimal point or comma), or true, false, right, wrong. An empty
    cell, NA, N/A, NaN or null is a missing answer, which is no wrong answer: it is
    left out.

    Input is the item's number, a place in ``items``; target the score. Students have
    different numbers of answers, so batches are masked. With ``time``, the support set
    is a student's first ``shots`` answers; else it is drawn at random. The query set is
    all others. Students are split 70/15/15. Their identifiers are not kept, nor shown
    in a message; ``rows`` leads to the student, for who has the file.

    Parameters
    ----------
    path : str or Path
    student : str
        The column that identifies students.
    item, score : str, optional
        The columns of items and scores of a long table, whose other columns are not
        read; neither for a wide one.
    time : str, optional
        The column, in a long table, that orders a student's answers: numbers, or dates
        such as 2026-03-31 or 2026-03-31 14:05. Only with it may a student answer an
        item repeatedly, at different times.
    ignore : list of str
        Columns of a wide table that are no items: a total, a first name.
    min_answers : int, at least 2
        Students with fewer answers are left out, with a warning. Six, since the book's
        chapters learn from five, and one must be left to ask.
    score_range : (low, high), optional
        Raise if a score lies outside.

    Attributes
    ----------
    items : list of str
        The names of the items that someone answered, sorted.
    rows : int64 array [students]
        The first row of the file that has an answer of each student; the header is 1.
    binary : bool
        Whether every score is 0 or 1.
    left_out : dict of int
        How many "students" had too few answers, and how many "answers" they had.
    splits : dict of int arrays
        The students of each split, as places in ``rows``.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    TypeError, ValueError
        If an argument or the table is not what is described here, or fewer than two
        items or four students are left. The message names the argument, and rows and
        items of the table, but never a student.
    """

    def __init__(
        self,
        path: str | Path,
        student: str,
        item: str | None = None,
        score: str | None = None,
        time: str | None = None,
        *,
        ignore: Sequence[str] = (),
        min_answers: int = MIN_ANSWERS,
        score_range: tuple[float, float] | None = None,
    ) -> None:
        self._min_answers = check_count("min_answers", min_answers, least=2)
        self._in_order = time is not None
        answers = read_answers(path, student, item, score, time, ignore, score_range)
        counts = np.bincount(answers.student, minlength=answers.students)
        enough = counts >= min_answers
        few, kept = int((~enough).sum()), int(enough.sum())
        if len(answers.items) < 2:
            raise ValueError(f"item: expected at least 2, got {len(answers.items)}")
        if kept < MIN_STUDENTS:
            raise ValueError(
                f"student: expected at least {MIN_STUDENTS} students, each with "
                f"{min_answers=} or more, got {kept}; {few} have fewer"
            )
        self.items = answers.items
        self.left_out = {"students": few, "answers": int(counts[~enough].sum())}
        if few:
            warnings.warn(
                f"left out: {few} students, with {self.left_out['answers']} answers, "
                f"each fewer than {min_answers=}; {kept} are kept",
                stacklevel=2,
            )
        own = enough[answers.student]
        self._item, self._score = answers.item[own], answers.score[own]
        self._start = np.concatenate([[0], np.cumsum(counts[enough])])
        self.rows = np.minimum.reduceat(answers.row[own], self._start[:-1])
        self.binary = bool(np.isin(self._score, [0, 1]).all())
        self.splits = split_students(kept)
        if self._score.min() == self._score.max():
            every = f"every score is {self._score[0]:g}: nothing to predict"
            warnings.warn(every, stacklevel=2)

    def __repr__(self) -> str:
        return (
            f"<GradebookTasks: {len(self.rows)} students, {len(self.items)} items, "
            f"{len(self._score)} {'right or wrong ' if self.binary else ''}answers>"
        )

    def sample(
        self, tasks: int, shots: int, split: str, rng: np.random.Generator
    ) -> TaskBatch:
        """Draw ``tasks`` different students of ``split``, and which answers are known.

        ``shots`` is K, from 0 to ``min_answers - 1``. The batch's shapes are [M, K, 1]
        and [M, Q, 1], item and score; Q is the largest number of queries of a student,
        and masks tell who has fewer. With ``shots=0`` there is one support place, and
        its mask is 0. Raises a TypeError or ValueError for other arguments.
        """
        students = draw_students(rows_of(self.splits, split), tasks, rng)
        return self._batch(students, shots, rng)

    def all(self, shots: int, split: str, rng: np.random.Generator) -> TaskBatch:
        """Every student of ``split``, once. As :meth:`sample`."""
        check_rng(rng)
        return self._batch(rows_of(self.splits, split), shots, rng)

    def _batch(
        self, students: np.ndarray, shots: int, rng: np.random.Generator
    ) -> TaskBatch:
        shots = check_count("shots", shots, least=0, most=self._min_answers - 1)
        start, count = self._start[students], np.diff(self._start)[students]
        task = np.repeat(np.arange(len(students)), count)
        place = np.arange(len(task)) - np.repeat(np.cumsum(count) - count, count)
        answer = np.repeat(start, count) + place
        if not self._in_order:
            answer = answer[np.lexsort((rng.random(len(task)), task))]
        x, y = self._item[answer], self._score[answer]
        known = place < shots
        return TaskBatch(
            *scatter(task[known], place[known], x[known], y[known], len(students)),
            *scatter(
                task[~known], place[~known] - shots, x[~known], y[~known], len(students)
            ),
        )


def scatter(
    task: np.ndarray, place: np.ndarray, x: np.ndarray, y: np.ndarray, tasks: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, y [``tasks``, K, 1] and mask [``tasks``, K] of n examples.

    ``task``, ``place``, ``x`` and ``y``, each [n], say whose, where and which they are.
    """
    arrays = np.zeros((3, tasks, place.max(initial=0) + 1), np.float32)
    arrays[:, task, place] = x, y, np.ones(len(x))
    return arrays[0, ..., None], arrays[1, ..., None], arrays[2]
