"""Inner rates, ``fast_lr`` of :func:`adapt`: learned, or for some parameters only."""

import math
from collections.abc import Sequence

import torch
from torch import nn

from refimpl.maml.inner import Params, Rates


class LearnedRates(nn.Module):
    """One learned inner rate, above zero, for each parameter tensor of a model.

    Near the one per layer and step of Antoniou, Edwards & Storkey (2019). Kept as
    logarithms, first that of ``initial`` (a ValueError if it is not above 0). Called,
    it returns the rates of ``model`` as ``adapt`` wants them.
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
