"""The outer loop's objective: an initialization is judged by the query sets."""

import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from refimpl.checks import check_count
from refimpl.maml.inner import LossFn, Params, adapt
from refimpl.maml.losses import mse
from refimpl.maml.over_tasks import as_tensors, over_tasks
from refimpl.tasks import TaskBatch


def meta_loss(
    model: nn.Module,
    params: Params,
    batch: TaskBatch,
    loss_fn: LossFn = mse,
    **inner: Any,
) -> Tensor:
    """The query loss after adapting, averaged over tasks: what MAML minimizes.

    (1/M) sum_i L_i(theta_i'; query_i), the meta-objective of Finn, Abbeel &
    Levine (2017), section 2.2, as a mean in place of their sum. Every task
    counts alike, however many queries it has; one without any counts as 0.

    Parameters
    ----------
    model, params, loss_fn
        As for :func:`adapt`.
    batch : TaskBatch
        M tasks, as NumPy arrays or tensors.
    **inner
        ``fast_lr``, ``num_steps`` and ``first_order``, handed to :func:`adapt`.

    Returns
    -------
    scalar tensor, differentiable with respect to ``params`` and to learned rates
    """
    return task_losses(model, params, batch, loss_fn, **inner).mean()


def task_losses(
    model: nn.Module,
    params: Params,
    batch: TaskBatch,
    loss_fn: LossFn = mse,
    *,
    vectorize: bool | int = True,
    **inner: Any,
) -> Tensor:
    """Each task's query loss after adapting to its support set: a tensor [M].

    Arguments as for :func:`meta_loss`, and ``vectorize`` as for :func:`over_tasks`.
    """

    def one_task(x, y, mask, query_x, query_y, query_mask):
        adapted = adapt(model, params, x, y, mask, loss_fn, **inner)
        prediction = functional_call(model, adapted, (query_x,))
        return loss_fn(prediction, query_y, query_mask)

    return over_tasks(one_task, batch, params, vectorize=vectorize)


def predict(
    model: nn.Module,
    params: Params,
    batch: TaskBatch,
    loss_fn: LossFn = mse,
    num_steps: int = 1,
    *,
    vectorize: bool | int = True,
    **inner: Any,
) -> np.ndarray:
    """Predict every query target after 0, 1, ..., ``num_steps`` inner steps.

    Arguments as for :func:`meta_loss`, ``vectorize`` as for :func:`over_tasks`; the
    query targets are not looked at. A model with dropout should be put in
    ``model.eval()`` first. Returns an array [num_steps + 1, M, Q, O]: row s has the
    predictions after s steps. A RuntimeWarning names the step from which some are
    infinite or NaN, as too large steps make them.

    Raises
    ------
    TypeError, ValueError
        If ``batch`` is no TaskBatch, or ``num_steps`` no count.
    """

    def one_task(x, y, mask, query_x, query_y, query_mask):
        adapted, predictions = params, [functional_call(model, params, (query_x,))]
        for _ in range(num_steps):
            adapted = adapt(model, adapted, x, y, mask, loss_fn, num_steps=1, **inner)
            predictions.append(functional_call(model, adapted, (query_x,)))
        return torch.stack(predictions)

    check_count("num_steps", num_steps, 0)
    with torch.no_grad():
        made = over_tasks(one_task, batch, params, out_dims=1, vectorize=vectorize)
        exactly = made.dtype in (torch.float32, torch.float64)
        out = (made if exactly else made.float()).cpu().numpy()
    if (bad := ~np.isfinite(out).all(axis=tuple(range(2, out.ndim)))).any():
        warnings.warn(
            f"predict: not finite for {bad.any(axis=0).sum()} of {bad.shape[1]} tasks, "
            f"from step {bad.any(axis=1).argmax()} on; try a smaller fast_lr",
            RuntimeWarning,
            stacklevel=2,
        )
    return out


def evaluate(
    model: nn.Module,
    params: Params,
    batch: TaskBatch,
    loss_fn: LossFn = mse,
    *,
    metric: LossFn | None = None,
    **inner: Any,
) -> np.ndarray:
    """Each task's query loss after 0, 1, ..., ``num_steps`` inner steps.

    Arguments as for :func:`predict`; ``metric``, such as :func:`accuracy`, is what
    predictions are judged by, if it is not ``loss_fn``. Returns an array
    [num_steps + 1, M], whose mean over axis 1 is the curve of error against steps.
    Raises ValueError if a task has no observed query: it has no error.
    """
    _, query_y, query_mask = (t.cpu() for t in as_tensors(batch, params)[3:])
    if empty := (query_mask.sum(dim=1) == 0).nonzero().flatten().tolist():
        raise ValueError(f"batch: expected queries of each task, none of {empty}")
    predictions = torch.as_tensor(predict(model, params, batch, loss_fn, **inner))
    losses = [vmap(metric or loss_fn)(p, query_y, query_mask) for p in predictions]
    return torch.stack(losses).numpy()
