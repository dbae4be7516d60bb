"""The student model of chapter 6.1, meta-learned on one class."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from torch import Tensor

from refimpl.maml import binary_cross_entropy, mse
from refimpl.own_class.tables import draw_known, reveal
from refimpl.students import StudentModel, forecast, learn
from refimpl.tasks import Predictor, TaskBatch

ENOUGH = 20.0  # known answers; from about here more of them move a student no further


def meta_learned(
    scores: np.ndarray, binary: bool, *, iterations: int = 600, seed: int = 0
) -> Predictor:
    """A student model, meta-trained on the students of ``scores`` [M, J]: a predictor.

    In each of the ``iterations`` 32 students are drawn, and for each a share of the
    answers, from none to nearly all, is known. Scores that are not right or wrong, as
    ``binary`` says, are standardized. Raises a ValueError if ``binary`` is not true.
    """
    if binary and not np.isin(scores[~np.isnan(scores)], (0, 1)).all():
        raise ValueError("scores: expected 0 and 1 only, since binary is True")
    center, spread = (0.0, 1.0) if binary else (np.nanmean(scores), np.nanstd(scores))
    spread = max(spread, 1e-6)
    scaled = (scores - center) / spread
    answered = ~np.isnan(scores)
    # As in item_means, one more answer, the mean of all, is counted in.
    total = np.nansum(scaled, axis=0) + np.nanmean(scaled)
    easiness = total / (answered.sum(axis=0) + 1)
    if binary:
        easiness = easiness.clip(1e-3, 1 - 1e-3)
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
    )

    def predictor(batch: TaskBatch) -> np.ndarray:
        y = (batch.support_y - center) / spread * batch.support_mask[..., None]
        scaled_batch = replace(batch, support_y=y.astype(np.float32))
        out = forecast(model, rates, scaled_batch, loss_fn)
        return 1 / (1 + np.exp(-out)) if binary else center + spread * out

    return predictor
