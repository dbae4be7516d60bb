"""Which question next? The rules of computerized adaptive testing, N students at once.

A rule is a function of what was asked so far, ``items`` [N, t], of the ``answers``
[N, t], of ``allowed`` [N, J], where an item may be asked now, and of a generator
``rng``; it returns the next item of each student, [N]. ``model`` knows the items.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from refimpl.baselines.item_fit import normalized
from refimpl.baselines.posterior import Posterior
from refimpl.checks import check_count, check_rng
from refimpl.envs import AdaptiveTest, target_loss

Rule = Callable[[np.ndarray, np.ndarray, np.ndarray, np.random.Generator], np.ndarray]


def highest(scores: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """The allowed item of the highest of ``scores`` [N, J], in each row: [N]."""
    return np.where(allowed, scores, -np.inf).argmax(axis=1)


def at_random() -> Rule:
    """Any item that is allowed."""
    return lambda items, answers, allowed, rng: highest(
        rng.random(allowed.shape), allowed
    )


def fixed_form(order: np.ndarray) -> Rule:
    """A paper test: the same ``order`` [J] for all, without those not allowed."""
    rank = np.argsort(order)
    return lambda items, answers, allowed, rng: highest(
        np.broadcast_to(-rank, allowed.shape), allowed
    )


def maximum_information(model: Posterior, among: int = 1) -> Rule:
    """The largest Fisher information at the posterior's mean of the ability.

    The classic (Lord 1980). With ``among`` r > 1, "randomesque" (Kingsbury & Zara
    1989): one of the r most informative items is drawn, so that items are shared out.
    Raises a TypeError or ValueError if that is no number of items.
    """
    check_count("among", among, 1)

    def rule(items, answers, allowed, rng):
        information = model.information(model.mean(items, answers))
        best = np.where(allowed, information, -np.inf).argsort(axis=1)[:, -among:]
        good = np.take_along_axis(allowed, best, axis=1)  # fewer may be left
        drawn = highest(rng.random(best.shape), good)
        return best[np.arange(len(best)), drawn]

    return rule


def look_ahead(model: Posterior, chunk: int = 250) -> Rule:
    """The smallest expected log-loss on the target, one question ahead.

    After answer y to item j the model expects to lose H(P(right)), the entropy of its
    own prediction, on an item of the target; y is weighed by its probability. The
    target is what is neither allowed nor asked. Students are taken ``chunk`` by chunk.
    """

    def rule(items, answers, allowed, rng):
        target = ~allowed
        np.put_along_axis(target, items, False, axis=1)
        weights = model.weights(items, answers)
        parts = range(0, len(items), chunk)
        losses = [
            _expected_loss(model, *(x[i : i + chunk] for x in (weights, target)))
            for i in parts
        ]
        return highest(-np.concatenate(losses), allowed)

    return rule


def _expected_loss(
    model: Posterior, weights: np.ndarray, target: np.ndarray
) -> np.ndarray:
    """sum_y P(y) sum_k H(P(item k right | y)) for every item asked: [N, J]."""
    total = np.zeros(1)
    for likelihood in (model.right, 1 - model.right):  # [P, J], of y
        joint = np.einsum("np,pj->njp", weights, likelihood)
        p_y = joint.sum(axis=2)
        p = (joint @ model.right) / p_y[..., None]  # [N, J, J]
        entropy = -(p * np.log(p) + (1 - p) * np.log1p(-p))
        total = total + p_y * np.einsum("njk,nk->nj", entropy, target)
    return total


def best_form(
    correct: np.ndarray, model: Posterior, length: int, rng: np.random.Generator
) -> np.ndarray:
    """An order of all items [J] for :func:`fixed_form`, chosen greedily.

    Each of the first ``length`` items is the one that, asked after those before it,
    lowers the mean log-loss on the people of ``correct`` [N, J] most, each with a
    random half of the items as target. The others follow by mean information.
    Raises a ValueError if there are fewer items, a TypeError without a generator.
    """
    check_rng(rng)
    N, J = correct.shape
    check_count("length", length, 0, J)
    target = rng.random((N, J)).argsort(axis=1)[:, : J // 2]
    askable = np.ones((N, J), dtype=bool)
    np.put_along_axis(askable, target, False, axis=1)
    told = model.logs[np.arange(J) + np.where(correct == 1, J, 0)] * askable[..., None]
    joint = np.tile(model.log_prior, (N, 1))
    truth = np.take_along_axis(correct, target, axis=1)

    def loss(joint: np.ndarray) -> float:
        predicted = normalized(joint) @ model.right
        predicted = np.take_along_axis(predicted, target, axis=1)
        return target_loss(predicted, truth).mean()

    order: list[int] = []
    for _ in range(length):
        losses = [np.inf if j in order else loss(joint + told[:, j]) for j in range(J)]
        order.append(int(np.argmin(losses)))
        joint = joint + told[:, order[-1]]
    average = model.information(model.abilities).mean(axis=0)
    rest = [j for j in np.argsort(-average) if j not in order]
    return np.array(order + rest)


def play(
    envs: AdaptiveTest, rule: Rule, rng: np.random.Generator, **reset
) -> np.ndarray:
    """One session of each student: its loss before and after each question, [T + 1, N].

    ``rule`` asks in ``envs``; ``reset`` is what the environment's ``reset`` is given.
    What was asked stands in ``envs.items`` afterwards.
    """
    envs.reset(**reset)
    losses = [envs.loss]
    for _ in range(envs.questions):
        envs.step(rule(envs.items, envs.answers, envs.allowed, rng))
        losses.append(envs.loss)
    return np.array(losses)
