"""Ratings without meta-learning: crossed random effects of students and lecturers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refimpl.baselines.responses import ShrunkenLevel
from refimpl.tasks import TaskBatch


@dataclass(frozen=True, eq=False)
class CrossedEffects:
    """Rating = mean + item + student, the last from the support set of a ``batch``."""

    mean: float  #: mu
    items: np.ndarray  #: v_j, [J]
    variances: dict[str, float]  #: of "items", "students", and "noise"

    def __call__(self, batch: TaskBatch) -> np.ndarray:
        between, within = self.variances["students"], self.variances["noise"]
        return ShrunkenLevel(self.mean + self.items, between, within)(batch)


def crossed_effects(train: TaskBatch, items: int) -> CrossedEffects:
    """A mixed model with two groupings, students and ``items`` (here lecturers).

    y_ij = mu + v_j + u_i + e_ij with v_j ~ N(0, t2_v), u_i ~ N(0, t2_u) and
    e_ij ~ N(0, s2). Mean and variances by maximum likelihood over ``train``; the v_j
    are then predicted from all of ``train``, and a new student's u_i from the
    support set, as the shrunken mean of what is left: the best linear unbiased
    predictor, given the v_j (Bates, Maechler, Bolker & Walker 2015 fit such models).

    Raises
    ------
    RuntimeError
        If the likelihood's optimizer does not converge.
    """
    from scipy.linalg import cho_factor, cho_solve
    from scipy.optimize import minimize

    student, x, y = train.observed()
    item = x[:, 0].astype(int)
    students = len(train)
    met = np.zeros((students, items))  # how often student i rated lecturer j
    np.add.at(met, (student, item), 1)
    one_i, one_j = met.sum(axis=1), met.sum(axis=0)
    total_i = np.bincount(student, y[:, 0], minlength=students)
    total_j = np.bincount(item, y[:, 0], minlength=items)

    def solve(log_ratios: np.ndarray):
        """-2 log-likelihood, mu, v and s2, for t2_v / s2 and t2_u / s2.

        Students are eliminated first: their part of the covariance, I + r_u 1 1',
        has an inverse in closed form. What remains is one system over lecturers.
        """
        r_v, r_u = np.exp(log_ratios)
        share = r_u / (1 + r_u * one_i)
        lecturers = np.diag(one_j) - met.T @ (met * share[:, None])
        factor = cho_factor(lecturers + np.eye(items) / r_v)

        def weigh(sums_i: np.ndarray, sums_j: np.ndarray) -> np.ndarray:
            return cho_solve(factor, sums_j - met.T @ (share * sums_i))

        def product(a_i, a_j, b_i, b_j, plain: float) -> float:
            """a' V^-1 b, from sums by student and by lecturer, and a' b."""
            own = plain - (share * a_i * b_i).sum()
            return own - (a_j - met.T @ (share * a_i)) @ weigh(b_i, b_j)

        one = product(one_i, one_j, one_i, one_j, float(len(y)))
        mu = product(one_i, one_j, total_i, total_j, float(y.sum())) / one
        left_i, left_j = total_i - mu * one_i, total_j - mu * one_j
        squares = float(((y[:, 0] - mu) ** 2).sum())
        s2 = product(left_i, left_j, left_i, left_j, squares) / len(y)
        log_det = np.log1p(r_u * one_i).sum() + items * np.log(r_v)
        log_det += 2 * np.log(np.diag(factor[0])).sum()
        return len(y) * np.log(s2) + log_det, mu, weigh(left_i, left_j), s2

    fit = minimize(
        lambda r: solve(r)[0],
        np.log([0.1, 0.1]),
        method="Nelder-Mead",
        options={"xatol": 1e-3, "fatol": 1e-3},
    )
    if not fit.success:
        raise RuntimeError(f"crossed_effects: no convergence, {fit.message}")
    _, mu, v, s2 = solve(fit.x)
    t2_v, t2_u = s2 * np.exp(fit.x)
    variances = {"items": float(t2_v), "students": float(t2_u), "noise": float(s2)}
    return CrossedEffects(float(mu), v, variances)
