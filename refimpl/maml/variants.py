"""Relatives of MAML, each as the few lines in which it differs.

Some differ in what adapts (``WithContext``), others in what the outer loop minimizes,
the ``objective`` of :func:`meta_train` (``reptile_losses``, ``multi_step_losses``);
those that differ in the inner rates are in :mod:`refimpl.maml.rates`.
"""

from typing import Any

import torch
from torch import Tensor, nn

from refimpl.checks import check_count
from refimpl.maml.arguments import LossFn, Params
from refimpl.maml.forward import forward, score
from refimpl.maml.inner import adapt, inner_loop
from refimpl.maml.losses import mse
from refimpl.maml.over_tasks import over_tasks
from refimpl.tasks import TaskBatch


class WithContext(nn.Module):
    """A network with a context vector, joined to each of its inputs.

    CAVIA (Zintgraf, Shiarlis, Kurin, Hofmann & Whiteson 2019): the context
    starts at 0 in every task, and it alone adapts, with
    ``fast_lr=only(model, ["context"], 1.0)``. It is frozen
    (``requires_grad`` is False), so the outer loop never moves it. ``net`` takes
    D + ``size`` inputs.
    """

    def __init__(self, net: nn.Module, size: int) -> None:
        super().__init__()
        self.net = net
        self.context = nn.Parameter(torch.zeros(size), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        context = self.context.expand(*x.shape[:-1], -1)
        return self.net(torch.cat([x, context], dim=-1))


def reptile_losses(
    model: nn.Module,
    params: Params,
    batch: TaskBatch,
    loss_fn: LossFn = mse,
    *,
    vectorize: bool | int = True,
    **inner: Any,
) -> Tensor:
    """Half the squared distance from theta to each task's adapted theta': [M].

    Theta' is taken for a constant, so the gradient is theta - theta', the
    direction of Reptile (Nichol, Achiam & Schulman 2018, algorithm 2). Support
    and query sets are adapted to together: there is nothing to judge. Arguments
    as for :func:`meta_loss`, ``vectorize`` as for :func:`over_tasks`.
    """
    start = {n: p.detach() for n, p in params.items()}

    def distance(x, y, mask, query_x, query_y, query_mask):
        pairs = (x, query_x), (y, query_y), (mask, query_mask)
        both = [torch.cat(pair) for pair in pairs]
        own = adapt(model, start, *both, loss_fn, **inner)
        return sum((p - own[n].detach()).square().sum() for n, p in params.items()) / 2

    return over_tasks(distance, batch, params, vectorize=vectorize)


def multi_step_losses(
    model: nn.Module,
    params: Params,
    batch: TaskBatch,
    loss_fn: LossFn = mse,
    num_steps: int = 1,
    *,
    vectorize: bool | int = True,
    **inner: Any,
) -> Tensor:
    """Each task's query loss, averaged over steps 1 to ``num_steps``: [M].

    The multi-step loss of MAML++ (Antoniou, Edwards & Storkey 2019), with equal
    weights. It asks for a good model after every step, not the last alone. Arguments
    as for :func:`meta_loss`, ``vectorize`` as for :func:`over_tasks`. Raises a
    ValueError if ``num_steps`` is below 1.
    """
    check_count("num_steps", num_steps, 1)

    def one_task(x, y, mask, query_x, query_y, query_mask):
        steps = inner_loop(
            model, params, x, y, mask, loss_fn, num_steps=num_steps, **inner
        )
        losses = [
            score(loss_fn, forward(model, adapted, query_x), query_y, query_mask)
            for adapted in steps
        ]
        return torch.stack(losses[1:]).mean()

    return over_tasks(one_task, batch, params, vectorize=vectorize)
