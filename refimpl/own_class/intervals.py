"""How sure a forecast is: split-conformal intervals of a student's mean."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from refimpl.own_class.tables import hide, mean_errors
from refimpl.tasks import Predictor


def conformal(errors: np.ndarray, confidence: float) -> float:
    """The width that a new student's error stays within, as often as ``confidence``.

    ``errors`` [n] are absolute and of n other students. If the new one is like them (if
    all n + 1 are exchangeable), its error is as likely to be the smallest as the
    largest, so that it exceeds the ceil((n + 1) confidence)-th smallest of theirs with
    a probability of at most 1 - confidence. Infinite if n is too small to say.
    Raises a ValueError unless errors are finite and confidence is between 0 and 1.
    """
    if not np.isfinite(errors).all():
        raise ValueError("errors: expected finite numbers")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence: expected between 0 and 1, got {confidence}")
    place = math.ceil((len(errors) + 1) * confidence - 1e-9)
    return float(np.sort(errors)[place - 1]) if place <= len(errors) else math.inf


@dataclass(frozen=True)
class Width:
    """How far a student's mean over h unknown answers may lie from the forecast's.

    Two things part them: the student's level is not quite known, with the variance
    ``level``, and h answers vary by chance, each with the variance ``answer`` around
    its forecast. So errors are counted in units of sqrt(level + answer / h); how many
    units to allow, ``factor``, is conformal. Called with ``h`` [...], it returns widths
    [...].
    """

    level: float  # the variance of what is not known of a student's level
    answer: float  # that of one answer around its forecast
    factor: float = 1.0

    def __call__(self, h: np.ndarray | int) -> np.ndarray:
        return self.factor * np.sqrt(self.level + self.answer / np.maximum(h, 1))


def calibrate(
    predictor: Predictor,
    train: np.ndarray,
    validation: np.ndarray,
    confidence: float,
    rng: np.random.Generator,
) -> dict[int, Width]:
    """The width of ``predictor``'s forecasts after 5, 10, 20, 40, ... known answers.

    The units come from the students of ``train`` [M, J], by moments, the factor from
    those of ``validation`` [M', J], who took no part in training, by :func:`conformal`.
    Only numbers of known answers are listed for which a third of the latter have others
    to be hidden, and are enough for ``confidence``.
    """
    widths, known = {}, 5
    while (seen := hide(train, known, rng)) and (new := hide(validation, known, rng)):
        made = predictor(seen)
        h = seen.query_mask.sum(axis=1)
        squares = ((seen.query_y - made)[..., 0] * seen.query_mask) ** 2
        answer = float(squares.sum() / h.sum())
        level = float(np.mean(mean_errors(made, seen) ** 2 - answer / h))
        unit = Width(max(level, 0.0), max(answer, 1e-9))
        errors = abs(mean_errors(predictor(new), new)) / unit(
            new.query_mask.sum(axis=1)
        )
        factor = conformal(errors, confidence)
        if factor < math.inf and 3 * len(new) >= len(validation):
            widths[known] = replace(unit, factor=factor)
        known *= 2
    return widths


def mastery(
    prediction: np.ndarray,
    scores: np.ndarray,
    widths: dict[int, Width],
    bounds: tuple[float, float],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each student's mean over all items, and the interval's lower and upper end: [M].

    Known ``scores`` [M, J] count as they are, the others as predicted; only their share
    is uncertain. ``prediction`` is [M, J, 1]. The width is that of the largest number
    of known answers in ``widths`` that a student has; without one, the interval goes as
    far as ``bounds`` allow.
    """
    unknown = np.isnan(scores)
    h, items = unknown.sum(axis=1), scores.shape[1]
    sure = np.nansum(scores, axis=1) / items
    expected = np.where(unknown, prediction[..., 0], 0).sum(axis=1) / items
    width = np.full(len(scores), math.inf)
    for known, own in sorted(widths.items()):
        width = np.where(items - h >= known, own(h), width)
    off = np.where(h > 0, width, 0.0) * h / items
    low, high = (sure + h / items * bound for bound in bounds)
    level = (sure + expected).clip(low, high)
    return level, (level - off).clip(low), (level + off).clip(None, high)
