"""The rates of the simulated students, fitted to real ones (some minutes).

    python -m benchmarks.student_rates builder_train.csv

The file is not part of this book: ASSISTments 2009-10, skill builder, in the form in
which Piech et al. (2015) trained on it: for each student three lines, how many answers,
their skills, and 1 or 0 for right or wrong. Takes the skills of 300 or more students
and of each student's answers to a skill the first 50. Writes to benchmarks/results

student_rates.csv    for each skill the maximum likelihood estimates of Bayesian
                     knowledge tracing with forgetting; then their median over skills
                     ("pooled"), that of estimates without forgetting, of the same
                     answers ("classic"), the median student ("median") and the standard
                     deviations of students' logits around it ("spread")

For the last two, student i adds u_i ~ N(m, diag(v)) to the logits of the rates of all
skills; m and v by expectation maximization, with the posterior of each u_i from 200
draws weighted by the likelihood (a student's first 20 answers to a skill; skills with
guess and slip below 1/2 and learning below .9 only, as the others' rates mean nothing).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from benchmarks.results_file import RESULTS, write_table

COMMAND = "python -m benchmarks.student_rates builder_train.csv"
NAMES = ["prior", "learn", "forget", "guess", "slip"]
START = [0.0, -1.7, -3.0, -1.0, -2.0]  # logits


def read(path: Path) -> pd.DataFrame:
    """One row for each answer: student, skill, right."""
    lines = [line.strip().strip(",") for line in path.read_text().splitlines()]
    parts = [
        pd.DataFrame(
            {"student": i, "skill": skills.split(","), "right": right.split(",")}
        )
        for i, (skills, right) in enumerate(zip(lines[1::3], lines[2::3], strict=True))
    ]
    answers = pd.concat(parts).astype({"right": int})
    met = answers.groupby("skill")["student"].nunique()
    return answers[answers["skill"].isin(met[met >= 300].index)]


def sequences(answers: pd.DataFrame, most: int) -> tuple[np.ndarray, ...]:
    """Student [S], skill [S], answers [S, most], -1 for none; the longest first."""
    groups = [
        (student, skill, part.to_numpy()[:most])
        for (student, skill), part in answers.groupby(["student", "skill"])["right"]
    ]
    groups.sort(key=lambda group: -len(group[2]))
    right = np.full((len(groups), most), -1)
    for row, (_, _, part) in zip(right, groups, strict=True):
        row[: len(part)] = part
    students, skills = (np.array([group[n] for group in groups]) for n in (0, 1))
    return np.unique(students, return_inverse=True)[1], skills, right


def log_likelihood(logits: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """log P(answers) of sequences: rates' logits [S, K, 5] and [S, T] to [S, K].

    The longest sequences come first, so that those that go on are the first m.
    """
    known, learn, forget, guess, slip = torch.sigmoid(logits).unbind(dim=2)
    total = torch.zeros_like(known)
    for answer in right.T:
        m = int((answer >= 0).sum())
        if m == 0:
            break
        is_right = answer[:m, None] == 1
        if_known = torch.where(is_right, 1 - slip[:m], slip[:m])
        if_not = torch.where(is_right, guess[:m], 1 - guess[:m])
        p = known[:m] * if_known + (1 - known[:m]) * if_not
        total = total + torch.nn.functional.pad(p.log(), (0, 0, 0, len(total) - m))
        posterior = known[:m] * if_known / p
        known = posterior * (1 - forget[:m]) + (1 - posterior) * learn[:m]
    return total


def fit_skills(
    skill: np.ndarray, right: np.ndarray, forget: float = START[2]
) -> np.ndarray:
    """The logits of each skill's rates, by maximum likelihood: [skills, 5].

    ``forget`` is where forgetting begins; from -40 it does not move.
    """
    answers = torch.as_tensor(right)
    start = [*START[:2], forget, *START[3:]]
    logits = torch.tensor([start] * (skill.max() + 1), dtype=torch.float64)
    logits.requires_grad_()
    optimizer = torch.optim.LBFGS(
        [logits], max_iter=150, history_size=20, line_search_fn="strong_wolfe"
    )

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        fit = log_likelihood(logits[skill][:, None], answers).sum()
        value = -fit / 1000 + 1e-6 * (logits**2).sum()  # keeps them finite
        value.backward()
        return value

    optimizer.step(loss)
    return logits.detach().numpy()


def fit_students(
    student: np.ndarray, logits: np.ndarray, right: np.ndarray, rounds: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """The mean m and the deviations of u_i, each [5], given logits [S, 5]."""
    rng = np.random.default_rng(seed)
    middle, width = np.zeros(5), np.ones(5)
    base, answers = (torch.as_tensor(x) for x in (logits[:, None], right))
    for step in range(rounds):
        u = middle + width * rng.standard_normal((student.max() + 1, 200, 5))
        fit = np.zeros(u.shape[:2])
        with torch.no_grad():
            for at in range(0, len(student), 2000):
                part = slice(at, at + 2000)
                moved = (base[part] + torch.as_tensor(u[student[part]])).float()
                value = log_likelihood(moved, answers[part]).numpy()
                np.add.at(fit, student[part], value)
        weight = np.exp(fit - fit.max(axis=1, keepdims=True))
        weight /= weight.sum(axis=1, keepdims=True)
        mean = (weight[..., None] * u).sum(axis=1).mean(axis=0)
        deviation = (weight[..., None] * (u - mean) ** 2).sum(axis=1).mean(
            axis=0
        ) ** 0.5
        faster = 1.8 if step < rounds * 2 // 3 else 1  # than plain EM, at first
        middle = middle + faster * (mean - middle)
        width = width * (deviation / width) ** faster
        print(step, middle.round(2), width.round(2), flush=True)
    return middle, width


def estimate(answers: pd.DataFrame, rounds: int = 80, seed: int = 0) -> pd.DataFrame:
    """The table of rates; see above."""
    student, names, right = sequences(answers, 50)
    found, skill = np.unique(names, return_inverse=True)
    logits = fit_skills(skill, right)
    classic = 1 / (1 + np.exp(-fit_skills(skill, right, forget=-40.0)))
    table = pd.DataFrame(1 / (1 + np.exp(-logits)), found, NAMES)
    table["students"] = np.bincount(skill)
    fine = (table["guess"] < 0.5) & (table["slip"] < 0.5) & (table["learn"] < 0.9)
    use = fine.to_numpy()[skill]
    again = np.unique(student[use], return_inverse=True)[1]
    middle, width = fit_students(
        again, logits[skill[use]], right[use, :20], rounds, seed
    )
    median = np.median(logits[fine.to_numpy()], axis=0) + middle
    table.loc["pooled"] = table.median()
    table.loc["classic"] = [
        *np.median(classic, axis=0),
        table.loc["pooled", "students"],
    ]
    table.loc["median"] = [*1 / (1 + np.exp(-median)), again.max() + 1]
    table.loc["spread"] = [*width, again.max() + 1]
    return table.rename_axis("skill").reset_index()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    table = estimate(read(options.file))
    print(table.round(4).to_string())
    write_table(options.out / "student_rates.csv", table, COMMAND, ("torch", "numpy"))
