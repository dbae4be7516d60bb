"""Test answers without meta-learning: means, and item response theory.

Each baseline ends in a function from a TaskBatch to the probability [M, Q, 1] that a
query's answer is right; it looks at the support sets and the query inputs alone.
``train`` are training students, whose answers are all used; ``items`` is the number J
of items.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refimpl.baselines.item_fit import (
    ItemPriors,
    fit_items,
    item_means,
    normalized,
    outcomes,
)
from refimpl.tasks import Predictor, TaskBatch


@dataclass(frozen=True, eq=False)
class ShrunkenLevel:
    """An item's mean, plus a share of the student's mean lead over K known ones.

    The share is K t2 / (K t2 + s2): the more answers, the more they are trusted.
    Called with a ``batch``, it predicts.
    """

    items: np.ndarray  #: each item's mean, [J]
    between: float  #: t2, the variance of students' levels
    within: float  #: s2, that of one answer around its student's level

    def __call__(self, batch: TaskBatch) -> np.ndarray:
        known = batch.support_y - self.items[batch.support_x[..., :1].astype(int)]
        total = (known[..., 0] * batch.support_mask).sum(axis=1)
        shots = batch.support_mask.sum(axis=1)
        own = self.between * total / (shots * self.between + self.within)
        return self.items[batch.query_x[..., :1].astype(int)] + own[:, None, None]


def item_mean(train: TaskBatch, items: int) -> Predictor:
    """Everyone answers an item as the mean of all: nothing about the student."""
    means = item_means(train, items)
    return lambda batch: means[batch.query_x[..., :1].astype(int)]


def shrunken_student_mean(train: TaskBatch, items: int) -> ShrunkenLevel:
    """The item's mean, plus a share of how far the student's answers lay above theirs.

    The variances are moments of ``train``. It is a linear rule: for right and wrong a
    prediction may leave the range from 0 to 1. Raises a ValueError if no student of
    ``train`` has two answers.
    """
    means = item_means(train, items)
    student, x, y = train.observed()
    residual = y[:, 0] - means[x[:, 0].astype(int)]
    _, student, n = np.unique(student, return_inverse=True, return_counts=True)
    if (n < 2).all():
        raise ValueError("train: expected a student with 2 answers or more")
    return ShrunkenLevel(means, *variances(student, residual))


def variances(group: np.ndarray, value: np.ndarray) -> tuple[float, float]:
    """Of groups' means t2, and within groups s2: moments of ``value`` [M].

    ``group`` [M] is the number of each value's group, such as a student or a school.
    """
    count = np.bincount(group)
    there = count > 0
    mean = np.bincount(group, value) / np.maximum(count, 1)
    within = ((value - mean[group]) ** 2).sum() / (len(value) - there.sum())
    between = np.mean(mean[there] ** 2 - within / count[there])
    return max(float(between), 0.0), max(float(within), 1e-9)


def item_response(
    train: TaskBatch,
    items: int,
    dims: int = 1,
    guessing: bool = False,
    options: int = 0,
    shared_slope: bool = False,
    priors: ItemPriors | None = None,
) -> Predictor:
    """Item response theory: P(right) = c_j + (1 - c_j) sigmoid(a_j . theta + b_j).

    The two-parameter model of Birnbaum (1968) has c_j = 0; ``guessing`` makes it the
    three-parameter model, with a weak prior on c_j. With ``options``, wrong answers
    choose among them by a softmax that is linear in theta, for batches whose inputs
    tell which: a nested logit model (Suh & Bolt 2010). With ``shared_slope``, all a_j
    are one: the one-parameter model (Rasch 1960), for few students. So are ``priors``
    of items, weak ones or from other tests (:func:`item_priors`): below a few hundred
    students maximum likelihood alone is much worse.

    Items are fitted by marginal maximum likelihood (Bock & Aitkin 1981), over a grid
    of abilities theta ~ N(0, I) in ``dims`` dimensions. For a student the support set
    turns this into a posterior on the grid, and the prediction is the posterior's mean
    of P(right), which is a little better than P at the posterior's mean (EAP).
    Raises a ValueError if ``dims`` is neither 1 nor 2.
    """
    fitted = fit_items(train, items, dims, guessing, options, shared_slope, priors)
    right = np.exp(fitted.logs.reshape(items, 2 + options, -1)[:, 0].T)  # [P, J]

    def predict(batch: TaskBatch) -> np.ndarray:
        known = outcomes(batch, items, options, support_only=True)
        posterior = normalized(known @ fitted.logs + fitted.log_prior)
        asked = batch.query_x[..., 0].astype(int)
        return np.take_along_axis(posterior @ right, asked, axis=1)[..., None]

    return predict
