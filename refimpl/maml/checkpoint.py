"""Checkpoints without pickle: safetensors files, written whole.

A ``note`` is what JSON can say; ``settings`` are those of a run.
"""

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn


def save_tensors(
    path: str | Path, tensors: dict[str, Tensor], note: dict[str, Any]
) -> None:
    """Write named ``tensors`` [...] and a note to a safetensors file, whole or not."""
    path = Path(path)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    tensors = {name: t.detach().clone().contiguous() for name, t in tensors.items()}
    try:  # an interruption leaves either the old file or the new one
        save_file(tensors, temporary, {"note": json.dumps(note, sort_keys=True)})
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def load_tensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what :func:`save_tensors` wrote: the tensors, each [...], and the note.

    Raises a ValueError if another program wrote the file.
    """
    try:
        with safe_open(path, framework="pt") as file:
            names = file.keys()
            tensors = {name: file.get_tensor(name) for name in names}
            note = json.loads((file.metadata() or {})["note"])
    except (SafetensorError, KeyError, json.JSONDecodeError):
        raise ValueError(f"path: {path} was not written by save_tensors") from None
    return tensors, note


def load_trained(path: str | Path, **modules: nn.Module) -> None:
    """Put into ``modules`` what ``meta_train`` or :class:`KeepBest` wrote of them.

    ``load_trained(path, model=model)``, or with ``fast_lr=rates`` beside it if these
    were learned. Raises a ValueError if the file holds no such modules, or others.
    """
    _load(path, nn.ModuleDict(modules), load_tensors(path)[0])


def save_checkpoint(
    path: Path,
    modules: nn.ModuleDict,
    trained: dict[str, dict[str, Tensor]],
    optimizer: torch.optim.Optimizer,
    settings: dict[str, Any],
    history: dict[str, Any],
) -> None:
    """Write all that ``meta_train`` needs to go on as if never interrupted.

    That is ``modules``, the state [...] of the ``optimizer`` of what is ``trained`` of
    them, by name, and the ``history`` so far. Raises a TypeError if the optimizer keeps
    what is no tensor.
    """
    tensors = modules.state_dict()
    for name, parameter in _named(trained).items():
        for slot, value in optimizer.state.get(parameter, {}).items():
            if not isinstance(value, Tensor | None):
                raise TypeError(
                    f"optimizer: expected tensors to save, got {value!r} as its {slot}"
                )
            if value is not None:
                tensors[f"optimizer.{slot}.{name}"] = value
    save_tensors(path, tensors, {"settings": settings, "history": history})


def load_checkpoint(
    path: Path,
    modules: nn.ModuleDict,
    trained: dict[str, dict[str, Tensor]],
    optimizer: torch.optim.Optimizer,
    settings: dict[str, Any],
) -> dict[str, Any]:
    """Restore ``modules`` and ``optimizer`` in place; return the history.

    ``trained`` [...] are as for :func:`save_checkpoint`. Raises ValueError if the file
    was made by another model or with other ``settings``.
    """
    tensors, note = load_tensors(path)
    parts = {"loss", "validation", "meta_lr", "trace"}
    if note.keys() != {"settings", "history"} or note["history"].keys() != parts:
        raise ValueError(f"checkpoint: {path} was not written by meta_train")
    for name, value in settings.items():
        if (made_with := note["settings"].get(name)) != value:
            raise ValueError(
                f"checkpoint: {path} was made with {name}={made_with}, this run has "
                f"{name}={value}; use another file, or delete this one"
            )
    parameters = _named(trained)
    _load(path, modules, tensors, "checkpoint")
    for name in [name for name in tensors if name.startswith("optimizer.")]:
        _, slot, owner = name.split(".", 2)
        optimizer.state[parameters[owner]][slot] = tensors[name]
    return note["history"]


def _named(trained: dict[str, dict[str, Tensor]]) -> dict[str, Tensor]:
    return {f"{m}.{n}": p for m, named in trained.items() for n, p in named.items()}


def _load(
    path: str | Path,
    modules: nn.ModuleDict,
    tensors: dict[str, Tensor],
    argument: str = "path",
) -> None:
    """Put ``tensors`` into ``modules``, if names, shapes and types are theirs."""
    own = modules.state_dict()
    saved = {n: t for n, t in tensors.items() if not n.startswith("optimizer.")}
    kinds = [{n: (t.shape, t.dtype) for n, t in each.items()} for each in (own, saved)]
    if kinds[0] != kinds[1]:
        other = sorted(own.keys() ^ saved.keys())[:3] or "other shapes or types"
        raise ValueError(
            f"{argument}: {path} holds the parameters of another model, see {other}"
        )
    modules.load_state_dict(saved)
