"""Inner rates, ``fast_lr`` of :func:`adapt`: learned, or for some parameters only."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from refimpl.checks import check_count
from refimpl.maml.arguments import Rates


class LearnedRates(nn.Module):
    """One learned inner rate, above zero, for each parameter tensor of a model.

    Near the one per layer and step of Antoniou, Edwards & Storkey (2019). Kept as
    logarithms, first that of ``initial`` (a ValueError if it is not above 0). Called,
    it returns the rates of ``model`` as ``adapt`` wants them; a parameter whose
    ``requires_grad`` is False has none and holds still.
    """

    def __init__(self, model: nn.Module, initial: float) -> None:
        super().__init__()
        if not initial > 0:
            raise ValueError(f"initial: expected a rate greater than 0, got {initial}")
        self.names = [name for name, _ in model.named_parameters()]
        self.moving = [name for name, p in model.named_parameters() if p.requires_grad]
        kinds = {p.dtype for p in model.parameters() if p.is_floating_point()}
        kind = torch.float64 if torch.float64 in kinds else torch.float32
        logs = torch.full((len(self.moving),), math.log(initial), dtype=kind)
        self.log_rates = nn.Parameter(logs)

    def forward(self) -> Rates:
        rates = zip(self.moving, self.log_rates.exp(), strict=True)
        return dict.fromkeys(self.names) | dict(rates)


class MetaSGD(nn.Module):
    """A learned inner rate for every single weight of ``model``, of either sign.

    Meta-SGD of Li, Zhou, Chen & Li (2017), equation (3); ``initial`` is where
    each rate starts. A parameter whose ``requires_grad`` is False holds still.
    """

    def __init__(self, model: nn.Module, initial: float) -> None:
        super().__init__()
        self.names = [name for name, _ in model.named_parameters()]
        own = {n: p for n, p in model.named_parameters() if p.requires_grad}
        full = [torch.full_like(p, initial) for p in own.values()]
        self.moving = [*own]
        self.rates = nn.ParameterList([nn.Parameter(rate) for rate in full])

    def forward(self) -> Rates:
        rates = zip(self.moving, self.rates, strict=True)
        return dict.fromkeys(self.names) | dict(rates)


class EachStep(nn.Module):
    """Learned rates of their own for each of ``num_steps`` inner steps.

    ``EachStep(LearnedRates, 5, model, 0.01)`` has a rate for every parameter tensor and
    step, as MAML++ (Antoniou, Edwards & Storkey 2019); ``kind`` may be
    :class:`MetaSGD`, ``given`` and ``named`` are what it is made of. A
    TypeError or ValueError if ``num_steps`` is no number of steps.
    """

    def __init__(
        self, kind: type[nn.Module], num_steps: int, *given: Any, **named: Any
    ) -> None:
        super().__init__()
        check_count("num_steps", num_steps, 1)
        self.steps = nn.ModuleList([kind(*given, **named) for _ in range(num_steps)])

    def forward(self) -> list[Rates]:
        return [rates() for rates in self.steps]


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
