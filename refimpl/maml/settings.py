"""What ``meta_train`` is given: checked, and told so that runs can be compared."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from refimpl.checks import check_count, check_number
from refimpl.maml.arguments import inner_rates
from refimpl.maml.history import KeepBest

COUNTS = {"iterations": 0, "seed": 0, "validate_every": 1, "checkpoint_every": 1}
COUNTS |= {"tasks_at_once": 1}
FUNCTIONS = ("loss_fn", "objective", "rule")


def check_settings(given: dict[str, Any]) -> None:
    """Raise if an argument ``given`` to ``meta_train`` is not what it should be.

    A TypeError or ValueError names it; a FileNotFoundError says that there is no folder
    for the checkpoint.
    """
    model, path = given["model"], given["checkpoint"]
    if not isinstance(model, nn.Module):
        raise TypeError(f"model: expected a torch.nn.Module, got {model!r}")
    for name in ("tasks", *FUNCTIONS, "optimizer", "validate", "callback"):
        if not callable(given[name]) and given[name] is not None:
            raise TypeError(f"{name}: expected a function, got {given[name]!r}")
    for name in FUNCTIONS:
        if isinstance(given[name], nn.Module) and _trainable(given[name].parameters()):
            raise ValueError(
                f"{name}: its parameters would not be trained; freeze them "
                "(requires_grad_(False)), or train them in a loop of your own"
            )
    parameters = [*model.parameters()]
    if any(isinstance(p, nn.parameter.UninitializedParameter) for p in parameters):
        raise ValueError("model: call it once with an example: it has lazy layers")
    if not _trainable(parameters):
        raise ValueError("model: expected a parameter whose requires_grad is True")
    for name, least in COUNTS.items():
        if given[name] is not None or name not in ("tasks_at_once",):
            check_count(name, given[name], least)
    if given["max_grad_norm"] is not None:
        check_number("max_grad_norm", given["max_grad_norm"], 0)
    inner = {name: given[name] for name in ("loss_fn", "fast_lr", "num_steps")}
    inner_rates(model, dict(model.named_parameters()), **inner)
    if isinstance(given["callback"], KeepBest) and given["validate"] is None:
        raise ValueError("validate: expected a score for KeepBest to go by, got None")
    if path and Path(path).is_dir():
        raise ValueError(f"checkpoint: expected a file, {path} is a folder")
    if path and not Path(path).parent.is_dir():
        raise FileNotFoundError(f"checkpoint: no folder {Path(path).parent}")


def described_settings(
    given: dict[str, Any], optimizer: torch.optim.Optimizer
) -> dict[str, Any]:
    """The arguments ``given`` to ``meta_train`` as JSON has them; equal if runs are.

    Functions go by their names: what they compute, :func:`resume` compares. The
    ``optimizer`` goes by its settings but for the rate.
    """
    model, clip = given["model"], given["max_grad_norm"]
    defaults = {n: v for n, v in optimizer.defaults.items() if n != "lr"}
    return {
        "model": repr(model),
        "trained": [n for n, p in model.named_parameters() if p.requires_grad],
        "num_steps": int(given["num_steps"]),
        "fast_lr": _described_rates(given["fast_lr"]),
        "seed": int(given["seed"]),
        "first_order": bool(given["first_order"]),
        "max_grad_norm": None if clip is None else float(clip),
        "compile": bool(given["compile"]),
        "optimizer": f"{type(optimizer).__name__} {defaults}",
    } | {name: _name(given[name]) for name in FUNCTIONS}


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


def _trainable(parameters: Iterable[nn.Parameter]) -> bool:
    return any(parameter.requires_grad for parameter in parameters)


def _name(function: Callable) -> str:
    """What a checkpoint calls it; an address would be another one in each process."""
    return getattr(function, "__qualname__", re.sub(r" at 0x\w+", "", repr(function)))
