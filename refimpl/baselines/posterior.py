"""What a few answers say about a student's ability: item response theory, in NumPy.

A student model for :class:`refimpl.envs.AdaptiveTest`, with what rules that choose
items (:mod:`refimpl.baselines.questions`) need to know. ``items`` [N, t] is what N
students were asked, ``answers`` [N, t] is 1 where they were right; t may be 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from refimpl.baselines.item_fit import fit_items, grid, normalized
from refimpl.tasks import TaskBatch


@dataclass(frozen=True, eq=False)
class Posterior:
    """The three-parameter model: P_j = c_j + (1 - c_j) sigmoid(a_j theta + b_j).

    The ability theta ~ N(0, 1) lives on a grid of P points from -4 to 4.

    Parameters
    ----------
    slopes, easiness, guessing : [J]
        a, b and c, from 0 to 1, of the J items.
    """

    slopes: np.ndarray
    easiness: np.ndarray
    guessing: np.ndarray

    @cached_property
    def abilities(self) -> np.ndarray:
        """The grid of abilities [P]."""
        return grid(1)[0][:, 0]

    @cached_property
    def right(self) -> np.ndarray:
        """P(right) at each ability of the grid, [P, J]."""
        return self.probabilities(self.abilities).clip(1e-9, 1 - 1e-9)

    @cached_property
    def logs(self) -> np.ndarray:
        """log P of a wrong answer to each item, then of a right one, [2 J, P]."""
        return np.log(np.concatenate([1 - self.right.T, self.right.T]))

    @cached_property
    def log_prior(self) -> np.ndarray:
        """log p(theta) on the grid, [P]."""
        return grid(1)[1]

    def probabilities(self, ability: np.ndarray) -> np.ndarray:
        """P(right) of students of a known ``ability`` [N]: [N, J]."""
        logits = ability[:, None] * self.slopes + self.easiness
        known = np.exp(-np.logaddexp(0, -logits))  # a sigmoid that does not overflow
        return self.guessing + (1 - self.guessing) * known

    def weights(self, items: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """The posterior, p(theta) prod_t P(answer_t | theta), normalized: [N, P]."""
        J = len(self.slopes)
        given = np.zeros((len(items), 2 * J))
        np.put_along_axis(given, np.where(answers == 1, items + J, items), 1, axis=1)
        return normalized(given @ self.logs + self.log_prior)

    def __call__(self, items: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """The posterior's mean of P(right): [N, J]."""
        return self.weights(items, answers) @ self.right

    def mean(self, items: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """The posterior's mean of the ability (expected a posteriori, EAP): [N]."""
        return self.weights(items, answers) @ self.abilities

    def information(self, ability: np.ndarray) -> np.ndarray:
        """Fisher's information P'^2 / (P (1 - P)) about an ``ability`` [N]: [N, J].

        With P' = a (1 - P) (P - c) / (1 - c); as Lord (1980) has it, and catsim.
        """
        p, c = self.probabilities(ability), self.guessing
        return (self.slopes * (p - c) / (1 - c)) ** 2 * (1 - p) / p


def fit_posterior(train: TaskBatch, items: int) -> Posterior:
    """The J = ``items`` items, as :func:`fit_items` fits them to ``train``."""
    fitted = fit_items(train, items, dims=1, guessing=True)
    return Posterior(fitted.slopes[:, 0], fitted.easiness, fitted.guessing)
