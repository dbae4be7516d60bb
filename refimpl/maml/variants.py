"""Relatives of MAML, each as the few lines in which it differs.

Some differ in the inner rates (``LearnedRates``, ``MetaSGD``, ``only``): ``fast_lr``
of :func:`adapt`; others in what the outer loop minimizes (``reptile_losses``,
``multi_step_losses``): ``objective`` of :func:`meta_train`.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from refimpl.checks import check_count
from refimpl.maml.inner import LossFn, Params, Rates, adapt
from refimpl.maml.losses import mse
from refimpl.maml.outer import over_tasks
from refimpl.tasks import TaskBatch


class LearnedRates(nn.Module):
    """One learned inner rate, above zero, for each parameter tensor of a model.

    Near the one per layer and step of Antoniou, Edwards & Storkey (2019). Kept
    as logarithms, which start at that of ``initial``, or ValueError if it is not
    above 0. Called, it returns the rates of ``model`` as ``adapt`` wants them.
    """

    def __init__(self, model: nn.Module, initial: float) -> None:
        super().__init__()
        if not initial > 0:
            raise ValueError(f"initial: expected a rate greater than 0, got {initial}")
        self.names = [name for name, _ in model.named_parameters()]
        self.log_rates = nn.Parameter(torch.full((len(self.names),), math.log(initial)))

    def forward(self) -> Params:
        return dict(zip(self.names, self.log_rates.exp(), strict=True))


class MetaSGD(nn.Module):
    """A learned inner rate for every single weight of ``model``, of either sign.

    Meta-SGD of Li, Zhou, Chen & Li (2017), equation (3); ``initial`` is where
    each rate starts.
    """

    def __init__(self, model: nn.Module, initial: float) -> None:
        super().__init__()
        self.names = [name for name, _ in model.named_parameters()]
        full = [torch.full_like(p, initial) for p in model.parameters()]
        self.rates = nn.ParameterList([nn.Parameter(rate) for rate in full])

    def forward(self) -> Params:
        return dict(zip(self.names, self.rates, strict=True))


def only(model: nn.Module, prefixes: Sequence[str], fast_lr: float) -> Rates:
    """Inner rates that let some parameters adapt and hold all others still.

    ANIL (Raghu, Raghu, Bengio & Vinyals 2020) adapts only the head:
    ``only(model, ["4."], 0.01)``. CAVIA adapts only a context, see
    :class:`WithContext`. Without a rate a parameter holds still; the outer
    loop moves it all the same. Raises a ValueError if there are no ``prefixes``, or
    no parameter's name starts with one of them.
    """
    params = dict(model.named_parameters())
    wrong = [s for s in prefixes if not any(name.startswith(s) for name in params)]
    if wrong or not prefixes:
        raise ValueError(
            f"prefixes: expected beginnings of {[*params]}, got {wrong or prefixes}"
        )
    start = tuple(prefixes)
    return {
        name: torch.tensor(fast_lr, dtype=p.dtype) if name.startswith(start) else None
        for name, p in params.items()
    }


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
    **inner: Any,
) -> Tensor:
    """Half the squared distance from theta to each task's adapted theta': [M].

    Theta' is taken for a constant, so the gradient is theta - theta', the
    direction of Reptile (Nichol, Achiam & Schulman 2018, algorithm 2). Support
    and query sets are adapted to together: there is nothing to judge. Arguments
    as for :func:`meta_loss`.
    """
    start = {n: p.detach() for n, p in params.items()}

    def distance(x, y, mask, query_x, query_y, query_mask):
        pairs = (x, query_x), (y, query_y), (mask, query_mask)
        both = [torch.cat(pair) for pair in pairs]
        own = adapt(model, start, *both, loss_fn, **inner)
        return sum((p - own[n].detach()).square().sum() for n, p in params.items()) / 2

    return over_tasks(distance, batch, params)


def multi_step_losses(
    model: nn.Module,
    params: Params,
    batch: TaskBatch,
    loss_fn: LossFn = mse,
    num_steps: int = 1,
    **inner: Any,
) -> Tensor:
    """Each task's query loss, averaged over steps 1 to ``num_steps``: [M].

    The multi-step loss of MAML++ (Antoniou, Edwards & Storkey 2019), with equal
    weights. It asks for a good model after every step, not the last alone. Arguments as
    for :func:`meta_loss`. Raises a ValueError if ``num_steps`` is below 1.
    """
    check_count("num_steps", num_steps, 1)

    def one_task(x, y, mask, query_x, query_y, query_mask):
        adapted, total = params, 0.0
        for _ in range(num_steps):
            adapted = adapt(model, adapted, x, y, mask, loss_fn, num_steps=1, **inner)
            prediction = functional_call(model, adapted, (query_x,))
            total = total + loss_fn(prediction, query_y, query_mask)
        return total / num_steps

    return over_tasks(one_task, batch, params)
