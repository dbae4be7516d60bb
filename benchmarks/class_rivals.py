"""The strongest rival of the class model: hierarchical item response theory, in full.

Abilities theta_i ~ N(0, 1); P = c_j + (1 - c_j) sigmoid(a_j theta_i + b_j) with
log a_j ~ N(A, e^SA), b_j ~ N(B, e^SB), logit c_j ~ N(C, 0.4) of a class; and each of
A, SA, B, SB, C of a class is drawn from a normal distribution in turn: ``Hyper``. All
are integrated over by elliptical slice sampling (Murray, Adams & MacKay 2010), for many
classes at once. ``estimate`` fits Hyper to complete classes by expectation and
maximization: empirical Bayes, on what the class model was trained on.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

Hyper = dict[str, tuple[float, float]]
START: Hyper = {
    "A": (0.0, 0.4),
    "SA": (math.log(0.3), 0.5),
    "B": (0.0, 1.2),
    "SB": (0.0, 0.4),
    "C": (-2.0, 1.0),
}


def sample(
    answers: Tensor,
    known: Tensor,
    hyper: Hyper = START,
    guessing: bool = True,
    draws: int = 1500,
    burn: int = 500,
    seed: int = 0,
) -> tuple[Tensor, Tensor]:
    """Posterior means of P [M, S, I], and draws of the five settings [n, M, 5].

    Of ``answers`` [M, S, I], where ``known`` is 1. An answer between 0 and 1 counts as
    so much of a right one, the rest of a wrong one.
    """
    M, S, J = answers.shape
    random = torch.Generator().manual_seed(seed)
    means, deviations = (torch.tensor(v) for v in zip(*hyper.values(), strict=True))
    size = S + 3 * J + len(hyper)  # all standard normal before the data

    def settings(z: Tensor) -> Tensor:
        return means + deviations * z[:, -len(hyper) :]

    def chances(z: Tensor) -> Tensor:
        A, SA, B, SB, C = settings(z)[:, None, :].split(1, dim=2)
        theta, za, zb, zc, _ = z.split([S, J, J, J, len(hyper)], dim=1)
        slope = torch.exp(A + SA.exp() * za[:, None])
        p = torch.sigmoid(slope * theta[..., None] + B + SB.exp() * zb[:, None])
        if guessing:
            c = torch.sigmoid(C + 0.4 * zc[:, None])
            p = c + (1 - c) * p
        return p.clamp(1e-6, 1 - 1e-6)

    def log_likelihood(z: Tensor, y: Tensor, m: Tensor) -> Tensor:
        p = chances(z)
        return (m * (y * p.log() + (1 - y) * (1 - p).log())).sum((1, 2))

    def rand(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=random)

    z = 0.1 * torch.randn(M, size, generator=random)
    now = log_likelihood(z, answers, known)
    total, kept = torch.zeros(answers.shape), []
    for draw in range(burn + draws):
        other = torch.randn(M, size, generator=random)
        least = now + rand(M).log()
        angle = rand(M) * 2 * math.pi
        low, high = angle - 2 * math.pi, angle.clone()
        new, todo = z.clone(), torch.arange(M)
        while len(todo):
            cos, sin = angle[todo, None].cos(), angle[todo, None].sin()
            proposed = z[todo] * cos + other[todo] * sin
            value = log_likelihood(proposed, answers[todo], known[todo])
            fits = value > least[todo]
            new[todo[fits]], now[todo[fits]] = proposed[fits], value[fits]
            todo = todo[~fits]
            below = angle[todo] < 0
            low[todo] = torch.where(below, angle[todo], low[todo])
            high[todo] = torch.where(below, high[todo], angle[todo])
            angle[todo] = low[todo] + (high[todo] - low[todo]) * rand(len(todo))
        z = new
        if draw >= burn:
            total += chances(z)
            kept.append(settings(z))
    return total / draws, torch.stack(kept)


def estimate(answers: list[Tensor], guessing: bool, rounds: int, draws: int) -> Hyper:
    """Hyper of highest likelihood, about, for complete classes [M, S, I]."""
    hyper = START
    for turn in range(rounds):
        made = [
            sample(y, torch.ones_like(y), hyper, guessing, draws, draws, turn)[1]
            for y in answers
        ]
        every = torch.cat([kept.flatten(0, 1) for kept in made])
        hyper = {
            name: (float(column.mean()), float(column.std()))
            for name, column in zip(hyper, every.T, strict=True)
        }
    return hyper
