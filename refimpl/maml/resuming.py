"""Going on from a checkpoint, if it belongs to the same run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from refimpl.maml.checkpoint import load_checkpoint
from refimpl.maml.history import History
from refimpl.tasks import TaskBatch


def footprint(batch: TaskBatch, losses: Tensor) -> dict[str, list[float]]:
    """What a run computes: the means of the arrays of ``batch``, and ``losses`` [M]."""
    return {"tasks": _means(batch), "losses": losses.tolist()}


def resume(
    path: Path,
    modules: nn.ModuleDict,
    trained: dict[str, dict[str, Tensor]],
    optimizer: torch.optim.Optimizer,
    settings: dict[str, Any],
    draw: Callable[[int], TaskBatch],
    losses_of: Callable[[int, TaskBatch], Tensor],
) -> tuple[History, float]:
    """The history of the run in ``path``, and the meta_lr that it would go on with.

    Puts what it had ``trained`` [...] into ``modules`` and ``optimizer``, if it was
    made with the same ``settings`` and if, for its last iteration, ``draw`` and
    ``losses_of`` give what they gave. Else a ValueError, and ``modules`` as they were.
    """
    before = {name: tensor.clone() for name, tensor in modules.state_dict().items()}
    try:
        saved = load_checkpoint(path, modules, trained, optimizer, settings)
        history = History(saved["loss"], [(i, v) for i, v in saved["validation"]])
        batch = draw(last := len(history.loss) - 1)
        _check_same(path, "tasks", saved["trace"]["tasks"], _means(batch))
        computed = "loss_fn, objective, rule or the model's forward"
        losses = losses_of(last, batch).tolist()
        _check_same(path, computed, saved["trace"]["losses"], losses)
    except BaseException:
        modules.load_state_dict(before)
        raise
    return history, saved["meta_lr"]


def _means(batch: TaskBatch) -> list[float]:
    arrays = [torch.as_tensor(array).double() for array in vars(batch).values()]
    return [array.mean().item() for array in arrays]


def _check_same(path: Path, part: str, old: list[float], new: list[float]) -> None:
    """Raise a ValueError if two runs differ by more than rounding."""
    if len(old) != len(new) or not np.allclose(old, new, 1e-3, 1e-6, equal_nan=True):
        raise ValueError(
            f"checkpoint: {path} was made with other {part}: what was computed for its "
            "last iteration, this run computes otherwise; use another file, or delete "
            "this one"
        )
