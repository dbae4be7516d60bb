"""How well the adapted model predicts: the query sets, after each inner step."""

import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from refimpl.maml.arguments import LossFn, Params, check_loss_fn
from refimpl.maml.check_model import check_learner
from refimpl.maml.forward import forward, score
from refimpl.maml.inner import inner_loop
from refimpl.maml.losses import mse
from refimpl.maml.over_tasks import as_tensors, each, over_tasks
from refimpl.tasks import TaskBatch


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
        As :func:`adapt`, :func:`check_learner` and :func:`over_tasks`, before any task
        is adapted to.
    """
    inner |= {"loss_fn": loss_fn, "num_steps": num_steps}
    _check(model, params, batch, inner)
    return _predictions(model, params, batch, vectorize, inner)


def evaluate(
    model: nn.Module,
    params: Params,
    batch: TaskBatch,
    loss_fn: LossFn = mse,
    num_steps: int = 1,
    *,
    metric: LossFn | None = None,
    vectorize: bool | int = True,
    **inner: Any,
) -> np.ndarray:
    """Each task's query loss after 0, 1, ..., ``num_steps`` inner steps.

    Arguments as for :func:`predict`; ``metric``, such as :func:`accuracy`, is what
    predictions are judged by, if it is not ``loss_fn``. Returns an array
    [num_steps + 1, M], whose mean over axis 1 is the curve of error against steps.

    Raises
    ------
    TypeError, ValueError
        As :func:`predict`, and as early; also if a task has no observed query, as it
        has no error, or if ``metric`` returns no scalar tensor.
    """
    inner |= {"loss_fn": loss_fn, "num_steps": num_steps}
    *_, query_x, _, query_mask = as_tensors(batch, params)
    if empty := (query_mask.sum(dim=1) == 0).nonzero().flatten().tolist():
        raise ValueError(f"batch: expected queries of each task, none of {empty}")
    check_loss_fn("metric", metric)
    _check(model, params, batch, inner)
    name, judge = ("metric", metric) if metric else ("loss_fn", loss_fn)

    def judged(predictions, target, mask):
        return torch.stack([score(judge, p, target, mask, name) for p in predictions])

    with torch.no_grad():
        start = torch.as_tensor(_array(forward(model, params, query_x[0])))
    *_, target, mask = as_tensors(batch, {"like": start})  # float32 for bfloat16
    each(judged, [start[None, None], target[:1], mask[:1]], 1, vectorize)
    predictions = torch.as_tensor(_predictions(model, params, batch, vectorize, inner))
    rows = [predictions.swapaxes(0, 1), target, mask]
    return each(judged, rows, 1, vectorize).numpy()


def _check(model: nn.Module, params: Params, batch: TaskBatch, inner: Any) -> None:
    """Raise, before any task is adapted to, what ``inner_loop`` and the model would."""
    x, y, mask = (t[0] for t in as_tensors(batch, params)[:3])
    next(inner_loop(model, params, x, y, mask, **inner))
    check_learner(model, params, batch, inner["loss_fn"])


def _predictions(
    model: nn.Module, params: Params, batch: TaskBatch, vectorize: Any, inner: Any
) -> np.ndarray:
    """What :func:`predict` returns, with its warning."""

    def one_task(x, y, mask, query_x, query_y, query_mask):
        steps = inner_loop(model, params, x, y, mask, **inner)
        return torch.stack([forward(model, adapted, query_x) for adapted in steps])

    with torch.no_grad():
        made = over_tasks(one_task, batch, params, out_dims=1, vectorize=vectorize)
    out = _array(made)
    if (bad := ~np.isfinite(out).all(axis=tuple(range(2, out.ndim)))).any():
        warnings.warn(
            f"predictions: not finite for {bad.any(axis=0).sum()} of {bad.shape[1]} "
            f"tasks, from step {bad.any(axis=1).argmax()} on; try a smaller fast_lr",
            RuntimeWarning,
            stacklevel=3,
        )
    return out


def _array(made: Tensor) -> np.ndarray:
    exactly = made.dtype in (torch.float32, torch.float64)
    return (made if exactly else made.float()).cpu().numpy()
