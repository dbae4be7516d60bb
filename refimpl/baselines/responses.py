"""Test answers without meta-learning: means, and item response theory.

Each baseline ends in a function from a TaskBatch to the probability [M, Q, 1] that a
query's answer is right; it looks at the support sets and the query inputs alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from refimpl.tasks import Predictor, TaskBatch

GUESSING = -1.4, 0.5  # mean and deviation of the logit of c_j: about one in five


@dataclass(frozen=True)
class ShrunkenLevel:
    """An item's mean, plus a share of the student's mean lead over K known ones.

    The share is K t2 / (K t2 + s2): the more answers, the more they are trusted.
    """

    items: np.ndarray  # [J]
    between: float  # t2, the variance of students' levels
    within: float  # s2, that of one answer around its student's level

    def __call__(self, batch: TaskBatch) -> np.ndarray:
        known = batch.support_y - self.items[batch.support_x[..., :1].astype(int)]
        total = (known[..., 0] * batch.support_mask).sum(axis=1)
        shots = batch.support_mask.sum(axis=1)
        own = self.between * total / (shots * self.between + self.within)
        return self.items[batch.query_x[..., :1].astype(int)] + own[:, None, None]


def item_means(train: TaskBatch, items: int) -> np.ndarray:
    """The share of right answers to each item, or its mean score: [J].

    One more answer, the mean of all, is counted in, so that an item that nobody
    met has a mean too, and none is exactly 0 or 1.
    """
    _, x, y = train.observed()
    item = x[:, 0].astype(int)
    count = np.bincount(item, minlength=items)
    return (np.bincount(item, y[:, 0], minlength=items) + y.mean()) / (count + 1)


def item_mean(train: TaskBatch, items: int) -> Predictor:
    """Everyone answers an item as the mean of all: nothing about the student."""
    means = item_means(train, items)
    return lambda batch: means[batch.query_x[..., :1].astype(int)]


def shrunken_student_mean(train: TaskBatch, items: int) -> ShrunkenLevel:
    """The item's mean, plus a share of how far the student's answers lay above theirs.

    The variances are moments of ``train``. It is a linear rule: for right and wrong a
    prediction may leave the range from 0 to 1.
    """
    means = item_means(train, items)
    student, x, y = train.observed()
    residual = y[:, 0] - means[x[:, 0].astype(int)]
    n = np.bincount(student)
    level = np.bincount(student, residual) / n
    within = ((residual - level[student]) ** 2).sum() / (len(residual) - len(n))
    return ShrunkenLevel(means, max(np.mean(level**2 - within / n), 0.0), within)


def item_response(
    train: TaskBatch,
    items: int,
    dims: int = 1,
    guessing: bool = False,
    options: int = 0,
    shared_slope: bool = False,
) -> Predictor:
    """Item response theory: P(right) = c_j + (1 - c_j) sigmoid(a_j . theta + b_j).

    The two-parameter model of Birnbaum (1968) has c_j = 0; ``guessing`` makes it the
    three-parameter model, with a weak prior on c_j. With ``options``, wrong answers
    choose among them by a softmax that is linear in theta, for batches whose inputs
    tell which: a nested logit model (Suh & Bolt 2010). With ``shared_slope``, all a_j
    are one: the one-parameter model (Rasch 1960), for few students.

    Items are fitted by marginal maximum likelihood (Bock & Aitkin 1981), over a grid
    of abilities theta ~ N(0, I) in ``dims`` dimensions. For a student the support set
    turns this into a posterior on the grid, and the prediction is the posterior's mean
    of P(right), which is a little better than P at the posterior's mean (EAP).
    Raises a ValueError if ``dims`` is neither 1 nor 2.
    """
    fitted = fit_items(train, items, dims, guessing, options, shared_slope)
    right = np.exp(fitted.logs.reshape(len(fitted.logs), items, -1)[..., 0])

    def predict(batch: TaskBatch) -> np.ndarray:
        known = _outcomes(batch, items, options, support_only=True)
        posterior = normalized(known @ fitted.logs.T + fitted.log_prior)
        asked = batch.query_x[..., 0].astype(int)
        return np.take_along_axis(posterior @ right, asked, axis=1)[..., None]

    return predict


class FittedItems(NamedTuple):
    """What :func:`item_response` has learned; the grid of abilities has P points."""

    slopes: np.ndarray  # a [J, dims]
    easiness: np.ndarray  # b [J]
    guessing: np.ndarray  # c [J], probabilities
    logs: np.ndarray  # of right, wrong, and each option if wrong: [P, J (2 + options)]
    log_prior: np.ndarray  # [P]


def fit_items(
    train: TaskBatch,
    items: int,
    dims: int,
    guessing: bool,
    options: int = 0,
    shared_slope: bool = False,
) -> FittedItems:
    """Marginal maximum likelihood, for the models of :func:`item_response`."""
    import torch  # for gradients; loads slowly

    if dims not in (1, 2):
        raise ValueError(f"dims: expected 1 or 2, got {dims}")
    points, log_prior = map(torch.as_tensor, grid(dims))
    answers = torch.as_tensor(_outcomes(train, items, options))
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
        """Of right, wrong, and each option if wrong: [P, J (2 + options)]."""
        c_j = torch.sigmoid(c) if guessing else torch.zeros(items)
        right = c_j + (1 - c_j) * torch.sigmoid(points @ a.T + b)
        right = right.clamp(1e-9, 1 - 1e-9)  # if all agree on an item, b_j would go on
        logs = [right.log()[..., None], (1 - right).log()[..., None]]
        if options:
            with_one = torch.nn.functional.pad(points, (0, 1), value=1.0)
            logits = torch.einsum("pd,jod->pjo", with_one, to_option)
            logs.append(logits.log_softmax(dim=2))
        return torch.cat(logs, dim=2).flatten(1)

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        joint = answers @ log_probabilities().T + log_prior
        value = -joint.logsumexp(dim=1).mean()
        if guessing:
            off = (c - GUESSING[0]) / GUESSING[1]
            value = value + (off**2).sum() / 2 / len(train)
        value.backward()
        return value

    optimizer = torch.optim.LBFGS(free, max_iter=200, line_search_fn="strong_wolfe")
    optimizer.step(loss)
    c_j = torch.sigmoid(c) if guessing else torch.zeros(items)
    made = (a.expand(items, dims), b, c_j, log_probabilities(), log_prior)
    return FittedItems(*(tensor.detach().numpy() for tensor in made))


def grid(dims: int) -> tuple[np.ndarray, np.ndarray]:
    """Abilities [P, dims] from -4 to 4, and the logarithms of their weights [P]."""
    line = np.linspace(-4, 4, {1: 41, 2: 17}[dims])
    points = np.stack(np.meshgrid(*[line] * dims, indexing="ij"), axis=-1)
    points = points.reshape(-1, dims)
    log_weights = -(points**2).sum(axis=1) / 2
    return points, log_weights - np.log(np.exp(log_weights).sum())


def normalized(logs: np.ndarray) -> np.ndarray:
    """exp(logs) / sum exp(logs), row by row."""
    weights = np.exp(logs - logs.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


def _outcomes(
    batch: TaskBatch, items: int, options: int, support_only: bool = False
) -> np.ndarray:
    """Each student's answers as counts of right, wrong and option: [M, J (2 + O)]."""
    out = np.zeros((len(batch), items, 2 + options))
    for part in ("support",) if support_only else ("support", "query"):
        x, y, mask = (getattr(batch, f"{part}_{name}") for name in ("x", "y", "mask"))
        student, place = np.nonzero(mask)
        item, right = x[student, place, 0].astype(int), y[student, place, 0] == 1
        out[student, item, np.where(right, 0, 1)] = 1
        if options:
            chosen = x[student, place, 1].astype(int)
            told = (chosen > 0) & ~right
            out[student[told], item[told], 1 + chosen[told]] = 1
    return out.reshape(len(batch), -1)
