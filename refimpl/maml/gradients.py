"""The meta-gradient of one iteration, eager or compiled."""

import math
from collections.abc import Callable
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
    compile: bool,
    **settings: Any,
) -> Callable[[TaskBatch], Tensor]:
    """A function that fills every .grad of ``trained`` and returns the losses [M].

    The gradient is that of their mean. ``objective`` gets ``model``, with all its
    parameters, ``settings``, and ``fast_lr`` or what this module returns; ``compile``
    is as for :func:`meta_train`, with its errors.
    """
    moved = [p for named in trained.values() for p in named.values()]
    frozen = {n: p for n, p in model.named_parameters() if not p.requires_grad}

    def value(trained: Trained, batch: Any) -> tuple[Tensor, Tensor]:
        rates: Any = fast_lr
        if isinstance(fast_lr, nn.Module):
            rates = functional_call(fast_lr, trained["fast_lr"], ())
        params = frozen | trained["model"]
        losses = objective(model, params, batch, fast_lr=rates, **settings)
        return losses.mean(), losses

    def eager(batch: TaskBatch) -> Tensor:
        for parameter in moved:
            parameter.grad = None
        mean, losses = value(trained, batch)
        mean.backward()
        return losses.detach()

    if not compile:
        return eager
    check_count("num_steps", settings["num_steps"], 0, MOST_COMPILED)
    # At each call PyTorch would ask whether any of some hundred functions of modules,
    # its own and ours, has been replaced: a tenth of the time.
    keep: dict[str, Any] = {
        "guard_filter_fn": torch.compiler.skip_guard_on_globals_unsafe
    }
    gradients = torch.compile(grad(value, has_aux=True), options=keep)

    def compiled(batch: TaskBatch) -> Tensor:
        from torch._dynamo.exc import TorchDynamoException  # takes seconds to import

        now = {k: {n: p.detach() for n, p in v.items()} for k, v in trained.items()}
        tensors = {k: torch.as_tensor(a) for k, a in vars(batch).items()}
        arrays = SimpleNamespace(**tensors)  # a TaskBatch, but for its checks
        try:
            grads, losses = gradients(now, arrays)
        except TorchDynamoException as error:
            raise RuntimeError(
                "compile: PyTorch could not compile the step. It needs a C++ compiler, "
                "such as g++; without one, leave compile=False"
            ) from error
        found = [g for named in grads.values() for g in named.values()]
        for parameter, gradient in zip(moved, found, strict=True):
            parameter.grad = gradient
        return losses

    return compiled


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
