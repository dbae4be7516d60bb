"""Checkpoints without pickle: safetensors files, written whole."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

if TYPE_CHECKING:
    from refimpl.maml.training import History


def save_tensors(
    path: str | Path, tensors: dict[str, Tensor], note: dict[str, Any]
) -> None:
    """Write named tensors and a note to a safetensors file, whole or not at all.

    A temporary file beside it is written first and then renamed, so an
    interruption leaves either the old file or the new one.
    """
    path = Path(path)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    tensors = {n: tensor.detach().contiguous() for n, tensor in tensors.items()}
    metadata = {"note": json.dumps(note, sort_keys=True)}
    try:
        save_file(tensors, temporary, metadata=metadata)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def load_tensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what :func:`save_tensors` wrote: the tensors and the note."""
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        note = (file.metadata() or {}).get("note")
    if note is None:
        raise ValueError(f"path: {path} was not written by save_tensors")
    return tensors, json.loads(note)


def save_checkpoint(
    path: str | Path,
    modules: dict[str, nn.Module],
    optimizer: torch.optim.Optimizer,
    history: History,
    settings: dict[str, Any],
) -> None:
    """Write all that ``meta_train`` needs to go on as if never interrupted."""
    tensors = _named(modules)
    for i, slots in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{i}.{slot}": value for slot, value in slots.items()}
    note = {"settings": settings, "history": vars(history)}
    save_tensors(path, tensors, note)


def load_checkpoint(
    path: str | Path,
    modules: dict[str, nn.Module],
    optimizer: torch.optim.Optimizer,
    history: History,
    settings: dict[str, Any],
) -> None:
    """Restore what :func:`save_checkpoint` wrote, in place.

    Raises
    ------
    ValueError
        If the file was made with other settings, or by another model.
    """
    tensors, note = load_tensors(path)
    if note.keys() != {"settings", "history"}:
        raise ValueError(f"checkpoint: {path} was not written by meta_train")
    for name, value in settings.items():
        if (made_with := note["settings"].get(name)) != value:
            raise ValueError(
                f"checkpoint: {path} was made with {name}={made_with}, this run has "
                f"{name}={value}; use another file, or delete this one"
            )
    target = _named(modules)
    state = optimizer.state_dict()
    state["state"] = {}
    for name in [name for name in tensors if name.startswith("optimizer.")]:
        _, i, slot = name.split(".")
        state["state"].setdefault(int(i), {})[slot] = tensors.pop(name)
    shapes = {name: tuple(tensor.shape) for name, tensor in target.items()}
    saved = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if shapes != saved:
        raise ValueError(f"checkpoint: {path} holds {saved}, this model needs {shapes}")
    with torch.no_grad():
        for name, tensor in target.items():
            tensor.copy_(tensors[name])
    optimizer.load_state_dict(state)
    history.loss[:] = note["history"]["loss"]
    history.validation[:] = [tuple(pair) for pair in note["history"]["validation"]]


def _named(modules: dict[str, nn.Module]) -> dict[str, Tensor]:
    """All parameters and buffers of the modules, shared ones once."""
    return {
        f"{prefix}.{name}": tensor
        for prefix, module in modules.items()
        for named in (module.named_parameters(), module.named_buffers())
        for name, tensor in named
    }
