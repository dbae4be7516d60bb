"""Intervals that hold four fifths of students' means: learned, then calibrated."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from refimpl.context.tables import student_means
from refimpl.maml.over_tasks import as_tensors
from refimpl.tasks import TaskBatch

LEVEL = 0.8  #: how many of the means an interval should hold


def interval_loss(found: Tensor, x: Tensor, y: Tensor, mask: Tensor) -> Tensor:
    """Pinball loss of intervals' ends, a class's mean over students: [M].

    Of what the model ``found`` [M, S, 3], against each student's mean of the asked
    answers ``y`` [M, Q, 1] of ``x`` [M, Q, 2] where ``mask`` [M, Q] is 1. A mean of n
    right or wrong answers goes in steps of 1 / n: it is taken as spread evenly over its
    step, so that quantiles are not coarse.
    """
    mean, count = student_means(x, y, mask, found.shape[1])
    ends = found[..., :1] + found[..., 1:] * torch.tensor([-1.0, 1.0])
    marked = ((y[..., 0] * (1 - y[..., 0]) * mask) > 0).any(1)  # in points
    step = torch.where(marked[:, None], 1e-3, 1 / count.clamp(min=1))[..., None]
    level = torch.tensor([(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    off = mean[..., None] - ends
    below = torch.where(
        off.abs() < step / 2, (step / 2 - off) ** 2 / (2 * step), (-off).clamp(min=0)
    )
    loss = torch.where(count[..., None] > 0, level * off + below, 0.0).sum(2)
    return loss.sum(1) / (count > 0).sum(1).clamp(min=1)


def calibrate(model: nn.Module, batches: Iterable[TaskBatch]) -> None:
    """Stretch the intervals of ``model`` so that they cover as many as they should.

    By students of ``batches`` that it was not trained on: their interval would hold
    the mean if it were so many times as wide, and four fifths of these numbers are
    below the stretch (split conformal; Romano, Patterson & Candes 2019).
    """
    needed = []
    for batch in batches:
        *inputs, query_y, query_mask = as_tensors(batch, dict(model.named_parameters()))
        with torch.no_grad():
            _, found = model(*inputs, query_mask)
        mean, count = student_means(inputs[3], query_y, query_mask, found.shape[1])
        off = mean - found[..., 0]
        side = torch.where(off < 0, found[..., 1], found[..., 2])
        needed.append((off.abs() / side)[count > 0])
    model.stretch.fill_(torch.cat(needed).quantile(LEVEL))
