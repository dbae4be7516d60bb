"""A class is a task: some answers in its table are known, the others are asked.

A long module, for it checks what its sources can give before it draws.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from refimpl.checks import check_count, check_number, check_rng
from refimpl.tasks.batch import TaskBatch
from refimpl.tasks.class_batch import class_batch, gaps
from refimpl.tasks.class_worlds import passages, points, skills
from refimpl.tasks.responses import TESTS, ResponseTasks
from refimpl.tasks.splits import rows_of
from refimpl.tasks.subtraction import procedures

WORLDS = {
    "skills": skills,
    "passages": passages,
    "procedures": procedures,
    "points": points,
}

ITEM_CUTS = 50, 60  # of the quantitative test's 80 items, permuted with seed 0
EVERYTHING = {"skills": 4, "passages": 2, "procedures": 1, "points": 2}
EVERYTHING["quantitative"] = 6


class ClassTasks:
    """Classes of real tests and of made-up worlds.

    Real classes are people of the Swedish SAT (:class:`ResponseTasks`) who answer some
    of its items. The quantitative test's items are split as its people are, 50 for
    training, 10 for validation, 20 for the test: a test class shares neither with
    training. The verbal test has all of its 80 items in every split, and is meant never
    to be trained on. Made-up classes are always new, whatever the split.

    Parameters
    ----------
    sources : mapping of names to weights, optional
        How often a class is of "quantitative" or "verbal", the real ones, or of
        "skills", "passages", "procedures" or "points", those made up. The default is
        all but "verbal", two fifths of it "quantitative".

    Raises
    ------
    TypeError, ValueError
        If ``sources`` is no mapping, a source has no such name, a weight is negative or
        infinite, or none is above 0.
    """

    def __init__(self, sources: Mapping[str, float] = EVERYTHING) -> None:
        known = [*TESTS, *WORLDS]
        if not isinstance(sources, Mapping):
            raise TypeError(f"sources: expected names and weights, got {sources!r}")
        for name, weight in sources.items():
            if name not in known:
                raise ValueError(f"sources: expected some of {known}, got {name!r}")
            check_number(f"sources: {name}", weight, 0, 1e9)
        if not sum(sources.values()) > 0:
            raise ValueError("sources: expected a weight above 0")
        self.sources = dict(sources)
        self.tests = {name: ResponseTasks(name) for name in sources if name in TESTS}

    def answers(
        self, source: str, split: str, classes: int, students: int, items: int, rng
    ) -> np.ndarray:
        """Complete tables [M, S, I] of M = ``classes`` of one ``source``.

        The rest is as for :meth:`sample`, which draws from all.
        """
        if source not in self.sources:
            raise ValueError(
                f"source: expected one of {[*self.sources]}, got {source!r}"
            )
        check_rng(rng)
        if source not in TESTS:
            return WORLDS[source](classes, students, items, rng)
        test = self.tests[source]
        people, numbers = rows_of(test.splits, split), item_split(source, split)
        check_count("students", students, 1, len(people))
        check_count("items", items, 1, len(numbers))
        tables = [
            test.correct[
                np.ix_(
                    rng.choice(people, students, replace=False),
                    rng.choice(numbers, items, replace=False),
                )
            ]
            for _ in range(classes)
        ]
        return np.stack(tables)

    def sample(
        self,
        tasks: int,
        split: str,
        rng: np.random.Generator,
        students: int = 25,
        items: int = 15,
        known: float | None = None,
    ) -> TaskBatch:
        """Draw ``tasks`` classes of one size.

        Parameters
        ----------
        tasks : int
            M, from 1.
        split : "train", "validation" or "test"
        rng : np.random.Generator
            Where every random number comes from.
        students, items : int
            S and I, from 1 to as many as the split has.
        known : float, optional
            Each answer's chance to be known, from 0 to 1. Without it, the share is
            drawn for each class, and differs by student and by item in many.

        Returns
        -------
        TaskBatch
            As :func:`class_batch` makes it; classes of one source stand together.

        Raises
        ------
        TypeError, ValueError
            If an argument is not what is listed here.
        """
        tasks = check_count("tasks", tasks, 1)
        check_rng(rng)
        people = [len(rows_of(t.splits, split)) for t in self.tests.values()]
        numbers = [len(item_split(name, split)) for name in self.tests]
        item_split("quantitative", split)  # a split it must be, of made-up classes, too
        students = check_count("students", students, 1, min(people, default=None))
        items = check_count("items", items, 1, min(numbers, default=None))
        if known is not None:
            check_number("known", known, 0, 1)
        elif students * items < 2:
            raise ValueError("known: expected a share, for a class of one answer")
        weights = np.array([*self.sources.values()], float)
        counts = rng.multinomial(tasks, weights / weights.sum())
        answers = np.concatenate(
            [
                self.answers(source, split, count, students, items, rng)
                for source, count in zip(self.sources, counts, strict=True)
                if count
            ]
        )
        if known is None:
            return class_batch(answers, gaps(answers.shape, rng))
        return class_batch(answers, rng.random(answers.shape) < known)


def item_split(test: str, split: str) -> np.ndarray:
    """The numbers [m] of the items that classes of ``split`` are asked in ``test``."""
    order = np.random.default_rng(0).permutation(80)
    parts = np.split(order, ITEM_CUTS)
    named = dict(zip(("train", "validation", "test"), parts, strict=True))
    return rows_of(named, split) if test == "quantitative" else np.arange(80)
