"""The strongest rival of the class model: hierarchical item response theory, in full.

    python -m benchmarks.class_rivals

P = c_j + (1 - c_j) sigmoid(a_j theta_i + b_j) with log a_j ~ N(A, e^SA), b_j ~
N(B, e^SB), logit c_j ~ N(C, 0.4) of a class; and each of A, SA, B, SB, C of a class is
drawn from a normal distribution in turn: ``Hyper``. Abilities theta_i ~ N(0, 1) are
integrated over on a grid, as in chapter 6.1, all else by elliptical slice sampling
(Murray, Adams & MacKay 2010), for many classes at once.

The command estimates Hyper by expectation and maximization from complete classes that
the class model was trained on (empirical Bayes; ten minutes), and writes
benchmarks/results/class_priors.csv.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from benchmarks.class_model import RUNS
from benchmarks.results_file import RESULTS, write_table
from refimpl.baselines.item_fit import ItemPriors, grid
from refimpl.tasks.classes import ClassTasks

#: the runs of benchmarks.class_model whose classes they are estimated from
PRIORS = "everything", "quantitative test alone"

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
    draws: int = 1000,
    burn: int = 300,
    seed: int = 0,
) -> tuple[Tensor, Tensor]:
    """Posterior means of P [M, S, I], and draws of the five settings [n, M, 5].

    Of ``answers`` [M, S, I], where ``known`` is 1. An answer between 0 and 1 counts as
    so much of a right one, the rest of a wrong one.
    """
    M, _, J = answers.shape
    random = torch.Generator().manual_seed(seed)
    means, deviations = (torch.tensor(v) for v in zip(*hyper.values(), strict=True))
    size = 3 * J + len(hyper)  # all standard normal before the data
    points, log_prior = (torch.tensor(g, dtype=torch.float32) for g in grid(1))
    right, wrong = answers * known, (1 - answers) * known

    def settings(z: Tensor) -> Tensor:
        return means + deviations * z[:, -len(hyper) :]

    def chances(z: Tensor) -> Tensor:
        """P of each item at each ability of the grid, [M, J, G]."""
        A, SA, B, SB, C = settings(z).split(1, dim=1)
        za, zb, zc, _ = z.split([J, J, J, len(hyper)], dim=1)
        slope, easiness = torch.exp(A + SA.exp() * za), B + SB.exp() * zb
        p = torch.sigmoid(slope[..., None] * points[:, 0] + easiness[..., None])
        if guessing:
            c = torch.sigmoid(C + 0.4 * zc)[..., None]
            p = c + (1 - c) * p
        return p.clamp(1e-6, 1 - 1e-6)

    def joint(p: Tensor, r: Tensor, w: Tensor) -> Tensor:
        """log P(known answers, ability), [M, S, G]."""
        return r @ p.log() + w @ (1 - p).log() + log_prior

    def log_likelihood(z: Tensor, some: Tensor) -> Tensor:
        logs = joint(chances(z), right[some], wrong[some])
        return logs.logsumexp(dim=2).sum(dim=1)

    def rand(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=random)

    z = 0.1 * torch.randn(M, size, generator=random)
    now = log_likelihood(z, torch.arange(M))
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
            value = log_likelihood(proposed, todo)
            fits = value > least[todo]
            new[todo[fits]], now[todo[fits]] = proposed[fits], value[fits]
            todo = todo[~fits]
            below = angle[todo] < 0
            low[todo] = torch.where(below, angle[todo], low[todo])
            high[todo] = torch.where(below, high[todo], angle[todo])
            angle[todo] = low[todo] + (high[todo] - low[todo]) * rand(len(todo))
        z = new
        if draw >= burn:
            p = chances(z)
            total += joint(p, right, wrong).softmax(dim=2) @ p.transpose(1, 2)
            kept.append(settings(z))
    return total / draws, torch.stack(kept)


def estimate(run: str, guessing: bool, rounds: int, draws: int) -> Hyper:
    """Hyper of highest likelihood, about, for training classes of a ``run``."""
    weights = {name: w for name, w in RUNS[run].items() if name != "points"}
    tasks, rng, answers = ClassTasks(weights), np.random.default_rng(11), []
    for students, items in ((25, 15), (40, 30), (20, 40)):
        batch = tasks.sample(60, "train", rng, students, items, known=1)
        answers.append(torch.tensor(batch.support_y.reshape(60, students, items)))
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


def read_priors(folder: Path = RESULTS) -> dict[tuple[str, str], Hyper]:
    """What :func:`main` wrote: by run, and "2PL" or "3PL"."""
    table = pd.read_csv(folder / "class_priors.csv", comment="#")
    return {
        key: {s: (m, d) for s, m, d in own[["setting", "mean", "deviation"]].to_numpy()}
        for key, own in table.groupby(["run", "model"])
    }


def item_priors_of(hyper: Hyper) -> ItemPriors:
    """What ``hyper`` believes of an item of any class: means and deviations."""
    (A, own_a), (SA, own_sa), (B, own_b), (SB, own_sb), _ = hyper.values()
    log_var = own_a**2 + math.exp(2 * SA + 2 * own_sa**2)
    mean = math.exp(A + log_var / 2)
    deviation = mean * math.sqrt(math.exp(log_var) - 1)
    easiness = math.sqrt(own_b**2 + math.exp(2 * SB + 2 * own_sb**2))
    return ItemPriors(slopes=(mean, deviation), easiness=(B, easiness))


def main(rounds: int, draws: int, out: Path) -> None:
    torch.set_num_threads(1)
    rows = []
    for run in PRIORS:
        for model in ("2PL", "3PL"):
            hyper = estimate(run, model == "3PL", rounds, draws)
            for setting, (mean, deviation) in hyper.items():
                rows.append((run, model, setting, mean, deviation))
            print(*rows[-1], flush=True)
    columns = ["run", "model", "setting", "mean", "deviation"]
    table = pd.DataFrame(rows, columns=columns)
    write_table(out / "class_priors.csv", table, "python -m benchmarks.class_rivals")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--draws", type=int, default=300)
    parser.add_argument("--out", type=Path, default=RESULTS)
    main(**vars(parser.parse_args()))
