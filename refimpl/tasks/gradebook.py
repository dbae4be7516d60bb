"""A teacher's own table of answers, as programs export it: a student is a task.

A long module, since half of it says what a file may be.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from refimpl.checks import check_count, check_rng
from refimpl.tasks.batch import TaskBatch
from refimpl.tasks.ragged import known_and_asked
from refimpl.tasks.splits import draw_students, rows_of, split_students
from refimpl.tasks.table.answers import read_answers
from refimpl.tasks.table.notes import Notes
from refimpl.tasks.table.options import Options
from refimpl.tasks.table.shapes import ONE_ITEM

MIN_ANSWERS = 6
MIN_STUDENTS = 4  # with fewer, a split would be empty


class GradebookTasks:
    """Answers of a teacher's own students; from some of a student's, predict the rest.

    The table is *wide*, a row per student and a column per item, or *long*, a row per
    answer, if ``item`` and ``score`` name columns or these have well-known names::

        GradebookTasks("marks.xlsx", "Name", maximum=10)
        GradebookTasks("log.csv", "pupil", item="question", score="points")

    The file is text (CSV), a spreadsheet (.xlsx, .xls, .ods) or Parquet;
    ``own_class.look(path)`` tells what is in it, and the call to copy. Columns that are
    no items (totals, texts) and rows that are no students are left out, and said.

    Scores become shares of the item's maximum, from 0 to 1. A cell is a number (2.5 or
    2,5), a percentage, "8 / 10", right or wrong. The maximum is ``maximum``, or what
    the file states in a row or a header, or 1 if all scores are 0 or 1. An empty cell,
    NA, "-", "absent", 缺考 and the like are missing answers, which are no wrong ones.

    Input is the item's number, a place in ``items``; target the share. Students have
    different numbers of answers, so batches are masked. With ``time``, the support set
    is a student's first ``shots`` answers; else it is drawn at random. The query set is
    all others. Students are split 70/15/15. Their identifiers are not kept, nor shown
    in a message; ``rows`` leads to the student, for who has the file.

    Parameters
    ----------
    path : str or Path
    student : str or list of str
        The column that identifies students, or several: first and last name.
    item, score : str, optional
        The columns of items and scores of a long table; others are not read.
    time : str, optional
        The column of a long table that orders a student's answers: numbers, or dates
        such as 2026-03-31 14:05. With it, an item may be answered repeatedly.
    sheet : str, optional
        The spreadsheet's sheet, if several have such a table.
    items, ignore : list of str, optional
        Columns of a wide table that are items (also a pattern, "Quiz*"), or are none.
    maximum : number, dict of numbers, or str, optional
        The score of a full answer; for each item its own; or the label of the row (in
        a long table, the column) that holds it. 1 also says: True is a score.
    key : dict of str, or str, optional
        Right answers by item, or the label of the row that holds them; cells are then
        answers, such as B or True.
    attempts : "first", "last" or "best", optional
        Which of a student's repeated answers to an item counts.
    gaps : list of str
        More words for a missing answer.
    min_answers : int, at least 1
        Students with fewer are in no split. Six: the chapters learn from five.

    Attributes
    ----------
    items : list of str
        The names of the items that someone answered, in the file's order.
    rows : int64 array [students]
        The first row with an answer of each student who has one, as a spreadsheet
        counts: the first is 1.
    binary : bool
        Whether every share is 0 or 1.
    left_out : dict of int
        How many "students" are in no split, and how many "answers" they have.
    notes : list of str
        What was decided or left out. The important ones are warnings, too.

    Raises
    ------
    FileNotFoundError, TypeError, ValueError
        If there is no file, an argument or the table is not what is described here, or
        fewer than two items are left. The message names rows, but no student.
    """

    def __init__(
        self,
        path: str | Path,
        student: str | Sequence[str],
        item: str | None = None,
        score: str | None = None,
        time: str | None = None,
        *,
        sheet: str | None = None,
        items: str | Sequence[str] | None = None,
        ignore: Sequence[str] = (),
        maximum: float | str | Mapping[str, float] | None = None,
        key: str | Mapping[str, str] | None = None,
        attempts: str | None = None,
        gaps: Sequence[str] = (),
        min_answers: int = MIN_ANSWERS,
    ) -> None:
        self._min_answers = check_count("min_answers", min_answers, least=1)
        self._in_order = time is not None
        where = path, student, item, score, time, sheet, items, ignore
        notes = Notes()
        answers = read_answers(Options(*where, maximum, key, attempts, gaps), notes)
        if len(answers.items) < 2:
            raise ValueError(ONE_ITEM)
        counts = np.bincount(answers.student, minlength=len(answers.order))
        few = counts < min_answers
        self.left_out = {"students": int(few.sum()), "answers": int(counts[few].sum())}
        if few.any():
            notes.warn(
                f"{few.sum()} students, with {counts[few].sum()} answers, are in no "
                f"split, each with fewer than {min_answers=}; {(~few).sum()} are"
            )
        self.items = answers.items
        self._item, self._score = answers.item, answers.score
        # Who is in which split does not depend on the order of the file's rows.
        place = np.cumsum(counts > 0) - 1
        self._eligible = place[answers.order[~few[answers.order]]]
        counts = counts[counts > 0]
        self._start = np.concatenate([[0], np.cumsum(counts)])
        self.rows = np.minimum.reduceat(answers.row, self._start[:-1])
        self.binary = bool(np.isin(self._score, [0, 1]).all())
        if self._score.min() == self._score.max():
            notes.warn(f"every score is {self._score[0]:g}: nothing to predict")
        self.notes = [*notes]
        for text in notes.loud:
            warnings.warn(text, stacklevel=2)

    @cached_property
    def splits(self) -> dict[str, np.ndarray]:
        """The students of each split, places in ``rows``; a ValueError below four."""
        kept = len(self._eligible)
        if kept < MIN_STUDENTS:
            few = self.left_out["students"]
            raise ValueError(
                f"student: expected at least {MIN_STUDENTS} students, each with "
                f"min_answers={self._min_answers} or more, got {kept}; {few} have fewer"
            )
        return {k: self._eligible[v] for k, v in split_students(kept).items()}

    def table(self) -> np.ndarray:
        """Every student's shares, float32 [M, J], a row per student, NaN for no answer.

        M are the students of ``rows``, also those that are in no split; J are the
        ``items``. Of repeated answers, which only ``time`` allows, the last counts.
        """
        table = np.full((len(self.rows), len(self.items)), np.nan, np.float32)
        student = np.repeat(np.arange(len(self.rows)), np.diff(self._start))
        table[student, self._item] = self._score
        return table

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
        order = None if self._in_order else rng
        return known_and_asked(self._item, self._score, start, count, shots, order)
