"""Intervals that hold four fifths of students' means: learned, then calibrated."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from refimpl.context.tables import student_means
from refimpl.maml.over_tasks import as_tensors
from refimpl.tasks import TaskBatch

LEVEL = 0.8  #: how many of the means an interval should hold


def ends_of(found: Tensor, stretch: float | Tensor = 1.0) -> Tensor:
    """The ends [M, S, 2] of intervals, ``stretch`` times as wide as ``found``.

    What a class model found [M, S, 3]: a mean, and how far to go below and above it.
    """
    mean, below, above = found.unbind(2)
    return torch.stack([mean - stretch * below, mean + stretch * above], dim=2)


def interval_loss(found: Tensor, x: Tensor, y: Tensor, mask: Tensor) -> Tensor:
    """Pinball loss of intervals' ends, a class's mean over students: [M].

    Of what the model ``found`` [M, S, 3], against each student's mean of the asked
    answers ``y`` [M, Q, 1] of ``x`` [M, Q, 2] where ``mask`` [M, Q] is 1. A mean of n
    right or wrong answers goes in steps of 1 / n: it is taken as spread evenly over its
    step, so that quantiles are not coarse. Raises a ValueError if an answer is not from
    0 to 1.
    """
    mean, count = student_means(x, y, mask, found.shape[1])
    told = torch.where(mask == 1, y[..., 0], 0)
    marked = (told * (1 - told) > 0).any(1)  # in points
    step = torch.where(marked[:, None], 1e-3, 1 / count.clamp(min=1))[..., None]
    level = found.new_tensor([(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    off = mean[..., None] - ends_of(found)
    below = torch.where(
        off.abs() < step / 2, (step / 2 - off) ** 2 / (2 * step), (-off).clamp(min=0)
    )
    loss = torch.where(count[..., None] > 0, level * off + below, 0.0).sum(2)
    return loss.sum(1) / (count > 0).sum(1).clamp(min=1)


def calibrate(model: nn.Module, batches: Iterable[TaskBatch]) -> None:
    """Stretch the intervals of ``model`` so that they cover as many as they should.

    By students of ``batches`` that it was not trained on: their interval would hold
    the mean if it were so many times as wide, and four fifths of these numbers are at
    most the stretch (split conformal; Romano, Patterson & Candes 2019). To be done
    again after further training.

    Raises
    ------
    TypeError, ValueError
        If ``model`` is no ClassModel, or forecasts NaN; if the batches do not ask about
        four students or more, which is the least for such a number.
    """
    check_reader(model)
    needed = []
    for batch in [batches] if isinstance(batches, TaskBatch) else batches:
        *inputs, query_y, query_mask = as_tensors(batch, dict(model.named_parameters()))
        with torch.no_grad():
            _, found = model(*inputs, query_mask)
        mean, count = student_means(inputs[3], query_y, query_mask, found.shape[1])
        off = mean - found[..., 0]
        side = torch.where(off < 0, found[..., 1], found[..., 2])
        needed.append((off.abs() / side)[count > 0])
    every = torch.cat(needed) if needed else torch.empty(0)
    rank = math.ceil((len(every) + 1) * LEVEL)
    if rank > len(every):
        raise ValueError(
            "batches: expected answers asked of four students or more, got "
            f"{len(every)} students"
        )
    if not every.isfinite().all():
        raise ValueError("model: expected finite forecasts, got NaN")
    model.get_buffer("stretch").fill_(every.sort().values[rank - 1])


def check_reader(model: nn.Module) -> None:
    """Raise a TypeError unless ``model`` has intervals, as a ClassModel does."""
    if not hasattr(model, "stretch"):
        raise TypeError(f"model: expected a ClassModel, got {type(model).__name__}")
