"""The same for every task: side by side, or one after the other."""

from collections.abc import Callable, Sequence
from dataclasses import fields

import numpy as np
import torch
from torch import Tensor
from torch.func import vmap

from refimpl.checks import check_count
from refimpl.maml.arguments import Params
from refimpl.maml.exact import exact
from refimpl.tasks import TaskBatch

NAMES = [field.name for field in fields(TaskBatch)]


def over_tasks(
    one_task: Callable[..., Tensor],
    batch: TaskBatch,
    params: Params,
    out_dims: int = 0,
    *,
    vectorize: bool | int = True,
) -> Tensor:
    """``one_task`` of each task's six arrays, all M tasks of ``batch`` at once.

    The results [...] are stacked along axis ``out_dims``. Arrays become tensors like
    ``params``; integers stay integers. Dropout differs by task. The numbers are those
    of a loop over tasks, whatever ``vectorize`` says: True, all tasks by one
    :func:`torch.func.vmap`; a number, so many at a time, which saves memory where no
    gradient is taken (otherwise see ``tasks_at_once`` of meta_train); False, a plain
    loop, slower, for what vmap cannot take: recurrent layers, indexing by a mask, or
    Python that asks for a value, as ``.item()`` and ``if`` do.

    Raises
    ------
    TypeError, ValueError
        If ``batch`` is no TaskBatch, or ``vectorize`` is neither a bool nor a count.
    RuntimeError
        If vmap cannot take what a plain loop could.
    """
    return each(one_task, as_tensors(batch, params), out_dims, vectorize)


def each(
    function: Callable[..., Tensor],
    tensors: Sequence[Tensor],
    out_dims: int,
    vectorize: bool | int,
) -> Tensor:
    """``function`` of the M rows of all ``tensors`` [M, ...]; as :func:`over_tasks`."""
    if not isinstance(vectorize, bool):
        check_count("vectorize", vectorize, 1)
    with exact():
        if not vectorize:
            rows = [function(*row) for row in zip(*tensors, strict=True)]
            return torch.stack(rows, dim=out_dims)
        several = None if vectorize is True else vectorize
        side_by_side = vmap(
            function, out_dims=out_dims, randomness="different", chunk_size=several
        )
        if torch.compiler.is_compiling():
            return side_by_side(*tensors)
        try:
            return side_by_side(*tensors)
        except Exception as error:
            reason = error
        for row in zip(*tensors, strict=True):
            function(*row)  # raises what has nothing to do with vmap
    told = str(reason).partition("\n")[0].partition(". ")[0]
    raise RuntimeError(
        "model, loss_fn or metric: PyTorch cannot compute many tasks side by side "
        f"({told}); use vectorize=False, which takes one after the other "
        "(in meta_train, objective=partial(task_losses, vectorize=False))"
    ) from reason


def as_tensors(batch: TaskBatch, params: Params) -> list[Tensor]:
    """The six arrays of ``batch``, as tensors [M, ...] on the device of ``params``.

    Numbers get their type, integers stay integers. A TypeError if it is no TaskBatch.
    """
    if not all(hasattr(batch, name) for name in NAMES):
        raise TypeError(f"batch: expected a TaskBatch, got {type(batch).__name__}")
    like = next(p for p in params.values() if p.is_floating_point())
    arrays = [getattr(batch, name) for name in NAMES]
    if isinstance(arrays[0], np.ndarray):
        arrays = [np.ascontiguousarray(array) for array in arrays]  # if turned round
    tensors = [torch.as_tensor(array, device=like.device) for array in arrays]
    return [t.to(like.dtype if t.is_floating_point() else torch.int64) for t in tensors]
