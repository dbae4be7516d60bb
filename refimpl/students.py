"""A model of students: what all have in common, and a small vector that is the student.

CAVIA (:class:`refimpl.maml.WithContext`) for items: the vector alone adapts to a
student's known answers, everything else is meta-learned over many students.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from refimpl.maml import binary_cross_entropy, meta_train, mlp, predict
from refimpl.maml.arguments import FastLr, LossFn, Params, Rates
from refimpl.tasks import TaskBatch

NUM_STEPS = 3


class StudentModel(nn.Module):
    """How student c meets item j: b_j + a_j . c + net(e_j, c), a logit or a score.

    The first two terms are item response theory: b_j says how easy the item is, a_j
    how much it depends on what; the network adds what they cannot say. c, the
    ``context``, starts at 0 in every task, and is all that adapts.

    Called with x [K, 1], item numbers, or [K, 2], item numbers and the options
    chosen, it returns [K, 1]. An option, from 1 to ``options``, has a slope of its own,
    added to a_j: *which* wrong answer was given then moves c too. Option 0 is
    "not told", as for every query.

    Parameters
    ----------
    easiness : [J] floats
        Where each b_j starts: the item's mean logit or score over *training* students.
    options : int
        How many options an item has; 0 if x has no second column.
    context, embedding, width : int
        The sizes of c, of e_j and of the network's hidden layer.
    seed : int
        From which all else starts.
    """

    def __init__(
        self,
        easiness: np.ndarray,
        options: int = 0,
        *,
        context: int = 6,
        embedding: int = 12,
        width: int = 64,
        seed: int,
    ) -> None:
        super().__init__()
        items, rng = len(easiness), torch.Generator().manual_seed(seed)
        slopes = 0.1 * torch.randn(items, context, generator=rng)
        slopes[:, 0] += 0.7  # at first, one ability that helps with every item
        self.easiness = nn.Parameter(torch.as_tensor(easiness, dtype=torch.float32))
        self.slopes = nn.Parameter(slopes)
        self.option_slopes = nn.Parameter(torch.zeros(items, options + 1, context))
        self.embedding = nn.Parameter(
            0.3 * torch.randn(items, embedding, generator=rng)
        )
        self.net = mlp(embedding + context, width, 1, activation=nn.Tanh, seed=seed)
        self.context = nn.Parameter(torch.zeros(context), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        item, c = x[:, 0].long(), self.context
        slope = self.slopes[item]
        if x.shape[1] == 2:
            option = x[:, 1].long()
            told = (option > 0).to(x.dtype)[:, None]
            slope = slope + told * self.option_slopes[item, option]
        joined = torch.cat([self.embedding[item], c.expand(len(item), -1)], dim=1)
        return (self.easiness[item] + slope @ c)[:, None] + self.net(joined)


class ContextRates(nn.Module):
    """One learned inner rate, from ``initial`` > 0 on (or ValueError), for each number
    of the context of ``model``; all else holds still."""

    def __init__(self, model: StudentModel, initial: float) -> None:
        super().__init__()
        self.names = [name for name, _ in model.named_parameters()]
        if not initial > 0:
            raise ValueError(f"initial: expected a rate greater than 0, got {initial}")
        size = model.context.shape
        self.log_rates = nn.Parameter(torch.full(size, math.log(initial)))

    def forward(self) -> Rates:
        return dict.fromkeys(self.names) | {"context": self.log_rates.exp()}


def summed(loss_fn: LossFn) -> LossFn:
    """The sum of ``loss_fn`` over observed examples: ten answers then move the student
    twice as far as five, since more is more evidence."""
    return partial(_summed, loss_fn)  # its repr, in a checkpoint, says of which loss


def _summed(loss_fn, prediction, target, mask):
    return loss_fn(prediction, target, mask) * mask.sum()


def learn(
    model: StudentModel,
    draw: Callable[[np.random.Generator], TaskBatch],
    loss_fn: LossFn,
    *,
    fast_lr: float = 0.4,
    iterations: int = 3000,
    seed: int,
) -> ContextRates:
    """Meta-train ``model`` in place; return the inner rates that it learned.

    A third of the ``iterations`` each with Adam's rate at 0.003, 0.001 and 0.0003.
    ``draw`` gives one iteration's students, ``fast_lr`` is where the inner rates start:
    the larger the slopes of the loss, the smaller it has to be. Inner and outer steps
    both lower ``loss_fn``, :func:`summed` over a student's examples.
    """
    rates = ContextRates(model, fast_lr)
    stages = [0.003, 0.001, 0.0003]
    for stage, meta_lr in enumerate(stages):
        meta_train(
            model,
            draw,
            NUM_STEPS,
            rates,
            meta_lr,
            iterations=(iterations + stage) // len(stages),  # none is lost
            seed=len(stages) * seed + stage,
            loss_fn=summed(loss_fn),
        )
    return rates


def forecast(
    model: StudentModel, rates: FastLr, batch: TaskBatch, loss_fn: LossFn
) -> np.ndarray:
    """Every query's prediction, [M, Q, 1], after adapting to ``batch``'s support sets.

    With ``binary_cross_entropy`` a probability, else a score. ``rates`` are what
    :func:`learn` returned, or a dict, as :func:`refimpl.maml.adapt` takes it.
    """
    params: Params = dict(model.named_parameters())
    out = predict(model, params, batch, summed(loss_fn), NUM_STEPS, fast_lr=rates)[-1]
    return 1 / (1 + np.exp(-out)) if loss_fn is binary_cross_entropy else out
