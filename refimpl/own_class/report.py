"""A report about a class: what is known, what is expected, what to ask next."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from refimpl.own_class.asking import to_ask, worth_asking
from refimpl.own_class.choosing import one_standard_error, student_losses, tried
from refimpl.own_class.intervals import cv_plus, mastery, units
from refimpl.own_class.page import ClassReport, Student
from refimpl.own_class.reading import LARGE, LEAST
from refimpl.own_class.rivals import MANY, readers

PAGES = 100  # at most, of those with the fewest answers


def _check_class(
    scores: np.ndarray, items: Sequence[str], rows: Sequence[int] | np.ndarray
) -> None:
    """Raise a ValueError unless a class is what :func:`class_report` expects."""
    if scores.ndim != 2 or scores.shape != (len(rows), len(items)):
        raise ValueError(
            f"scores: expected [{len(rows)} rows, {len(items)} items], "
            f"got {list(scores.shape)}"
        )
    if scores.shape[0] < LEAST or scores.shape[1] < 2:
        raise ValueError(
            f"scores: expected {LEAST} students or more and 2 items or more, "
            f"got {scores.shape[0]} and {scores.shape[1]}"
        )
    known = ~np.isnan(scores)
    if not ((scores[known] >= 0) & (scores[known] <= 1)).all():
        raise ValueError("scores: expected numbers from 0 to 1, or NaN")
    if not (known.sum(axis=1) > 1).any():
        raise ValueError("scores: expected a student with two answers or more")


def class_report(
    scores: np.ndarray,
    items: Sequence[str],
    rows: Sequence[int] | np.ndarray,
    notes: Sequence[str] = (),
    *,
    seed: int = 0,
    progress: Callable[[Iterable], Iterable] = iter,
) -> ClassReport:
    """Compare readers on hidden answers, forecast by the chosen one, find questions.

    ``scores`` [M, J] are a class's, from 0 to 1, NaN where there is no answer;
    ``items`` are the J names, ``rows`` [M] where each student stands in the file.
    ``notes`` are of the file's reading, and stand in the report as they are.
    ``progress`` wraps what is long, such as ``tqdm``. Raises a ValueError if there are
    fewer than five students or two items, nobody has two answers, or a score is not
    from 0 to 1.
    """
    _check_class(scores, items, rows)
    binary = bool(np.isin(scores[~np.isnan(scores)], (0, 1)).all())
    every, rng = readers(len(scores), binary), np.random.default_rng(seed)
    some = np.sort(rng.permutation(len(scores))[:LARGE])  # enough to compare by
    trials = {
        name: tried(reader, scores[some], np.random.default_rng(seed))
        for name, reader in progress(every.items())
    }
    losses = {name: student_losses(t, scores[some]) for name, t in trials.items()}
    chosen = one_standard_error(losses)
    if len(some) < len(scores):
        trials[chosen] = tried(every[chosen], scores, np.random.default_rng(seed))
    reader = every[chosen](scores)
    if min(scores.shape) < LEAST:
        ends, origin = None, ""
    elif reader.ends is not None:
        ends = reader.ends
        origin = "classes of this size that the class model was calibrated on"
    else:
        ends = cv_plus(trials[chosen], scores)
        origin = "this class's own hidden answers (CV+)"
    levels = mastery(scores, reader.forecast, ends)
    noise = None if binary else float(np.sqrt(sum(units(trials[chosen], scores))))
    least_known = np.argsort((~np.isnan(scores)).sum(axis=1), kind="stable")[:PAGES]
    asks = {}
    if len(scores) >= MANY:  # in fewer no rule is better than chance
        asks = {
            i: to_ask(worth_asking(reader, i, scores[i], noise))
            for i in progress(least_known.tolist())
        }
    students = [
        Student(
            int(rows[i]),
            scores[i],
            reader.forecast[i],
            level=float(levels[i, 0]),
            low=float(levels[i, 1]),
            high=float(levels[i, 2]),
            ask=asks.get(i, ()),
            page=i in least_known,
        )
        for i in range(len(scores))
    ]
    means = {name: float(np.nanmean(loss)) for name, loss in losses.items()}
    return ClassReport([*items], students, means, chosen, origin, [*notes])
