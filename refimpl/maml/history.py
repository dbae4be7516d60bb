"""What meta_train reports, and a callback that stops by it and keeps the best."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from refimpl.checks import check_count
from refimpl.maml.checkpoint import save_tensors


@dataclass
class History:
    """What ``meta_train`` reports."""

    #: the meta-loss of each iteration, before its step
    loss: list[float] = field(default_factory=list)
    #: pairs of the iterations done and the score ``validate`` then gave
    validation: list[tuple[int, float]] = field(default_factory=list)


def ends(answer: Any) -> bool:
    """Whether a callback's ``answer`` ends training; a TypeError if it is no bool."""
    if not isinstance(answer, bool | np.bool_ | None):
        raise TypeError(f"callback: expected it to return a bool, got {answer!r}")
    return bool(answer)


class KeepBest:
    """A callback that keeps in ``path`` the ``modules`` of the lowest validation score.

    ``meta_train(..., validate=..., callback=KeepBest(path, 5, model=model))`` ends when
    ``patience`` validations in a row were no better than the best before them (None:
    never); a NaN is no score. The model itself then holds the last parameters, and
    :func:`load_trained` reads the best from ``path``. Learned rates are kept beside
    them if given, as ``fast_lr=rates``. ``history`` is what ``meta_train`` reports.

    Raises
    ------
    TypeError, ValueError
        If ``patience`` is no number of validations, or there is no module to keep.
    FileNotFoundError
        If there is no folder for ``path``.
    """

    def __init__(
        self, path: str | Path, patience: int | None = None, **modules: nn.Module
    ) -> None:
        if patience is not None:
            check_count("patience", patience, 1)
        if not modules:
            raise ValueError("modules: expected what to keep, as model=model")
        self.path, self.patience = Path(path), patience
        if not self.path.parent.is_dir():
            raise FileNotFoundError(f"path: no folder {self.path.parent}")
        self.modules = nn.ModuleDict(modules)

    def __call__(self, history: History) -> bool:
        """Write the file if the last score is the best; return whether to end."""
        scores = [math.inf if math.isnan(s) else s for _, s in history.validation]
        best = min(range(len(scores)), key=scores.__getitem__, default=0)
        since = len(scores) - 1 - best
        if scores and since == 0 and history.validation[-1][0] == len(history.loss):
            note = {"score": scores[best], "iteration": len(history.loss)}
            save_tensors(self.path, self.modules.state_dict(), note)
        return since >= (self.patience or math.inf)
