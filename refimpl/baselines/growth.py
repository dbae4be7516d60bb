"""Growth curves without meta-learning: pooled, alone, direct, and hierarchical.

Each baseline ends in a function from a TaskBatch to predictions [M, Q, 1] of
its query targets; it looks at the support sets and the query inputs alone. Each takes
one input and one output, or raises a ValueError. A long module, since the five are to
be read side by side.
"""

from __future__ import annotations

import warnings

import numpy as np
import numpy.polynomial.legendre as legendre

from refimpl.checks import check_count
from refimpl.tasks import Predictor, TaskBatch


def pooled_polynomial(train: TaskBatch, degree: int = 1) -> Predictor:
    """One curve for all: least squares over every observed example of ``train``.

    A polynomial of ``degree`` 0 or more (or ValueError). The prediction depends on the
    query input alone, not on whose it is.
    """
    check_count("degree", degree, 0)
    _check(train)
    _, x, y = train.observed()
    curve = np.polynomial.Polynomial.fit(x[:, 0], y[:, 0], degree)

    def predict(batch: TaskBatch) -> np.ndarray:
        _check(batch)
        return curve(batch.query_x)

    return predict


def trusted_level(train: TaskBatch) -> Predictor:
    """The line of all, moved by ``w_k`` times the mean of the k known residuals.

    For each number of known examples k the trust ``w_k`` is the least-squares
    slope, through the origin, of the queries' residuals on the mean residual
    of the first k support examples of ``train``. Chapters 1 and 2 call it the
    smallest meta-learner.

    Raises
    ------
    ValueError
        If a task to be predicted has more support examples than the tasks of
        ``train``, or these lack some of theirs.
    """
    _check(train)
    _, x, y = train.observed()
    line = np.polynomial.Polynomial.fit(x[:, 0], y[:, 0], 1)

    def mean_residual(batch: TaskBatch, mask: np.ndarray) -> np.ndarray:
        residual = (batch.support_y - line(batch.support_x))[..., 0]
        return (residual * mask).sum(axis=1) / mask.sum(axis=1).clip(min=1)

    def trust(shots: int) -> float:
        mask = train.support_mask * (np.arange(train.support_mask.shape[1]) < shots)
        if mask.sum() != shots * len(train):
            raise ValueError(
                f"train: expected {shots} support examples of each task, "
                f"got {int(train.support_mask.sum(axis=1).min())} of some"
            )
        known = np.where(train.query_mask, mean_residual(train, mask)[:, None], 0)
        later = (train.query_y - line(train.query_x))[..., 0]
        return float((known * later).sum() / ((known**2).sum() or 1.0))

    def predict(batch: TaskBatch) -> np.ndarray:
        _check(batch)
        shots = batch.support_mask.sum(axis=1).astype(int)
        trusts = {k: trust(k) if k else 0.0 for k in np.unique(shots)}
        w = np.array([trusts[k] for k in shots])
        level = w * mean_residual(batch, batch.support_mask)
        return line(batch.query_x) + level[:, None, None]

    return predict


def each_alone(batch: TaskBatch) -> np.ndarray:
    """A line for each task of ``batch``, by least squares on its own support set.

    Raises
    ------
    ValueError
        If a task has not two support examples: the line would not be determined.
    """
    _check(batch)
    known = batch.support_mask == 1
    if (known.sum(axis=1) < 2).any():
        raise ValueError(
            "batch: expected at least 2 support examples of each task, "
            f"got {int(known.sum(axis=1).min())}"
        )
    prediction = np.empty_like(batch.query_y)
    for i, seen in enumerate(known):
        line = np.polynomial.Polynomial.fit(
            batch.support_x[i, seen, 0], batch.support_y[i, seen, 0], 1
        )
        prediction[i] = line(batch.query_x[i])
    return prediction


def direct_regression(train: TaskBatch) -> Predictor:
    """A later score as a linear function of the known ones: ordinary regression.

    For each query, the training tasks that have the same support inputs and
    that query input give a least-squares fit of its target on their support
    targets, with an intercept. No curve is assumed, only equal inputs.

    The predictor takes batches with as many support examples as ``train``, or
    with fewer: then it uses as many of ``train``, the first ones.

    Raises
    ------
    ValueError
        If a task to be predicted has no support example or an unobserved one, or
        too few training tasks have the inputs that are asked for.
    """
    _check(train)

    def predict(batch: TaskBatch) -> np.ndarray:
        _check(batch)
        if not (batch.support_mask == 1).all():
            raise ValueError("batch: expected each support example to be observed")
        shots = batch.support_x.shape[1]
        known_x, known_y = train.support_x[:, :shots, 0], train.support_y[:, :shots, 0]
        prediction = np.zeros_like(batch.query_y)
        for i, q in np.argwhere(batch.query_mask == 1):
            alike = (known_x == batch.support_x[i, :, 0]).all(axis=1)
            same = (train.query_x[..., 0] == batch.query_x[i, q, 0]) & alike[:, None]
            tasks, places = np.nonzero(same & (train.query_mask == 1))
            if len(tasks) <= shots + 1:
                asked = f"{batch.query_x[i, q, 0]} after {batch.support_x[i, :, 0]}"
                raise ValueError(
                    "batch: expected inputs that training tasks have, but "
                    f"{len(tasks)} have x = {asked}"
                )
            design = np.column_stack([np.ones(len(tasks)), known_y[tasks]])
            fit = np.linalg.lstsq(design, train.query_y[tasks, places, 0])[0]
            prediction[i, q, 0] = fit[0] + batch.support_y[i, :, 0] @ fit[1:]
        return prediction

    return predict


def hierarchical_polynomial(train: TaskBatch, degree: int) -> Predictor:
    """A curve for each task, drawn toward the curve of all (a mixed model).

    Task i has y = Z (b + u_i) + noise, where Z holds the powers of x up to
    ``degree``, b belongs to all and u_i ~ N(0, G) to the task. REML estimates
    b, G and the noise variance s2 from ``train`` (statsmodels); a new task's
    u is then predicted from its support set by

        u = G Z' (Z G Z' + s2 I)^-1 (y - Z b),

    the best linear unbiased predictor (Laird & Ware 1982). Legendre
    polynomials stand in for the powers: the same curves, but the optimizer
    converges.

    Raises
    ------
    ValueError
        If ``degree`` is below 0.
    RuntimeError
        If the optimizer does not converge.
    """
    from statsmodels.regression.mixed_linear_model import MixedLM

    check_count("degree", degree, 0)
    _check(train)
    task, x, y = train.observed()
    scale = np.abs(x).max()

    def basis(x: np.ndarray) -> np.ndarray:
        return legendre.legvander(x[:, 0] / scale, degree).astype(np.float64)

    with warnings.catch_warnings():
        # A variance of exactly zero is a fine estimate of a small one.
        warnings.filterwarnings("ignore", message=".*boundary of the parameter space")
        fit = MixedLM(y[:, 0].astype(np.float64), basis(x), task, basis(x)).fit(
            method="lbfgs", maxiter=1000
        )
    if not fit.converged:
        raise RuntimeError(f"hierarchical_polynomial: no convergence, degree {degree}")
    b, G, s2 = fit.fe_params, fit.cov_re, fit.scale

    def predict(batch: TaskBatch) -> np.ndarray:
        _check(batch)
        prediction = np.empty_like(batch.query_y)
        for i, seen in enumerate(batch.support_mask == 1):
            Z = basis(batch.support_x[i, seen])
            residual = batch.support_y[i, seen, 0] - Z @ b
            u = G @ Z.T @ np.linalg.solve(Z @ G @ Z.T + s2 * np.eye(len(Z)), residual)
            prediction[i, :, 0] = basis(batch.query_x[i]) @ (b + u)
        return prediction

    return predict


def _check(batch: TaskBatch) -> None:
    if batch.query_x.shape[2] != 1 or batch.query_y.shape[2] != 1:
        raise ValueError(
            "batch: expected one input and one output, got "
            f"{batch.query_x.shape[2]} and {batch.query_y.shape[2]}"
        )
