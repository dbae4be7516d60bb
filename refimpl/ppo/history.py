"""What a training run reports."""

import math
from dataclasses import dataclass, field
from itertools import accumulate, chain, islice, pairwise
from typing import Any

import numpy as np

from refimpl.checks import check_count


@dataclass
class History:
    """What ``train`` reports: in each list an entry for each update.

    KL, clip fraction, entropy, objective and value loss are those of the updated
    policy, over all steps that it learned from; explained variance is that of the
    values before. Values are in units of the rewards, scaled if they are.
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
    objective: list[float] = field(default_factory=list)  #: the surrogate's value
    value_loss: list[float] = field(default_factory=list)  #: mean (V - return)^2
    #: log of the actions' deviation, the mean of d; 0 for Discrete actions
    log_std: list[float] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.steps)

    def add(self, **entry: Any) -> None:
        """One update's ``entry``, a value for each list by its name.

        Its ``steps`` are added to those before.
        """
        entry["steps"] += self.steps[-1] if self.steps else 0
        for name, column in vars(self).items():
            column.append(entry[name])

    def mean_return(self, episodes: int = 100) -> float:
        """Of the latest ``episodes``, at least 1 (or ValueError); NaN if none ended."""
        check_count("episodes", episodes, 1)
        backwards = chain.from_iterable(map(reversed, reversed(self.returns)))
        latest = [*islice(backwards, episodes)]
        return float(np.mean(latest)) if latest else math.nan

    def arrays(self) -> dict[str, np.ndarray]:
        """All of it, as arrays: ``returns`` one after the other, with their counts."""
        arrays = {n: np.array(v) for n, v in vars(self).items() if n != "returns"}
        arrays["returns"] = np.array([*chain.from_iterable(self.returns)], float)
        arrays["counts"] = np.array([len(ended) for ended in self.returns], int)
        return arrays

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Become what these ``arrays`` [...] were made from."""
        ends = [*accumulate(arrays["counts"].tolist(), initial=0)]
        returns = arrays["returns"].tolist()
        for name in vars(self):
            setattr(self, name, arrays[name].tolist())
        self.returns = [returns[begin:end] for begin, end in pairwise(ends)]


class MeanReturns(list):
    """What ``train_maml_ppo`` reports: an array [num_steps + 1] for each update."""

    def arrays(self) -> dict[str, np.ndarray]:
        """All of it, as one array."""
        return {"returns": np.array(self)}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Become what these ``arrays`` [...] were made from."""
        self[:] = arrays["returns"]


def explained_variance(returns: np.ndarray, values: np.ndarray) -> float:
    """1 - Var(``returns`` - ``values``) / Var(``returns``), both [B]."""
    return 1 - float((returns - values).var() / max(returns.var(), 1e-8))


def linear_schedule(done: float) -> float:
    """From 1, when the share ``done`` of the updates is 0, to 0."""
    return 1 - done
