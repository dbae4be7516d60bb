"""Made-up classes: worlds that a class's answers may come from.

Each world is a function (classes, students, items, rng) -> answers [M, S, I], from 0 to
1: M, S and I are the numbers of ``classes``, ``students`` and ``items``. Its settings
are drawn anew for each class, and widely: what a network never met in training it
cannot know of a real class.
"""

from __future__ import annotations

import numpy as np


def skills(
    classes: int, students: int, items: int, rng: np.random.Generator
) -> np.ndarray:
    """Item response theory: one to three correlated skills, each item asks for some.

    P(right) = c_j + (1 - c_j - s) sigmoid(a_j . theta_i + b_j): items are easy or hard,
    flat or steep; in half of the classes they can be guessed.
    """
    return drawn(_chances(classes, students, items, rng), rng)


def points(
    classes: int, students: int, items: int, rng: np.random.Generator
) -> np.ndarray:
    """The same skills, but items are marked: a share of their 2 to 100 points."""
    chances = _chances(classes, students, items, rng).clip(1e-3, 1 - 1e-3)
    alike = rng.uniform(1.5, 12, (classes, 1, 1))
    share = rng.beta(chances * alike, (1 - chances) * alike)
    most = rng.choice([2, 3, 4, 5, 10, 20, 100], (classes, 1, items))
    return (np.round(share * most) / most).astype(np.float32)


def _chances(
    classes: int, students: int, items: int, rng: np.random.Generator
) -> np.ndarray:
    M, J = (classes, 1, 1), (classes, 1, items)
    ability = abilities(classes, students, 3, rng)
    first = rng.random((classes, items, 1)) < rng.choice(
        [1.0, 0.6, 0.4], (classes, 1, 1)
    )
    second = rng.random((classes, items, 1)) < 0.6
    asks = np.concatenate([first, ~first & second, ~first & ~second], axis=2) * 1.0
    both = rng.random((classes, items, 1)) < rng.choice([0, 0.5], (classes, 1, 1))
    asks = np.where(both, rng.dirichlet(np.ones(3), (classes, items)), asks)
    steep = _steepness(M, J, rng)
    logit = steep * np.einsum("msk,mik->msi", ability, asks) + _easiness(M, J, rng)
    chance = rng.uniform(0.1, 0.4, M) * (rng.random(M) < 0.5)
    chance = np.clip(chance * (1 + 0.3 * rng.normal(size=J)), 0, 0.6)
    slip = rng.uniform(0, 0.1, M) * (rng.random(M) < 0.5)
    return chance + (1 - chance - slip).clip(0) * sigmoid(logit)


def passages(
    classes: int, students: int, items: int, rng: np.random.Generator
) -> np.ndarray:
    """Testlets: items come in groups of about five, and a student's group has its luck.

    So the answers to a passage's items depend on each other beyond the ability.
    """
    M, J = (classes, 1, 1), (classes, 1, items)
    ability = abilities(classes, students, 1, rng)
    groups = min(items, max(2, items // 5))
    group = rng.integers(0, groups, J).repeat(students, axis=1)
    luck = rng.uniform(0.3, 1.3, M) * rng.normal(size=(classes, students, items))
    luck = np.take_along_axis(luck, group, axis=2)
    steep = _steepness(M, J, rng)
    return drawn(sigmoid(steep * (ability + luck) + _easiness(M, J, rng)), rng)


def abilities(
    classes: int, students: int, kinds: int, rng: np.random.Generator
) -> np.ndarray:
    """Of ``kinds`` correlated skills, [M, S, kinds]; some classes have outliers."""
    common = rng.normal(size=(classes, students, 1))
    own = rng.normal(size=(classes, students, kinds))
    alike = rng.uniform(0.2, 0.95, (classes, 1, 1))
    ability = np.sqrt(alike) * common + np.sqrt(1 - alike) * own if kinds > 1 else own
    far = rng.random((classes, students, 1)) < 0.1
    far &= rng.random((classes, 1, 1)) < 0.3
    spread = np.exp(rng.normal(0, 0.35, (classes, 1, 1)))
    return spread * (ability - 2 * far)


def _easiness(
    M: tuple[int, ...], J: tuple[int, ...], rng: np.random.Generator
) -> np.ndarray:
    """b_j [M, 1, I]: the class's questions are easy or hard, and more or less alike."""
    return rng.normal(0.6, 1.2, M) + rng.uniform(0.4, 2.4, M) * rng.normal(size=J)


def _steepness(
    M: tuple[int, ...], J: tuple[int, ...], rng: np.random.Generator
) -> np.ndarray:
    """a_j [M, 1, I], about 1.4: how much an item tells differs by class and by item."""
    log = rng.normal(0.3, 0.45, M) + rng.uniform(0, 0.5, M) * rng.normal(size=J)
    return np.exp(log)


def drawn(chances: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Right (1) or wrong (0), each with its own of the ``chances`` [M, S, I]."""
    return (rng.random(chances.shape) < chances).astype(np.float32)


def sigmoid(logit: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-``logit``)) of an array [...], without overflow."""
    return 0.5 * (1 + np.tanh(logit / 2))
