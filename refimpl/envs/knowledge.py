"""Students who learn and forget: Bayesian knowledge tracing with individual rates.

Corbett & Anderson (1995): a student knows a skill or does not. One who knows it slips
in an exercise with probability s, one who does not guesses right with probability g;
after the exercise one who did not know it has learned it with probability t. Here, each
student has rates of their own (Yudelson, Koedinger & Gordon 2013), a known skill is
forgotten with probability f at each exercise on another one (the exercises in between
are Khajah, Lindsey & Mozer's (2016) chances to forget), and skills have prerequisites.

``known`` [..., 5] is 1 where a skill is known, else 0, or its probability;
``practiced`` [...] is the skill of an exercise, ``rates`` are those of the students.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

# NEEDS[j, i]: skill j builds on skill i. 0 is the foundation of 1 and 2, these two are
# those of 3, and 3 is that of 4. Three choices are ours, not measured: this graph,
# SLOWDOWN, and that the prior (in the data, of a skill by itself) holds once the
# prerequisites are known.
SKILLS = 5
NEEDS = np.zeros((SKILLS, SKILLS), dtype=bool)
NEEDS[[1, 2, 3, 3, 4], [0, 0, 1, 2, 3]] = True
#: The share of its rate at which a skill is learned while one that it needs is not.
SLOWDOWN = 0.1


@dataclass(frozen=True)
class Rates:
    """The five rates of one student (numbers), or of N students (each [N])."""

    prior: Any  #: P(known before the session), once the prerequisites are
    learn: Any  #: t, P(learned by an exercise)
    forget: Any  #: f, P(forgotten by an exercise on another skill)
    guess: Any  #: g, P(right, if not known)
    slip: Any  #: s, P(wrong, if known)

    def columns(self, axes: int = 1) -> Rates:
        """The rates as [N, 1, ...], with ``axes`` ones; N is 1 if they are numbers."""
        shape = -1, *[1] * axes
        return Rates(*(np.reshape(rate, shape) for rate in vars(self).values()))


# Fitted by ``benchmarks.student_rates`` to ASSISTments 2009-10 (skill builder, the file
# of Piech et al. 2015), 41 skills, 3,246 students. In these data, sorted by skill, f is
# the chance from one exercise on a skill to the next one on it.
#: One set for everybody, as a tutor would fit it to ASSISTments 2009-10; medians over
#: skills of maximum likelihood estimates.
POOLED = Rates(prior=0.680, learn=0.125, forget=0.014, guess=0.096, slip=0.191)
#: The median student, if each adds normal numbers to the logits of all skills' rates.
MEDIAN = Rates(prior=0.645, learn=0.270, forget=0.0197, guess=0.073, slip=0.188)
#: The standard deviations of these numbers.
SPREAD = Rates(prior=1.45, learn=2.02, forget=0.765, guess=0.871, slip=0.675)
#: Knowing must not hurt, else the model is degenerate (Baker, Corbett & Aleven 2008).
HIGHEST = Rates(prior=1.0, learn=1.0, forget=1.0, guess=0.5, slip=0.5)


def draw_rates(
    normal: np.ndarray, median: Rates = MEDIAN, spread: Rates = SPREAD
) -> Rates:
    """Individual rates, each [N], from standard normal numbers z, ``normal`` [N, 5].

    logit(rate_i) = logit(``median``) + ``spread`` z_i, but no more than ``HIGHEST``.
    """
    middle, width, most = (
        np.array(list(vars(rates).values())) for rates in (median, spread, HIGHEST)
    )
    logits = np.log(middle / (1 - middle)) + width * normal
    return Rates(*np.minimum(1 / (1 + np.exp(-logits)), most).T)


def check_rates(rates: Rates, students: int, argument: str = "rates") -> Rates:
    """The ``rates`` as arrays; ValueError if one is not from 0 to 1, [``students``].

    It names the ``argument`` that they are.
    """
    values = {name: np.array(value, float) for name, value in vars(rates).items()}
    for name, value in values.items():
        if value.shape != (students,) or not ((value >= 0) & (value <= 1)).all():
            raise ValueError(
                f"{argument}: expected {name} from 0 to 1, of shape ({students},), "
                f"got {value}"
            )
    return Rates(**values)


def ready(known: np.ndarray) -> np.ndarray:
    """Whether all prerequisites of each skill are known, 0 or 1: [..., 5] to the same.

    Of probabilities it makes a probability, as if skills were independent.
    """
    return np.where(NEEDS, known[..., None, :], 1.0).prod(axis=-1)


def chances(known: np.ndarray, practiced: np.ndarray, rates: Rates) -> np.ndarray:
    """P(each skill is known after an exercise): [..., 5] and [...] to [..., 5].

    A known skill stays if it is practiced and else with probability 1 - f; an unknown
    one is learned with probability t if practiced, or t SLOWDOWN if it is not ready.
    Given probabilities of being known it averages over them.
    """
    it = np.asarray(practiced)[..., None] == np.arange(SKILLS)
    forget, learn = np.asarray(rates.forget), np.asarray(rates.learn)
    is_ready = ready(known)
    learned = learn[..., None] * (is_ready + (1 - is_ready) * SLOWDOWN)
    stays = np.where(it, 1.0, 1 - forget[..., None])
    return known * stays + (1 - known) * np.where(it, learned, 0.0)


def right_chance(known: np.ndarray, rates: Rates) -> np.ndarray:
    """P(right) of an exercise: 1 - s if the skill is known, g if not; any shape [...].

    Given a probability of being known, it averages over it.
    """
    return known * (1 - rates.slip) + (1 - known) * rates.guess


def first_known(prior: np.ndarray | float) -> np.ndarray:
    """P(known before the session) of each skill, from the ``prior`` [...]: [..., 5].

    A skill is known with the prior's probability if all that it rests on, directly or
    not, is known too: prior^(1 + their number).
    """
    rests_on = np.linalg.matrix_power(np.eye(SKILLS) + NEEDS, SKILLS) > 0
    return np.asarray(prior)[..., None] ** rests_on.sum(axis=1)


def trace(
    belief: np.ndarray, practiced: np.ndarray, right: np.ndarray, rates: Rates
) -> np.ndarray:
    """P(known) of each skill after an answer, which is ``right`` [N], 1, or 0: [N, 5].

    ``belief`` [N, 5] is P(known) before it. First Bayes' rule for the skill practiced,
    P(known | right) = p (1 - s) / P(right) and P(known | wrong) = p s / P(wrong), then
    the exercise's :func:`chances`. Corbett & Anderson's tutors do this with f = 0, and
    so keep what was mastered.
    """
    rows = np.arange(len(belief))
    p = belief[rows, practiced]
    p_right = right_chance(p, rates)
    evidence = np.where(right == 1, 1 - rates.slip, rates.slip)
    belief = belief.copy()
    belief[rows, practiced] = p * evidence / np.where(right == 1, p_right, 1 - p_right)
    return chances(belief, practiced, rates)
