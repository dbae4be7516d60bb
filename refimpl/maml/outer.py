"""The outer loop's objective: an initialization is judged by the query sets."""

from typing import Any

from torch import Tensor, nn

from refimpl.maml.arguments import LossFn, Params
from refimpl.maml.forward import forward, score
from refimpl.maml.inner import adapt
from refimpl.maml.losses import mse
from refimpl.maml.over_tasks import over_tasks
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
        prediction = forward(model, adapted, query_x)
        return score(loss_fn, prediction, query_y, query_mask)

    return over_tasks(one_task, batch, params, vectorize=vectorize)
