"""What a checkpoint says of its run, so that another run is not taken for it."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from refimpl.checks import check_number
from refimpl.maml.arguments import inner_rates
from refimpl.tasks import TaskBatch


def described_settings(given: dict[str, Any]) -> dict[str, Any]:
    """The arguments ``given`` to ``meta_train`` as JSON has them; equal if runs are.

    Functions go by their names; what they compute is compared by :func:`trace`.
    Raises a TypeError or ValueError if one is not what it should be.
    """
    model, inner = given["model"], ("loss_fn", "fast_lr", "num_steps")
    own = {name: given[name] for name in inner}
    params = dict(model.named_parameters())
    inner_rates(model, params, **own)
    functions = ("loss_fn", "objective", "rule", "optimizer")
    for name in functions:
        if isinstance(given[name], nn.Module) and _trainable(given[name].parameters()):
            raise ValueError(
                f"{name}: its parameters would not be trained; freeze them "
                "(requires_grad_(False)), or train them in a loop of your own"
            )
    clip = given["max_grad_norm"]
    if clip is not None:
        check_number("max_grad_norm", clip, 0)
    trained = [n for n, p in model.named_parameters() if p.requires_grad]
    return {
        "model": repr(model),
        "trained": trained,
        "num_steps": int(given["num_steps"]),
        "fast_lr": _described_rates(given["fast_lr"]),
        "seed": int(given["seed"]),
        "first_order": bool(given["first_order"]),
        "max_grad_norm": None if clip is None else float(clip),
        "compile": bool(given["compile"]),
    } | {name: _name(given[name]) for name in functions}


def trace(batch: TaskBatch, losses: Tensor) -> dict[str, list[float]]:
    """What a run computes: the means of the arrays of ``batch``, and ``losses`` [M]."""
    arrays = [torch.as_tensor(array).double() for array in vars(batch).values()]
    return {"tasks": [a.mean().item() for a in arrays], "losses": losses.tolist()}


def check_trace(path: Path, saved: dict[str, Any], now: dict[str, Any]) -> None:
    """Raise a ValueError if the trace ``saved`` in ``path`` is not that of ``now``."""
    for part, meant in (
        ("tasks", "tasks"),
        ("losses", "loss_fn, objective, rule or the model's forward"),
    ):
        old, new = saved[part], now[part]
        if len(old) != len(new) or not np.allclose(old, new, 1e-3, 1e-6, True):
            raise ValueError(
                f"checkpoint: {path} was made with other {meant}: what was computed "
                "for its last iteration, this run computes otherwise; use another "
                "file, or delete this one"
            )


def _described_rates(fast_lr: Any) -> Any:
    if isinstance(fast_lr, nn.Module):
        return repr(fast_lr)
    if isinstance(fast_lr, dict):
        return {n: _described_rates(r) for n, r in fast_lr.items() if r is not None}
    if isinstance(fast_lr, list | tuple):
        return [_described_rates(rate) for rate in fast_lr]
    if getattr(fast_lr, "requires_grad", False):
        raise ValueError(
            "fast_lr: a tensor that requires_grad is not learned; use LearnedRates"
        )
    if not isinstance(fast_lr, Tensor):
        return float(fast_lr)
    return fast_lr.double().tolist()


def _trainable(parameters: Any) -> bool:
    return any(parameter.requires_grad for parameter in parameters)


def _name(function: Callable) -> str:
    """What a checkpoint calls it; an address would be another one in each process."""
    return getattr(function, "__qualname__", re.sub(r" at 0x\w+", "", repr(function)))
