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
    frozen = {n: p for n, p in model.named_parameters() if not p.requires_grad}

    def value(trained: Trained, batch: Any) -> tuple[Tensor, Tensor]:
        rates: Any = fast_lr
        if isinstance(fast_lr, nn.Module):
            rates = functional_call(fast_lr, trained["fast_lr"], ())
        params = frozen | trained["model"]
        losses = objective(model, params, batch, fast_lr=rates, **settings)
        return losses.mean(), losses

    def eager(batch: TaskBatch) -> Tensor:
        mean, losses = value(trained, batch)
        mean.backward()
        return losses.detach()

    if not compile:
        return eager
    check_count("num_steps", settings["num_steps"], 0, MOST_COMPILED)
    gradients = torch.compile(grad(value, has_aux=True))

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
        for prefix, named in trained.items():
            for name, parameter in named.items():
                parameter.grad = grads[prefix][name]
        return losses

    return compiled


def check_finite(iteration: int, losses: Tensor, moved: list[Tensor]) -> None:
    """Raise a FloatingPointError if ``losses`` [M] or a .grad is NaN or infinite.

    ``iteration`` is named; ``moved`` are the parameters [...] that have gradients.
    """
    if not losses.isfinite().all():
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
