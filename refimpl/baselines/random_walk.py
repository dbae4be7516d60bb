"""A level that drifts: the local level model of time series, for many short ones.

Known test and later score are y = a + b x + u(x) + e, with luck e ~ N(0, s2) and a
level that walks at random: u at the first x of all is N(0, t2), and from x to x' it
moves by N(0, q (x' - x)) (Harvey 1989). So two tests have in common what the level was
at the earlier one, and the last known test says most about the next.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

from refimpl.tasks import Predictor, TaskBatch

#: What share of the variance around the line of all is t2, q and s2, before any data;
#: their logarithms have deviation 1. For few tasks; many overrule it.
PRIOR = np.log([0.6, 0.1, 0.3])


def covariance(
    x: np.ndarray, other: np.ndarray, first: float, t2: float, q: float
) -> np.ndarray:
    """Of the levels at ``x`` [..., n] and ``other`` [..., m]: [..., n, m].

    Up to ``first`` the variance is ``t2``; from there it grows by ``q`` for each 1.
    """
    earlier = np.minimum(x[..., :, None], other[..., None, :])
    return t2 + q * np.maximum(earlier - first, 0)


def random_walk(train: TaskBatch) -> Predictor:
    """Fit line and variances to all tests of ``train``; predict by Bayes' rule.

    Variances are the most probable ones under ``PRIOR``, the line is fitted by
    generalized least squares. The predictor gives what a later score is on average,
    given the known ones. Raises a ValueError if a task of ``train`` or of a batch has
    several inputs or targets, or if ``train`` has no tests.
    """
    _check("train", train)
    x, y, mask = _all_tests(train)
    if not mask.any():
        raise ValueError("train: expected observed tests")
    first = float(x[mask].min())
    design = np.column_stack([np.ones(mask.sum()), x[mask]])
    residual = y[mask] - design @ np.linalg.lstsq(design, y[mask])[0]
    scale = max(float(residual.var()), 1e-9)

    def fitted(logs: np.ndarray) -> tuple[float, np.ndarray]:
        """Minus the log posterior of the logs of the shares, and the line."""
        t2, q, s2 = scale * np.exp(logs)
        there = mask[:, :, None] & mask[:, None]
        eye = np.eye(x.shape[1])
        cov = np.where(there, covariance(x, x, first, t2, q) + s2 * eye, eye)
        rows = np.stack([np.where(mask, 1.0, 0.0), np.where(mask, x, 0.0)], axis=2)
        values = np.where(mask, y, 0.0)[..., None]
        solved = np.linalg.solve(cov, np.concatenate([rows, values], axis=2))
        gram = np.einsum("mti,mtj->ij", rows, solved)
        line = np.linalg.lstsq(gram[:, :2], gram[:, 2])[0]
        off = values[..., 0] - rows @ line
        fit = (off * (solved[..., 2] - solved[..., :2] @ line)).sum()
        total = fit + np.linalg.slogdet(cov)[1].sum() + ((logs - PRIOR) ** 2).sum()
        return total / 2, line

    best = minimize(lambda logs: fitted(logs)[0], PRIOR, method="L-BFGS-B")
    t2, q, s2 = scale * np.exp(best.x)
    line = fitted(best.x)[1]

    def predict(batch: TaskBatch) -> np.ndarray:
        _check("batch", batch)
        known, asked = batch.support_x[..., 0], batch.query_x[..., 0]
        there = batch.support_mask == 1
        cov = covariance(known, known, first, t2, q) + s2 * np.eye(known.shape[1])
        both = there[:, :, None] & there[:, None]
        cov = np.where(both, cov, np.eye(known.shape[1]))
        off = batch.support_y[..., 0] - (line[0] + line[1] * known)
        weights = np.linalg.solve(cov, np.where(there, off, 0.0)[..., None])
        shared = covariance(asked, known, first, t2, q) * there[:, None]
        return (line[0] + line[1] * asked)[..., None] + shared @ weights

    return predict


def _all_tests(batch: TaskBatch) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inputs, targets and whether they were observed, of support and query: [M, T]."""
    x, y, mask = (
        np.concatenate(
            [getattr(batch, f"{part}_{name}") for part in ("support", "query")], axis=1
        )
        for name in ("x", "y", "mask")
    )
    return x[..., 0].astype(float), y[..., 0].astype(float), mask == 1


def _check(name: str, batch: TaskBatch) -> None:
    if batch.support_x.shape[2:] != (1,) or batch.support_y.shape[2:] != (1,):
        raise ValueError(f"{name}: expected one input and one target")
