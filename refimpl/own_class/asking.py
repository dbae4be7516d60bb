"""Which item to ask next: the one whose answer would move the forecasts most."""

from __future__ import annotations

import numpy as np

from refimpl.own_class.tables import reveal
from refimpl.tasks import Predictor


def worth_asking(
    predictor: Predictor,
    scores: np.ndarray,
    items: np.ndarray,
    noise: float | None = None,
) -> np.ndarray:
    """How much the answer to each of ``items`` would move the forecasts: [len(items)].

    ``scores`` [J] are one student's, ``predictor`` forecasts. For an item that has
    probability p of a right answer, both answers are tried, and the squared change of
    the forecasts of all *other* unanswered items is summed:

        worth_j = sum_y P(y) sum_i (p_i after y - p_i now)^2.

    For numeric scores ``noise`` is the standard deviation of a score around its
    forecast: y is then the forecast plus or minus it, each with probability 1/2.
    """
    if len(items) == 0:
        return np.zeros(0)
    now = predictor(reveal(scores[None], ~np.isnan(scores[None])))[0, :, 0]
    p = now[items]
    answers, weights = np.array([0 * p, 0 * p + 1]), np.array([1 - p, p]).clip(0, 1)
    if noise is not None:
        answers, weights = np.array([p - noise, p + noise]), np.full((2, len(p)), 0.5)
    asked = np.tile(scores, (2, len(items), 1))
    asked[:, np.arange(len(items)), items] = answers
    flat = asked.reshape(-1, len(scores))
    after = predictor(reveal(flat, ~np.isnan(flat)))[..., 0].reshape(asked.shape)
    return (weights * ((after - now) ** 2 * np.isnan(asked)).sum(axis=2)).sum(axis=0)


def ask_on(
    predictor: Predictor,
    scores: np.ndarray,
    known: np.ndarray,
    pool: np.ndarray,
    rounds: int,
    rng: np.random.Generator | None = None,
) -> np.ndarray:
    """What is known, a mask [M, J], after ``rounds`` more items of ``pool`` were asked.

    One at a time, each the one most :func:`worth_asking`, given the answers so far;
    with ``rng`` one at random. ``scores`` [M, J] are right or wrong, ``known`` [M, J]
    is the mask to begin with; of ``pool`` [M, J] only answered items can be asked.
    ``predictor`` says what is to be expected. Raises a ValueError if a student has
    fewer items left than ``rounds``.
    """
    known = known.copy()
    for own, mask, allowed in zip(scores, known, pool, strict=True):
        for _ in range(rounds):
            left = np.flatnonzero(allowed & ~mask & ~np.isnan(own))
            if not left.size:
                raise ValueError(
                    f"rounds: expected fewer than {rounds}: no item is left"
                )
            if rng is None:
                so_far = np.where(mask, own, np.nan)
                best = worth_asking(predictor, so_far, left).argmax()
            else:
                best = rng.integers(len(left))
            mask[left[best]] = True
    return known
