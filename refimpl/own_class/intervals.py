"""How sure a forecast is: intervals of the mean of a student's open answers."""

from __future__ import annotations

import math

import numpy as np

from refimpl.own_class.choosing import Trial

CONFIDENCE = 0.8


def conformal(errors: np.ndarray, confidence: float) -> float:
    """The width that a new student's error stays within, as often as ``confidence``.

    ``errors`` [n] are those of n other students. If the new one is like them (if all
    n + 1 are exchangeable), its error is as likely to be the smallest as the largest,
    so that it exceeds the ceil((n + 1) confidence)-th smallest of theirs with a
    probability of at most 1 - confidence. Infinite if n is too small to say. Raises a
    ValueError unless errors are finite and confidence is between 0 and 1.
    """
    if not np.isfinite(errors).all():
        raise ValueError("errors: expected finite numbers")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence: expected between 0 and 1, got {confidence}")
    place = math.ceil((len(errors) + 1) * confidence - 1e-9)
    if place > len(errors):
        return math.inf
    return float(np.partition(errors, place - 1)[place - 1])


def units(trials: list[Trial], scores: np.ndarray) -> tuple[float, float]:
    """Two variances: of what is not known of a student's level, and of one answer.

    A mean of h answers misses its forecast by sqrt(level + answer / h), about. By
    moments, from the answers of ``scores`` [M, J] that were hidden in ``trials``.
    """
    squares, count, level = 0.0, 0, []
    for hidden, forecast in trials:
        miss = np.where(hidden, scores - forecast, 0)
        squares, count = squares + (miss**2).sum(), count + hidden.sum()
    answer = max(squares / max(count, 1), 1e-9)
    for off, h in (means(trial, scores) for trial in trials):
        level.append(off**2 - answer / h)
    return max(float(np.concatenate(level).mean()), 0.0), answer


def means(trial: Trial, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """By how much the mean of a student's hidden answers missed, and of how many: [n].

    Of the n students of whom some of ``scores`` [M, J] were hidden in ``trial``.
    """
    h = trial.hidden.sum(axis=1)
    off = np.where(trial.hidden, scores - trial.forecast, 0).sum(axis=1)
    return off[h > 0] / h[h > 0], h[h > 0]


def cv_plus(
    trials: list[Trial], scores: np.ndarray, confidence: float = CONFIDENCE
) -> np.ndarray:
    """Ends [M, 2] of intervals of the mean of students' open answers, by CV+.

    From a class's ``scores`` [M, J], and the ``trials`` of a reader on it. Barber,
    Candes, Ramdas & Tibshirani (2021): every trial's own forecast for a student, plus
    and minus each miss of that trial; the ends are quantiles of these sums. So every
    student serves for forecasts and for calibration. Misses are counted in units of
    :func:`units`, since a mean of few answers misses by more. NaN where nothing is
    open, 0 to 1 where the misses are too few for ``confidence``. Raises a ValueError
    unless that is between 0 and 1.
    """
    level, answer = units(trials, scores)
    open_ = np.isnan(scores)
    h = open_.sum(axis=1)
    own = np.sqrt(level + answer / np.maximum(h, 1))
    centers, misses = [], []
    for trial in trials:
        off, hidden = means(trial, scores)
        misses.append(np.sort(abs(off) / np.sqrt(level + answer / hidden)))
        mean = np.where(open_, trial.forecast, 0).sum(axis=1) / np.maximum(h, 1)
        centers.append(mean)
    ends = np.full((len(scores), 2), np.nan)
    for i in np.flatnonzero(h):
        for side, sign in enumerate((-1, 1)):
            sums = [
                sign * c[i] + own[i] * m for c, m in zip(centers, misses, strict=True)
            ]
            ends[i, side] = sign * conformal(np.concatenate(sums), confidence)
    return ends.clip(0, 1)


def mastery(
    scores: np.ndarray, forecast: np.ndarray, ends: np.ndarray | None
) -> np.ndarray:
    """Each student's mean over all items, and its interval's two ends: [M, 3].

    Known ``scores`` [M, J] count as they are, the others as ``forecast`` [M, J]; only
    the share of the latter is uncertain, by ``ends`` [M, 2] of their mean. Without
    them, the ends are NaN where something is open.
    """
    open_ = np.isnan(scores)
    h, items = open_.sum(axis=1), scores.shape[1]
    sure = np.nansum(scores, axis=1)
    level = (sure + np.where(open_, forecast, 0).sum(axis=1)) / items
    if ends is None:
        ends = np.full((len(scores), 2), np.nan)
    low, high = np.where(h > 0, (sure + h * ends.T) / items, level)
    return np.stack([level, np.minimum(low, level), np.maximum(high, level)], axis=1)
