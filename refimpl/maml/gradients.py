"""The meta-gradient of one iteration, eager or compiled."""

import math
from collections.abc import Callable
from operator import itemgetter
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from refimpl.checks import check_count
from refimpl.maml.arguments import FastLr
from refimpl.maml.compiled import Trained, compiled
from refimpl.tasks import TaskBatch

#: More unrolled steps than this take PyTorch minutes to compile.
MOST_COMPILED = 10


def meta_gradient(
    model: nn.Module,
    trained: Trained,
    objective: Callable[..., Tensor],
    fast_lr: FastLr,
    tasks_at_once: int | None,
    compile: bool,
    **settings: Any,
) -> Callable[[TaskBatch], Tensor]:
    """A function that fills every .grad of ``trained`` and returns the losses [M].

    The gradient is that of their mean. ``objective`` gets ``model``, with all its
    parameters, ``settings``, and ``fast_lr`` or what this module returns;
    ``tasks_at_once`` and ``compile`` are as for :func:`meta_train`, with its errors.
    """
    moved = [p for named in trained.values() for p in named.values()]
    every = dict(model.named_parameters())

    def share(trained: Trained, some: Any, tasks: int) -> tuple[Tensor, Tensor]:
        """What ``some`` of a batch's ``tasks`` add to the mean; and their losses."""
        rates: Any = fast_lr
        if isinstance(fast_lr, nn.Module):
            rates = functional_call(fast_lr, trained["fast_lr"], ())
        params = every | trained["model"]
        losses = objective(model, params, some, fast_lr=rates, **settings)
        size = len(some.query_mask)
        if not isinstance(losses, Tensor) or losses.shape != (size,):
            got = getattr(losses, "shape", type(losses).__name__)
            raise TypeError(f"objective: expected a tensor of {size} losses, got {got}")
        return losses.sum() / tasks, losses

    def eager(some: TaskBatch, tasks: int) -> Tensor:
        mean, losses = share(trained, some, tasks)
        mean.backward()
        return losses.detach()

    if compile:
        check_count("num_steps", settings["num_steps"], 0, MOST_COMPILED)
    backward = compiled(share, trained) if compile else eager
    unused: list[Tensor] | None = None  # it is the first iteration that shows them

    def gradient(batch: TaskBatch) -> Tensor:
        nonlocal unused
        for parameter in moved:
            parameter.grad = None
        tasks, size = len(batch), tasks_at_once or len(batch)
        parts = [slice(i, i + size) for i in range(0, tasks, size)]
        some = [batch.map(itemgetter(p)) for p in parts] if len(parts) > 1 else [batch]
        step = eager if unused is None else backward
        losses = torch.cat([step(own, tasks) for own in some])
        if unused is None:
            unused = [p for p in moved if p.grad is None]
            rates = trained.get("fast_lr", {}).values()
            if rates and all(rate.grad is None for rate in rates):
                raise ValueError("fast_lr: expected an objective that trains its rates")
        for parameter in unused:  # compiled, they get zeros, which some optimizers use
            parameter.grad = None
        return losses

    return gradient


def check_parameters(moved: list[Tensor]) -> None:
    """Raise a FloatingPointError if a parameter of ``moved`` [...] is not finite."""
    if not all(parameter.isfinite().all() for parameter in moved):
        raise FloatingPointError(
            "meta_train: the parameters are not finite after the last iteration; try "
            "a smaller meta_lr"
        )


def mean_loss(iteration: int, losses: Tensor, moved: list[Tensor]) -> float:
    """The mean of the tasks' ``losses`` [M].

    Raises a FloatingPointError that names the ``iteration`` if it, or the .grad of one
    of the parameters ``moved`` [...], is NaN or infinite.
    """
    if not math.isfinite(mean := losses.mean().item()):
        tasks = (~losses.isfinite()).nonzero().flatten().tolist()
        raise FloatingPointError(
            f"meta_train: the loss is not finite at iteration {iteration}, for tasks "
            f"{tasks} of the batch; try a smaller fast_lr or meta_lr"
        )
    gradients = [p.grad for p in moved if p.grad is not None]
    if not math.isfinite(torch.nn.utils.get_total_norm(gradients)):
        raise FloatingPointError(
            f"meta_train: the meta-gradient is not finite at iteration {iteration}, "
            "though the loss is; look for a square root or a logarithm at 0"
        )
    return mean
