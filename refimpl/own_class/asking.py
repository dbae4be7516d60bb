"""Which item to ask next: the one whose answer would move the forecasts most."""

from __future__ import annotations

import numpy as np

from refimpl.own_class.rivals import Reader

TELLS = 1.1  # times the middling item's worth, or the answers so far cannot tell


def worth_asking(
    reader: Reader, student: int, scores: np.ndarray, noise: float | None = None
) -> np.ndarray:
    """How much each open answer of a student would move the other forecasts: [J].

    ``scores`` [J] are those of the ``student``, as a place in the class of ``reader``.
    Where an answer is open and the reader expects it to be right with probability p,
    both answers are tried, and the squared change of the forecasts of all *other* open
    answers is summed:

        worth_j = sum_y P(y) sum_i (p_i after y - p_i now)^2.

    Known answers are worth NaN. For points ``noise`` is the standard deviation of a
    score around its forecast: y is then the forecast plus or minus it, each with
    probability 1/2.
    """
    items = np.flatnonzero(np.isnan(scores))
    worth = np.full(len(scores), np.nan)
    if len(items) == 0:
        return worth
    now = reader.after(student, scores[None])[0]
    p = now[items]
    answers, weights = np.array([0 * p, 0 * p + 1]), np.array([1 - p, p])
    if noise is not None:
        answers = np.array([p - noise, p + noise]).clip(0, 1)
        weights = np.full((2, len(p)), 0.5)
    rows = np.tile(scores, (2, len(items), 1))
    rows[:, np.arange(len(items)), items] = answers
    after = reader.after(student, rows.reshape(-1, len(scores))).reshape(rows.shape)
    moved = ((after - now) ** 2 * np.isnan(rows)).sum(axis=2)
    worth[items] = (weights * moved).sum(axis=0)
    return worth


def to_ask(worth: np.ndarray, most: int = 3) -> list[int]:
    """At ``most`` so many items of most ``worth`` [J]; none if they do not stand out.

    Where the model knows no difference between items, their worths differ by rounding,
    or not at all: the best must be worth a tenth more than the middling one.
    """
    if most < 1 or not np.isfinite(worth).sum() > 1:
        return [int(j) for j in np.flatnonzero(np.isfinite(worth))][:most]
    if not np.nanmax(worth) > TELLS * max(np.nanmedian(worth), 1e-12):
        return []
    order = np.argsort(-worth, kind="stable")
    return [int(j) for j in order[:most] if np.isfinite(worth[j])]
