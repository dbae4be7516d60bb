"""What the inner loop is given: its types, and the checks of what it needs."""

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from refimpl.checks import check_count, check_number

Params = dict[str, Tensor]
LossFn = Callable[[Tensor, Tensor, Tensor], Tensor]
Rates = dict[str, Tensor | None]
FastLr = float | Rates | Sequence[float | Rates] | nn.Module
#: From parameters, gradients and rates, and what the rule remembers, None at first, to
#: the parameters that have moved, and what it will remember.
InnerRule = Callable[[Params, Params, Params, Any], tuple[Params, Any]]


def inner_rates(
    model: nn.Module,
    params: Params,
    loss_fn: LossFn,
    fast_lr: FastLr,
    num_steps: int,
) -> list[Rates]:
    """The rates [...] of each of ``num_steps`` steps and each of ``params``.

    Arguments and errors as for :func:`adapt`: ``model`` has the names of ``fast_lr``,
    and ``loss_fn`` takes a mask.
    """
    check_count("num_steps", num_steps, 0)
    check_loss_fn("loss_fn", loss_fn)
    for name, module in model.named_modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and (
            module.training or not module.track_running_stats
        ):
            raise ValueError(
                f"model: expected no batch normalization ({name}), whose statistics "
                "mix examples; use LayerNorm, or model.eval() with trained statistics"
            )
    own: Params = {**dict(model.named_parameters())}
    if params.keys() != own.keys():
        raise ValueError(
            f"params: expected the model's own names, see "
            f"{sorted(params.keys() ^ own.keys())}"
        )
    given: Any = fast_lr() if isinstance(fast_lr, nn.Module) else fast_lr
    several = isinstance(given, Sequence) and not isinstance(given, str)
    if several and len(given) < num_steps:
        raise ValueError(
            f"fast_lr: expected rates for {num_steps} steps or more, got {len(given)}"
        )
    steps = [*given] if several else [given]
    each = [_rates(own, one) for one in steps]
    rates = each[:num_steps] if several else each * num_steps
    frozen = not any(parameter.requires_grad for parameter in own.values())
    if frozen and not all(isinstance(one, dict) for one in steps[:num_steps]):
        raise ValueError(
            "fast_lr: expected a rate for some parameter; one number is for those "
            "whose requires_grad is True, and this model has none"
        )
    return rates


def check_loss_fn(name: str, function: Any) -> None:
    """Raise a ValueError with the argument's ``name`` if ``function`` is PyTorch's."""
    while isinstance(function, partial):
        function = function.func
    if str(getattr(function, "__module__", "")).startswith("torch"):
        raise ValueError(
            f"{name}: expected a function of prediction, target and mask, such as "
            "refimpl.maml.cross_entropy; PyTorch's losses take no mask"
        )


def _rates(own: Params, given: Any) -> Rates:
    """The rate of each of a model's ``own`` parameters in one step, checked."""
    rates = given
    if not isinstance(given, dict):
        given = _checked_rate("fast_lr", given, 0)
        rates = {n: given if p.requires_grad else None for n, p in own.items()}
    if rates.keys() != own.keys():
        raise ValueError(
            f"fast_lr: expected the model's own names, see "
            f"{sorted(rates.keys() ^ own.keys())}"
        )
    for name, rate in rates.items():
        if rate is not None and not isinstance(rate, Tensor):
            rates = rates | {name: _checked_rate(f"fast_lr of {name}", rate, -math.inf)}
        shape, parameter = tuple(getattr(rate, "shape", ())), tuple(own[name].shape)
        if shape not in ((), parameter):
            raise ValueError(
                f"fast_lr: expected one rate for {name} or {parameter}, got {shape}"
            )
    return rates


def _checked_rate(name: str, rate: Any, least: float) -> Any:
    """One ``rate``, a scalar tensor or a float, if it is a number from ``least``."""
    if getattr(rate, "shape", ()) != ():
        raise ValueError(f"{name}: expected one rate, got shape {tuple(rate.shape)}")
    if not isinstance(rate, Tensor):
        check_number(name, rate, least)
        return float(rate)
    if not torch.compiler.is_compiling():
        with suppress(RuntimeError):  # inside of a vmap over rates, it has many values
            check_number(name, rate.item(), least)
    return rate
