"""Right and wrong answers to an admission test: a test taker is a task."""

from __future__ import annotations

import numpy as np

from refimpl.checks import check_count, check_rng
from refimpl.tasks.batch import TaskBatch
from refimpl.tasks.splits import draw_students, rows_of, split_students

TESTS = ("quantitative", "verbal")


class ResponseTasks:
    """The Swedish SAT: from a few answers of a person, predict the others.

    Each of the two tests has 80 items, answered by 5,000 people; the data come
    with the Python package ``irtorch``. The two tests were taken by *different*
    people, so there is no joining them. Input is the item's number, 0 to 79;
    target 1 for a right answer, 0 for a wrong one. An omitted answer is wrong.

    A person's support set is ``shots`` items drawn at random, the query set
    ``queries`` of the others. People are split: 3,500 for training, 750 for
    validation, 750 for the test.

    Parameters
    ----------
    test : "quantitative" or "verbal"
    options : bool
        Tell which option was chosen, too: inputs then have a second number, for
        known answers the option, 1 to 5, or 6 if it was omitted, and 0 for queries.

    Attributes
    ----------
    correct : float32 array [5000, 80]
        1 where the person's answer was right.
    choice : int8 array [5000, 80]
        The option chosen, 0 to 4; -1 if the answer was omitted.
    key : int8 array [80]
        The right option of each item.
    splits : dict of int arrays
        The people of each split, as rows of ``correct``.

    Raises
    ------
    ValueError
        If there is no such test.
    """

    def __init__(self, test: str = "quantitative", options: bool = False) -> None:
        if test not in TESTS:
            raise ValueError(f"test: expected one of {[*TESTS]}, got {test!r}")
        import irtorch.load_dataset  # loads PyTorch: only when the data are wanted

        choice, key = getattr(irtorch.load_dataset, f"swedish_sat_{test}")()
        self.options = options
        # The loader's documentation counts the key from 1; it counts from 0.
        self.choice = np.nan_to_num(choice.numpy(), nan=-1).astype(np.int8)
        self.key = np.array(key, dtype=np.int8)
        self.correct = (self.choice == self.key).astype(np.float32)
        self.splits = split_students(len(self.correct))

    def sample(
        self,
        tasks: int,
        shots: int,
        split: str,
        rng: np.random.Generator,
        queries: int = 40,
    ) -> TaskBatch:
        """Draw ``tasks`` different people of a split, and items for each.

        Parameters
        ----------
        tasks : int
            M, from 1 to the number of people in the split.
        shots : int, 0 to 79
            K, the number of known answers.
        split : "train", "validation" or "test"
        rng : np.random.Generator
            Where every random number comes from.
        queries : int, 1 to 80 - shots
            Q, how many of the other answers are asked.

        Returns
        -------
        TaskBatch
            Of shapes [M, K, 1] and [M, Q, 1], item and answer (with ``options`` inputs
            [M, K, 2] and [M, Q, 2]); every mask is 1. With ``shots=0`` there is one
            support place, and its mask is 0.

        Raises
        ------
        TypeError, ValueError
            If an argument is not what is listed here.
        """
        people = rows_of(self.splits, split)
        return self._batch(draw_students(people, tasks, rng), shots, rng, queries)

    def all(
        self, shots: int, split: str, rng: np.random.Generator, queries: int = 40
    ) -> TaskBatch:
        """Everyone of ``split``, once; only items are drawn. As :meth:`sample`."""
        check_rng(rng)
        return self._batch(rows_of(self.splits, split), shots, rng, queries)

    def _batch(
        self, rows: np.ndarray, shots: int, rng: np.random.Generator, queries: int
    ) -> TaskBatch:
        items = self.correct.shape[1]
        shots = check_count("shots", shots, least=0, most=items - 1)
        queries = check_count("queries", queries, least=1, most=items - shots)
        order = rng.permuted(np.tile(np.arange(items), (len(rows), 1)), axis=1)
        known, asked = order[:, : max(shots, 1)], order[:, shots : shots + queries]
        x, query_x = known[..., None], asked[..., None]
        if self.options:
            chosen = self.choice[rows[:, None], known] % 6 + 1  # omitted: 6
            x = np.stack([known, chosen], axis=2)
            query_x = np.stack([asked, np.zeros_like(asked)], axis=2)
        mask = np.full(known.shape, shots > 0, np.float32)
        return TaskBatch(
            (x * mask[..., None]).astype(np.float32),
            (self.correct[rows[:, None], known] * mask)[..., None],
            mask,
            query_x.astype(np.float32),
            self.correct[rows[:, None], asked][..., None],
            np.ones(asked.shape, np.float32),
        )
