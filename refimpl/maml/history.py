"""What meta_train reports, and a callback that stops by it and keeps the best."""

import math
from dataclasses import dataclass, field
from pathlib import Path

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


class KeepBest:
    """A callback that keeps in ``path`` the ``modules`` of the lowest validation score.

    ``meta_train(..., validate=..., callback=KeepBest(path, 5, model=model))`` ends when
    ``patience`` validations in a row were no better than the best before them (None:
    never); :func:`load_trained` then reads ``path``. Learned rates are kept beside the
    model by ``fast_lr=rates``. ``history`` is what ``meta_train`` reports. Raises a
    TypeError or ValueError if ``patience`` is no number of validations.
    """

    def __init__(
        self, path: str | Path, patience: int | None = None, **modules: nn.Module
    ) -> None:
        if patience is not None:
            check_count("patience", patience, 1)
        self.path, self.patience = Path(path), patience
        self.modules = nn.ModuleDict(modules)

    def __call__(self, history: History) -> bool:
        """Write the file if the last score is the best; return whether to end."""
        scores = [score for _, score in history.validation]
        best = min(range(len(scores)), key=scores.__getitem__, default=0)
        since = len(scores) - 1 - best
        if scores and since == 0 and history.validation[-1][0] == len(history.loss):
            note = {"score": scores[best], "iteration": len(history.loss)}
            save_tensors(self.path, self.modules.state_dict(), note)
        return since >= (self.patience or math.inf)
