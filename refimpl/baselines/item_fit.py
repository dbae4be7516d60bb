"""Item response theory's items, fitted to students over a grid of abilities.

A long module, since a fit has several models and what is believed of items before.

``train`` are training students, numbered answers to J items; ``items`` is J. The grid
of abilities has P points.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from refimpl.checks import check_items
from refimpl.tasks import TaskBatch

GUESSING = -1.4, 0.5  # mean and deviation of the logit of c_j: about one in five


class ItemPriors(NamedTuple):
    """What is believed of items before their answers: means and deviations, normal.

    Of ``slopes`` (of the first dimension) and ``easiness``. For few students, where
    maximum likelihood runs away. The defaults are weak.
    """

    slopes: tuple[float, float] = (1.0, 0.5)  #: a
    easiness: tuple[float, float] = (0.0, 1.5)  #: b


def item_means(train: TaskBatch, items: int) -> np.ndarray:
    """The share of right answers to each item, or its mean score: [J].

    One more answer, the mean of all, is counted in, so that an item that nobody
    met has a mean too, and none is exactly 0 or 1 (unless all are). Raises a ValueError
    if a number is that of no item.
    """
    _, x, y = train.observed()
    item = check_items(x[:, 0], items)
    count = np.bincount(item, minlength=items)
    return (np.bincount(item, y[:, 0], minlength=items) + y.mean()) / (count + 1)


class FittedItems(NamedTuple):
    """What :func:`fit_items` has learned."""

    slopes: np.ndarray  #: a, [J, dims]
    easiness: np.ndarray  #: b, [J]
    guessing: np.ndarray  #: c, [J], probabilities
    #: log P of right, wrong and, if wrong, each option, [J (2 + options), P]
    logs: np.ndarray
    log_prior: np.ndarray  #: log p(theta) on the grid, [P]


def fit_items(
    train: TaskBatch,
    items: int,
    dims: int,
    guessing: bool,
    options: int = 0,
    shared_slope: bool = False,
    priors: ItemPriors | None = None,
) -> FittedItems:
    """Marginal maximum likelihood; arguments as for :func:`item_response`.

    With ``priors``, the most probable parameters (maximum a posteriori; Mislevy 1986).
    Raises a ValueError if ``dims`` is neither 1 nor 2, or a prior has no deviation.
    """
    import torch  # for gradients; loads slowly

    if dims not in (1, 2):
        raise ValueError(f"dims: expected 1 or 2, got {dims}")
    for name, (_, deviation) in priors._asdict().items() if priors else ():
        if not deviation > 0:
            raise ValueError(f"priors: expected {name} to spread, got {deviation}")
    points, log_prior = map(torch.as_tensor, grid(dims))
    answers = torch.as_tensor(outcomes(train, items, options))
    means = item_means(train, items)
    rng = np.random.default_rng(0)
    slopes = np.concatenate(  # the further ones small, but not alike
        [np.full((items, 1), 0.8), rng.normal(0, 0.3, (items, dims - 1))], axis=1
    )
    logits = np.log(means / (1 - means))
    slopes = slopes[:1] if shared_slope else slopes
    b, a, c = map(torch.tensor, (logits, slopes, np.full(items, GUESSING[0])))
    to_option = torch.zeros(items, options, dims + 1, dtype=torch.float64)
    free = [b, a] + [c] * guessing + [to_option] * (options > 0)
    for tensor in free:
        tensor.requires_grad_()

    def log_probabilities() -> torch.Tensor:
        """Of right, wrong, and each option if wrong: [J (2 + options), P]."""
        c_j = torch.sigmoid(c) if guessing else torch.zeros(items)
        right = c_j + (1 - c_j) * torch.sigmoid(points @ a.T + b)
        right = right.clamp(1e-9, 1 - 1e-9)  # if all agree on an item, b_j would go on
        logs = [right.log()[..., None], (1 - right).log()[..., None]]
        if options:
            with_one = torch.nn.functional.pad(points, (0, 1), value=1.0)
            logits = torch.einsum("pd,jod->pjo", with_one, to_option)
            logs.append(logits.log_softmax(dim=2))
        return torch.cat(logs, dim=2).flatten(1).T

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        joint = answers @ log_probabilities() + log_prior
        value = -joint.logsumexp(dim=1).mean()
        believed = [(c, *GUESSING)] * guessing
        if priors:
            believed += [(a[:, :1], *priors.slopes), (b, *priors.easiness)]
        for tensor, mean, deviation in believed:
            off = (tensor - mean) / deviation
            value = value + (off**2).sum() / 2 / len(train)
        value.backward()
        return value

    # It stops after 200 iterations at the latest.
    optimizer = torch.optim.LBFGS(free, max_iter=200, line_search_fn="strong_wolfe")
    optimizer.step(loss)
    c_j = torch.sigmoid(c) if guessing else torch.zeros(items)
    made = (a.expand(items, dims), b, c_j, log_probabilities(), log_prior)
    return FittedItems(*(tensor.detach().numpy() for tensor in made))


def item_priors(*fits: FittedItems) -> ItemPriors:
    """Priors from other tests: mean and deviation of their fitted items.

    Raises a ValueError without a test of two items or more.
    """
    if sum(len(fit.easiness) for fit in fits) < 2:
        raise ValueError("fits: expected tests of two items or more")
    slopes = np.concatenate([fit.slopes[:, 0] for fit in fits])
    easiness = np.concatenate([fit.easiness for fit in fits])
    return ItemPriors(*((float(x.mean()), float(x.std())) for x in (slopes, easiness)))


def grid(dims: int) -> tuple[np.ndarray, np.ndarray]:
    """Abilities [P, ``dims``] from -4 to 4, and the logarithms of their weights [P]."""
    line = np.linspace(-4, 4, {1: 41, 2: 17}[dims])
    points = np.stack(np.meshgrid(*[line] * dims, indexing="ij"), axis=-1)
    points = points.reshape(-1, dims)
    log_weights = -(points**2).sum(axis=1) / 2
    return points, log_weights - np.log(np.exp(log_weights).sum())


def normalized(logs: np.ndarray) -> np.ndarray:
    """exp(``logs``) / sum exp(``logs``), row by row: [M, P] to the same."""
    weights = np.exp(logs - logs.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


def outcomes(
    batch: TaskBatch, items: int, options: int, support_only: bool = False
) -> np.ndarray:
    """Each student's answers as counts of right, wrong and option: [M, J (2 + O)].

    ``options`` is O; if ``support_only``, the queries of ``batch`` are not looked at.
    Raises a ValueError if a number is that of no item.
    """
    out = np.zeros((len(batch), items, 2 + options))
    for part in ("support",) if support_only else ("support", "query"):
        x, y, mask = (getattr(batch, f"{part}_{name}") for name in ("x", "y", "mask"))
        student, place = np.nonzero(mask)
        item = check_items(x[student, place, 0], items)
        right = y[student, place, 0] == 1
        out[student, item, np.where(right, 0, 1)] = 1
        if options:
            chosen = x[student, place, 1].astype(int)
            told = (chosen > 0) & ~right
            out[student[told], item[told], 1 + chosen[told]] = 1
    return out.reshape(len(batch), -1)
