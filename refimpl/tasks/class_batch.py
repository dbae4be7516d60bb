"""Classes' tables as tasks: which answers are known, and which are asked."""

from __future__ import annotations

import numpy as np

from refimpl.tasks.batch import TaskBatch


def class_batch(
    answers: np.ndarray, known: np.ndarray, asked: np.ndarray | None = None
) -> TaskBatch:
    """Classes as tasks: inputs are (student, item), targets the answers.

    Parameters
    ----------
    answers : [M, S, I]
        From 0 (wrong, or no points) to 1. Where an answer is neither known nor asked,
        anything, NaN included.
    known, asked : [M, S, I], bool or 0 and 1
        What the support set shows and the query set asks; without ``asked``, all else.

    Returns
    -------
    TaskBatch
        With K = Q = S I places, one for each cell of the table, row by row.

    Raises
    ------
    ValueError
        If shapes differ or a table is empty, ``known`` or ``asked`` has anything but 0
        and 1, an answer is both known and asked, or one of these is not from 0 to 1.
    TypeError
        If ``answers`` are no numbers, or an array is masked: a mask would be lost.
    """
    given = {"answers": answers, "known": known, "asked": asked}
    arrays = {n: _array(n, a) for n, a in given.items() if a is not None}
    answers, known = arrays["answers"], arrays["known"]
    asked = arrays.get("asked", 1 - known)
    for name, array in arrays.items():
        if array.ndim != 3 or array.shape != answers.shape or not array.size:
            raise ValueError(
                f"{name}: expected [classes, students, items], as answers "
                f"{answers.shape}, got {array.shape}"
            )
        if name != "answers" and not np.isin(array, [0, 1]).all():
            raise ValueError(f"{name}: expected only 0 and 1")
    used = (known == 1) | (asked == 1)
    if ((known == 1) & (asked == 1)).any():
        raise ValueError("asked: expected no answer that is known, too")
    if not ((answers[used] >= 0) & (answers[used] <= 1)).all():
        raise ValueError("answers: expected numbers from 0 to 1 where known or asked")
    classes, students, items = answers.shape
    cells = np.stack(np.divmod(np.arange(students * items), items), axis=1)
    x = np.tile(cells.astype(np.float32), (classes, 1, 1))
    y = np.where(used, answers, 0).astype(np.float32).reshape(classes, -1, 1)
    masks = [m.astype(np.float32).reshape(classes, -1) for m in (known, asked)]
    return TaskBatch(x, y * masks[0][..., None], masks[0], x.copy(), y, masks[1])


def _array(name: str, given: np.ndarray) -> np.ndarray:
    """``given`` as numbers, or a TypeError that names it."""
    array = np.asarray(given)
    if np.ma.isMaskedArray(given) or array.dtype.kind not in "buif":
        raise TypeError(f"{name}: expected an array of numbers, got {type(given)}")
    return array.astype(float)


def gaps(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Which answers are known, bool of ``shape`` [M, S, I]: of no class none, or all.

    In a third of the classes students differ in how many of their answers are known, in
    a third items do.
    """
    classes, students, items = shape
    share = rng.uniform(0.04, 0.96, (classes, 1, 1))
    logit = np.log(share / (1 - share))
    for own in ((classes, students, 1), (classes, 1, items)):
        uneven = 1.5 * (rng.random((classes, 1, 1)) < 1 / 3)
        logit = logit + uneven * rng.normal(size=own)
    known = rng.random(shape) < 1 / (1 + np.exp(-logit))
    cells = known.reshape(classes, -1)
    place = rng.integers(cells.shape[1], size=classes)
    cells[cells.all(axis=1), place[cells.all(axis=1)]] = False
    cells[~cells.any(axis=1), place[~cells.any(axis=1)]] = True
    return known
