"""The meta-gradient of one iteration, eager or compiled."""

import math
from collections.abc import Callable
from operator import itemgetter
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad

from refimpl.checks import check_count
from refimpl.maml.arguments import FastLr, Params
from refimpl.tasks import TaskBatch

Trained = dict[str, Params]  #: what the outer loop moves, of "model" and "fast_lr"
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
    frozen = {n: p for n, p in model.named_parameters() if not p.requires_grad}

    def share(trained: Trained, some: Any, tasks: int) -> tuple[Tensor, Tensor]:
        """What ``some`` of a batch's ``tasks`` add to the mean; and their losses."""
        rates: Any = fast_lr
        if isinstance(fast_lr, nn.Module):
            rates = functional_call(fast_lr, trained["fast_lr"], ())
        params = frozen | trained["model"]
        losses = objective(model, params, some, fast_lr=rates, **settings)
        return losses.sum() / tasks, losses

    def eager(some: TaskBatch, tasks: int) -> Tensor:
        mean, losses = share(trained, some, tasks)
        mean.backward()
        return losses.detach()

    backward = _compiled(share, trained, settings["num_steps"]) if compile else eager

    def gradient(batch: TaskBatch) -> Tensor:
        for parameter in moved:
            parameter.grad = None
        tasks, size = len(batch), tasks_at_once or len(batch)
        parts = [slice(i, i + size) for i in range(0, tasks, size)]
        some = [batch.map(itemgetter(p)) for p in parts] if len(parts) > 1 else [batch]
        return torch.cat([backward(own, tasks) for own in some])

    return gradient


def _compiled(
    share: Callable, trained: Trained, num_steps: int
) -> Callable[[TaskBatch, int], Tensor]:
    """``share`` with its gradient, compiled: adds to every .grad, returns losses."""
    check_count("num_steps", num_steps, 0, MOST_COMPILED)
    # At each call PyTorch would ask whether any of some hundred functions of modules,
    # its own and ours, has been replaced: a tenth of the time.
    keep: dict[str, Any] = {
        "guard_filter_fn": torch.compiler.skip_guard_on_globals_unsafe
    }
    gradients = torch.compile(grad(share, has_aux=True), options=keep)

    def backward(some: TaskBatch, tasks: int) -> Tensor:
        from torch._dynamo.exc import TorchDynamoException  # takes seconds to import

        now = {k: {n: p.detach() for n, p in v.items()} for k, v in trained.items()}
        tensors = {k: torch.as_tensor(a) for k, a in vars(some).items()}
        arrays = SimpleNamespace(**tensors)  # a TaskBatch, but for its checks
        try:
            grads, losses = gradients(now, arrays, tasks)
        except TorchDynamoException as error:
            raise RuntimeError(
                "compile: PyTorch could not compile the step. It needs a C++ compiler, "
                "such as g++; without one, leave compile=False"
            ) from error
        for prefix, named in trained.items():
            for name, parameter in named.items():
                own = grads[prefix][name]
                parameter.grad = own if parameter.grad is None else parameter.grad + own
        return losses

    return backward


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
