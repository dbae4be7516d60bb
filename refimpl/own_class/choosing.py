"""Which reader to use: each forecasts answers that were hidden from it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from refimpl.own_class.rivals import MANY, Reader
from refimpl.own_class.tables import shuffled

FOLDS = 5  # each hides a fifth of every student's answers


class Trial(NamedTuple):
    """What was ``hidden`` from a reader, a mask [M, J], and its ``forecast`` [M, J]."""

    hidden: np.ndarray
    forecast: np.ndarray


def folds(scores: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """In which fifth each of ``scores`` [M, J] is: a student's are dealt evenly.

    From -1, where there is none, to 4. Raises a TypeError if ``rng`` is no generator.
    """
    rank = shuffled(scores, rng) + rng.integers(FOLDS, size=(len(scores), 1))
    return np.where(np.isnan(scores), -1, rank % FOLDS)


def tried(
    reader: Callable[[np.ndarray], Reader],
    scores: np.ndarray,
    rng: np.random.Generator,
) -> list[Trial]:
    """What ``reader`` makes of ``scores`` [M, J], each fifth of them hidden by turns.

    From 100 students on only one fifth: so many are enough, and methods take longer.
    ``rng`` deals the answers out.
    """
    fold, trials = folds(scores, rng), []
    for k in range(FOLDS if len(scores) < MANY else 1):
        hidden = fold == k
        made = reader(np.where(hidden, np.nan, scores)).forecast
        trials.append(Trial(hidden, made))
    return trials


def student_losses(trials: list[Trial], scores: np.ndarray) -> np.ndarray:
    """Each student's mean log-loss of hidden answers, [M]; NaN if none was hidden.

    Of what was hidden of ``scores`` [M, J] in ``trials``. For shares of points it is
    the cross-entropy, which is least at the right forecast, too. Forecasts are cut at
    .005 and .995.
    """
    total, count = np.zeros(len(scores)), np.zeros(len(scores))
    for hidden, forecast in trials:
        p = forecast.clip(0.005, 0.995)
        loss = -scores * np.log(p) - (1 - scores) * np.log(1 - p)
        total += np.where(hidden, loss, 0).sum(axis=1)
        count += hidden.sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def one_standard_error(losses: dict[str, np.ndarray]) -> str:
    """The first of ``losses``, unless another is better by more than a standard error.

    Each [M], of the same students, whose differences have the standard error. (Breiman,
    Friedman, Olshen & Stone 1984 prefer the simplest model in this way.)
    """
    first = next(iter(losses))
    best = min(losses, key=lambda name: np.nanmean(losses[name]))
    gap = losses[first] - losses[best]
    gap = gap[~np.isnan(gap)]
    error = gap.std(ddof=1) / math.sqrt(len(gap)) if len(gap) > 1 else math.inf
    return best if gap.mean() > error else first
