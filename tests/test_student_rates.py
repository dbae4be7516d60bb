"""Where the simulated students' rates come from: the fit, and what is taken from it."""

from itertools import pairwise, product

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks.results_file import RESULTS
from benchmarks.student_rates import (
    NAMES,
    fit_skills,
    fit_students,
    log_likelihood,
    read,
)
from refimpl.baselines.tutoring import CLASSIC
from refimpl.envs.knowledge import MEDIAN, POOLED, SPREAD


@pytest.mark.parametrize(
    ("rates", "row"),
    [
        (POOLED, "pooled"),
        (CLASSIC, "classic"),
        (MEDIAN, "median"),
        (SPREAD, "spread"),
    ],
)
def test_the_frozen_rates_are_those_of_the_committed_fit(rates, row):
    table = pd.read_csv(RESULTS / "student_rates.csv", comment="#").set_index("skill")
    for name, value in vars(rates).items():
        assert value == pytest.approx(table.loc[row, name], rel=0.01, abs=1e-9), name


def test_the_likelihood_is_a_sum_over_hidden_paths():
    prior, learn, forget, guess, slip = 0.4, 0.3, 0.1, 0.2, 0.15
    answers = (1, 0, 1)
    total = 0.0
    for path in product((0, 1), repeat=3):  # known or not at each answer
        p = prior if path[0] else 1 - prior
        for before, after in pairwise(path):
            to_known = 1 - forget if before else learn
            p *= to_known if after else 1 - to_known
        for known, right in zip(path, answers, strict=True):
            p_right = 1 - slip if known else guess
            p *= p_right if right else 1 - p_right
        total += p
    logits = torch.logit(torch.tensor([[[prior, learn, forget, guess, slip]]]))
    two = log_likelihood(
        logits.double().expand(2, 1, 5), torch.tensor([[1, 0, 1], [1, -1, -1]])
    )
    first = prior * (1 - slip) + (1 - prior) * guess
    np.testing.assert_allclose(two[:, 0], np.log([total, first]), rtol=1e-5)


def test_the_fit_finds_the_rates_that_students_were_drawn_with():
    rng = np.random.default_rng(0)
    students, skills, length = 300, 6, 12
    median = np.log([0.5 / 0.5, 0.2 / 0.8, 0.03 / 0.97, 0.15 / 0.85, 0.1 / 0.9])
    width = np.array([1.2, 1.0, 0.3, 0.3, 0.3])
    student = np.repeat(np.arange(students), skills)
    skill = np.tile(np.arange(skills), students)
    logits = median + width * rng.standard_normal((students, 5))
    prior, learn, forget, guess, slip = (1 / (1 + np.exp(-logits[student]))).T
    right = np.zeros((len(student), length), int)
    known = rng.random(len(student)) < prior
    for t in range(length):
        luck = rng.random(len(student))
        right[:, t] = luck < np.where(known, 1 - slip, guess)
        known = rng.random(len(student)) < np.where(known, 1 - forget, learn)
    pooled = fit_skills(skill, right)
    middle, found = fit_students(student, pooled[skill], right, rounds=12, seed=0)
    gap = np.median(pooled, axis=0) + middle - median
    for name in ("prior", "learn", "guess", "slip"):
        assert gap[NAMES.index(name)] == pytest.approx(0, abs=0.3), name
    np.testing.assert_allclose(found[:2], width[:2], atol=0.3)
    assert (found[3:] < 0.6).all()


def test_a_file_is_read_as_its_three_lines(tmp_path):
    # Skill 7 is met by all 300 students, skill 8 by one: too few.
    path = tmp_path / "answers.csv"
    path.write_text("2\n7,8,\n1,0,\n" + "1\n7,\n0,\n" * 299)
    answers = read(path)
    assert len(answers) == 300
    assert set(answers["skill"]) == {"7"}
    assert answers["right"].sum() == 1
