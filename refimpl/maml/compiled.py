"""The meta-gradient compiled by PyTorch, for networks of many small operations."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor
from torch.func import grad

from refimpl.maml.arguments import Params
from refimpl.tasks import TaskBatch

Trained = dict[str, Params]  #: what the outer loop moves, of "model" and "fast_lr"


def compiled(
    share: Callable[..., Any], trained: Trained
) -> Callable[[TaskBatch, int], Tensor]:
    """A function of some tasks and the number of all that returns the former's losses.

    It adds the gradient of ``share`` to the .grad of all that is ``trained`` [...].
    Raises a RuntimeError if PyTorch cannot compile it.
    """

    def whole(trained: Trained, some: Any, tasks: int) -> Any:
        return grad(share, has_aux=True)(trained, some, tasks)

    # PyTorch compiles one code eight times, and then no more: this run has its own.
    whole.__code__ = whole.__code__.replace()
    options: dict[str, Any] = {"guard_filter_fn": _of_users}
    gradients = torch.compile(whole, options=options)

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


def _of_users(guards: Any) -> list[bool]:
    """Which of the things that a compiled function rests on are asked at each call.

    Not the functions of PyTorch and of this package: there are hundreds of them.
    """
    fixed = ("G['__import_torch", "G['__import_refimpl")
    return [not guard.name.startswith(fixed) for guard in guards]
