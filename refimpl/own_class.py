"""A teacher's own class: forecasts from any model, intervals, items worth asking next.

Scores are tables [M, J], a row per student and a column per item, NaN where there is no
answer. A *predictor* is any function from a TaskBatch to predictions [M, Q, 1].
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

from refimpl.maml import binary_cross_entropy, mse, predict
from refimpl.students import NUM_STEPS, StudentModel, learn, summed
from refimpl.tasks import TaskBatch

Predictor = Callable[[TaskBatch], np.ndarray]
ENOUGH = 20.0  # known answers; from about here more of them move a student no further


def score_table(answers: TaskBatch, items: int) -> np.ndarray:
    """Scores [M, J] of all observed answers; of repeated ones, the last counts."""
    student, x, y = answers.observed()
    scores = np.full((len(answers), items), np.nan, np.float32)
    scores[student, x[:, 0].astype(int)] = y[:, 0]
    return scores


def draw_known(
    scores: np.ndarray, known: int | np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Mask [M, J]: ``known`` of each student's answers (or all, if fewer) at random."""
    order = np.where(np.isnan(scores), 2, rng.random(scores.shape)).argsort(axis=1)
    rank = order.argsort(axis=1)
    return (rank < np.reshape(known, (-1, 1))) & ~np.isnan(scores)


def reveal(scores: np.ndarray, known: np.ndarray) -> TaskBatch:
    """Known answers as support sets, and all J items, in order, as queries.

    ``known`` is a mask [M, J]. The query mask is 1 for the answers that are not known,
    so that only they count in a loss.
    """
    count = known.sum(axis=1)
    item = np.argsort(~known, axis=1, kind="stable")[:, : max(1, count.max())]
    mask = (np.arange(item.shape[1]) < count[:, None]).astype(np.float32)
    filled = np.nan_to_num(scores).astype(np.float32)
    every = np.broadcast_to(np.arange(scores.shape[1], dtype=np.float32), scores.shape)
    return TaskBatch(
        (item * mask)[..., None].astype(np.float32),
        (np.take_along_axis(filled, item, axis=1) * mask)[..., None],
        mask,
        every[..., None].copy(),
        filled[..., None],
        (~known & ~np.isnan(scores)).astype(np.float32),
    )


def conformal(errors: np.ndarray, confidence: float) -> float:
    """The width that a new student's error stays within, with this probability.

    ``errors`` are absolute and of n other students. If the new one is like them (if
    all n + 1 are exchangeable), its error is as likely to be the smallest as the
    largest, so that it exceeds the ceil((n + 1) confidence)-th smallest of theirs with
    a probability of at most 1 - confidence. Infinite if n is too small to say.
    """
    place = math.ceil((len(errors) + 1) * confidence - 1e-9)
    return float(np.sort(errors)[place - 1]) if place <= len(errors) else math.inf


def mean_errors(prediction: np.ndarray, batch: TaskBatch) -> np.ndarray:
    """Each student's mean query target minus its mean prediction: [M]."""
    left = (batch.query_y - prediction)[..., 0] * batch.query_mask
    return left.sum(axis=1) / batch.query_mask.sum(axis=1)


def student_losses(
    prediction: np.ndarray, batch: TaskBatch, binary: bool
) -> np.ndarray:
    """Each student's mean log-loss, or squared error, over the queries: [M]."""
    y = batch.query_y
    if binary:
        p = prediction.clip(1e-3, 1 - 1e-3)  # the shrunken mean can leave 0 to 1
        each = -np.where(y == 1, np.log(p), np.log(1 - p))
    else:
        each = (y - prediction) ** 2
    return (each[..., 0] * batch.query_mask).sum(axis=1) / batch.query_mask.sum(axis=1)


def hide(
    scores: np.ndarray, known: int, rng: np.random.Generator, hidden: int = 5
) -> TaskBatch | None:
    """Who has at least ``known + hidden`` answers, with all but ``known`` as queries.

    None if nobody has so many.
    """
    some = scores[(~np.isnan(scores)).sum(axis=1) >= known + hidden]
    return reveal(some, draw_known(some, known, rng)) if len(some) else None


@dataclass(frozen=True)
class Width:
    """How far a student's mean over h unknown answers may lie from the forecast's.

    Two things part them: the student's level is not quite known, and h answers vary by
    chance. So errors are counted in units of sqrt(level + answer / h); how many units
    to allow, ``factor``, is conformal.
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
    """The width after 5, 10, 20, 40, ... known answers.

    The units come from the students of ``train``, by moments, the factor from those of
    ``validation``, who took no part in training, by :func:`conformal`. Only numbers of
    known answers are listed for which enough students have others to be hidden.
    """
    widths, known = {}, 5
    while (seen := hide(train, known, rng)) and (new := hide(validation, known, rng)):
        made = predictor(seen)
        h = seen.query_mask.sum(axis=1)
        squares = ((seen.query_y - made)[..., 0] * seen.query_mask) ** 2
        answer = float(squares.sum() / h.sum())
        level = float(np.mean(mean_errors(made, seen) ** 2 - answer / h))
        unit = Width(max(level, 0.0), answer)
        errors = abs(mean_errors(predictor(new), new)) / unit(
            new.query_mask.sum(axis=1)
        )
        factor = conformal(errors, confidence)
        if factor < math.inf:
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

    Known scores count as they are, the others as predicted; only their share is
    uncertain. The width is that of the largest number of known answers in ``widths``
    that a student has; without one, the interval goes as far as ``bounds`` allow.
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


def worth_asking(
    predictor: Predictor,
    scores: np.ndarray,
    items: np.ndarray,
    noise: float | None = None,
) -> np.ndarray:
    """How much the answer to each of ``items`` would move the forecasts: [len(items)].

    ``scores`` [J] are one student's. For an item that has probability p of a right
    answer, both answers are tried, and the squared change of the forecasts of all
    *other* unanswered items is summed:

        worth_j = sum_y P(y) sum_i (p_i after y - p_i now)^2.

    For numeric scores ``noise`` is the standard deviation of a score around its
    forecast: y is then the forecast plus or minus it, each with probability 1/2.
    """
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
    noise: float | None = None,
    rng: np.random.Generator | None = None,
) -> np.ndarray:
    """What is known, a mask [M, J], after ``rounds`` more items of ``pool`` were asked.

    One at a time, each the one most :func:`worth_asking`, given the answers so far;
    with ``rng`` one at random. Of ``pool`` [M, J] only answered items can be asked.
    """
    known = known.copy()
    for own, mask, allowed in zip(scores, known, pool, strict=True):
        for _ in range(rounds):
            left = np.flatnonzero(allowed & ~mask & ~np.isnan(own))
            if rng is None:
                so_far = np.where(mask, own, np.nan)
                best = worth_asking(predictor, so_far, left, noise).argmax()
            else:
                best = rng.integers(len(left))
            mask[left[best]] = True
    return known


def meta_learned(
    scores: np.ndarray, binary: bool, *, iterations: int = 600, seed: int = 0
) -> Predictor:
    """A student model, meta-trained on the students of ``scores``, as a predictor.

    In each iteration 32 students are drawn, and for each a share of the answers, from
    none to nearly all, is known. Scores that are not right or wrong are standardized.
    """
    center, spread = (0.0, 1.0) if binary else (np.nanmean(scores), np.nanstd(scores))
    spread = max(spread, 1e-6)
    scaled = (scores - center) / spread
    answered = ~np.isnan(scores)
    # As in item_means, one more answer, the mean of all, is counted in.
    total = np.nansum(scaled, axis=0) + np.nanmean(scaled)
    easiness = total / (answered.sum(axis=0) + 1)
    if binary:
        easiness = np.log(easiness / (1 - easiness))
    model = StudentModel(easiness, context=2, embedding=4, width=16, seed=seed)
    plain = binary_cross_entropy if binary else mse

    def loss_fn(prediction: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        return plain(prediction, target, mask) / (1 + mask.sum() / ENOUGH)

    def draw(rng: np.random.Generator) -> TaskBatch:
        some = rng.choice(len(scores), min(32, len(scores)), replace=False)
        count = answered[some].sum(axis=1)
        known = (rng.random(len(some)) * count).astype(int)
        return reveal(scaled[some], draw_known(scaled[some], known, rng))

    fast_lr = 0.4 if binary else 0.1
    rates = learn(
        model, draw, loss_fn, fast_lr=fast_lr, iterations=iterations, seed=seed
    )()
    rates = {
        name: rate if rate is None else rate.detach() for name, rate in rates.items()
    }
    params: dict[str, Tensor] = dict(model.named_parameters())

    def predictor(batch: TaskBatch) -> np.ndarray:
        y = (batch.support_y - center) / spread * batch.support_mask[..., None]
        batch = replace(batch, support_y=y.astype(np.float32))
        steps = predict(model, params, batch, summed(loss_fn), NUM_STEPS, fast_lr=rates)
        out = steps[-1]
        return 1 / (1 + np.exp(-out)) if binary else center + spread * out

    return predictor
