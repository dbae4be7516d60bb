"""What a training run reports, and the schedule that all of them share."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from refimpl.checks import check_count


@dataclass
class History:
    """What ``train`` reports: in each list an entry for each update.

    KL, clip fraction and entropy are those of the updated policy, over all steps
    that it learned from; explained variance is that of the values before.
    """

    steps: list[int] = field(default_factory=list)  #: so far, without resets
    returns: list[list[float]] = field(default_factory=list)  #: of episodes that ended
    kl: list[float] = field(default_factory=list)  #: from the policy that acted
    #: share of steps whose ratio is off 1 by more than ``strength``, an epsilon
    clip_fraction: list[float] = field(default_factory=list)
    entropy: list[float] = field(default_factory=list)  #: in nats
    #: 1 - Var(returns - values) / Var(returns); 1 is perfect, 0 is worth nothing
    explained_variance: list[float] = field(default_factory=list)
    strength: list[float] = field(default_factory=list)  #: epsilon or beta

    def add(self, *entry: Any) -> None:
        """One update's ``entry`` for each list, in their order."""
        for column, new in zip(vars(self).values(), entry, strict=True):
            column.append(new)

    def mean_return(self, episodes: int = 100) -> float:
        """Of the latest ``episodes``, at least 1 (or ValueError); NaN if none ended."""
        check_count("episodes", episodes, 1)
        latest = [total for ended in self.returns for total in ended][-episodes:]
        return float(np.mean(latest)) if latest else math.nan


def explained_variance(returns: np.ndarray, values: np.ndarray) -> float:
    """1 - Var(``returns`` - ``values``) / Var(``returns``), both [B]."""
    return 1 - float((returns - values).var() / max(returns.var(), 1e-8))


def linear_schedule(done: float) -> float:
    """From 1, when the share ``done`` of the updates is 0, to 0."""
    return 1 - done
