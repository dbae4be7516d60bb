"""A model, a loss and a rule of the user's own, called and checked."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from refimpl.maml.arguments import InnerRule, LossFn, Params


def forward(model: nn.Module, params: Params, x: Tensor) -> Tensor:
    """What ``model`` with these ``params`` [...] predicts for ``x`` [K, ...]: [K, ...].

    Raises a TypeError if its forward returns no tensor, and a ValueError if it changes
    a buffer, as a running mean: each task would leave its trace in all others. The
    model itself stays as it is.
    """
    own = {name: buffer.clone() for name, buffer in model.named_buffers()}
    before = {name: _state(buffer) for name, buffer in own.items()}
    given = _each_place(model, params | own)
    prediction = functional_call(model, given, (x,), tie_weights=False)
    if not isinstance(prediction, Tensor):
        kind = type(prediction).__name__
        raise TypeError(f"model: expected its forward to return a tensor, got {kind}")
    if changed := [name for name in own if before[name] != _state(given[name])]:
        raise ValueError(
            f"model: expected a forward that changes no buffer, it changes {changed}; "
            "model.eval() may keep them as they are"
        )
    return prediction


def _each_place(model: nn.Module, values: Params) -> Params:
    """``values`` for each place of a tensor that several modules share.

    A module that is used twice is one place. ``functional_call``, left to find them,
    counts it twice, and puts back what it replaced first: it leaves ``values`` behind.
    """
    named = [*model.named_parameters(), *model.named_buffers()]
    names = {tensor: name for name, tensor in named}
    given = {}
    for prefix, module in model.named_modules():
        for kind in (module.named_parameters, module.named_buffers):
            for place, tensor in kind(prefix, recurse=False):
                given[place] = values[names[tensor]]
    return given


def score(
    loss_fn: LossFn,
    prediction: Tensor,
    target: Tensor,
    mask: Tensor,
    name: str = "loss_fn",
) -> Tensor:
    """``loss_fn`` of ``prediction`` [K, ...], ``target`` [K, ...] and ``mask`` [K].

    A scalar, or a TypeError that calls the function by its ``name``.
    """
    value = loss_fn(prediction, target, mask)
    shape = getattr(value, "shape", None)
    if not isinstance(value, Tensor) or shape != ():
        got = type(value).__name__ if shape is None else f"shape {tuple(shape)}"
        raise TypeError(f"{name}: expected it to return a scalar tensor, got {got}")
    return value


def stepped(
    rule: InnerRule, params: Params, grads: Params, rates: Params, memory: Any
) -> tuple[Params, Any]:
    """``params`` [...] after a step of ``rule``, and what it remembers.

    ``grads``, ``rates`` and ``memory`` are what it is given. A TypeError if it does not
    return parameters by name, and a memory.
    """
    made = rule(params, grads, rates, memory)
    if not isinstance(made, tuple) or len(made) != 2 or not isinstance(made[0], dict):
        raise TypeError(f"rule: expected it to return (parameters, memory), got {made}")
    if unknown := made[0].keys() - params.keys():
        raise TypeError(f"rule: expected parameters by their names, got {unknown}")
    return params | made[0], made[1]


def _state(buffer: Tensor) -> tuple[int, int]:
    """Another one after a change in place, or for another tensor."""
    return (0, 0) if torch.compiler.is_compiling() else (id(buffer), buffer._version)
