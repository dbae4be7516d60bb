"""The same for every task: side by side, or one after the other."""

from collections.abc import Callable
from dataclasses import fields

import torch
from torch import Tensor
from torch.func import vmap

from refimpl.checks import check_count
from refimpl.maml.exact import exact
from refimpl.maml.inner import Params
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
    :func:`torch.func.vmap`; a number, so many at a time, in less memory; False, a plain
    loop, slower, for models that vmap cannot take. A TypeError if ``batch`` is no
    TaskBatch.
    """
    tensors = as_tensors(batch, params)
    if not isinstance(vectorize, bool):
        check_count("vectorize", vectorize, 1)
    with exact():
        if not vectorize:
            each = [one_task(*own) for own in zip(*tensors, strict=True)]
            return torch.stack(each, dim=out_dims)
        several = None if vectorize is True else vectorize
        side_by_side = vmap(
            one_task, out_dims=out_dims, randomness="different", chunk_size=several
        )
        try:
            return side_by_side(*tensors)
        except RuntimeError as error:
            error.add_note(
                "refimpl.maml computes tasks side by side, by torch.func.vmap. What "
                "that cannot take, vectorize=False can, one task after the other"
            )
            raise


def as_tensors(batch: TaskBatch, params: Params) -> list[Tensor]:
    """The six arrays of ``batch``, as tensors [M, ...] on the device of ``params``.

    Numbers get their type, integers stay integers. A TypeError if it is no TaskBatch.
    """
    if not all(hasattr(batch, name) for name in NAMES):
        raise TypeError(f"batch: expected a TaskBatch, got {type(batch).__name__}")
    like = next(iter(params.values()))
    arrays = [getattr(batch, name) for name in NAMES]
    tensors = [torch.as_tensor(array, device=like.device) for array in arrays]
    return [t.to(like.dtype if t.is_floating_point() else torch.int64) for t in tensors]
