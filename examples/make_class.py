"""Make examples/class.csv: a made-up year group, for chapter B.

    python examples/make_class.py

240 students and 40 questions, 20 of algebra and 20 of geometry. Each student has an
ability in each, with a correlation of 0.6; each question has a slope and an easiness. A
student answered between 8 and 36 of the questions, drawn at random: late joiners, the
ill, the slow and the quick. An answer is right with the probability of item response
theory. No such student exists; the names are numbers.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np

STUDENTS, TOPICS, EACH = 240, ("algebra", "geometry"), 20


def make(path: Path) -> None:
    """Write the file: a row per answer, 1 for right and 0 for wrong."""
    rng = np.random.default_rng(0)
    items = len(TOPICS) * EACH
    ability = rng.normal(size=(STUDENTS, 2)) @ [[1.0, 0.6], [0.0, 0.8]]
    slope = 0.7 + 0.8 * rng.random(items)
    easiness = 0.3 + 1.1 * rng.normal(size=items)
    logit = slope * np.repeat(ability, EACH, axis=1) + easiness
    right = rng.random(logit.shape) < 1 / (1 + np.exp(-logit))
    answers = rng.integers(8, 37, STUDENTS)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["student", "question", "right"])
        for student in range(STUDENTS):
            for item in np.sort(rng.permutation(items)[: answers[student]]):
                question = f"{TOPICS[item // EACH]} {item % EACH + 1:02}"
                writer.writerow(
                    [f"S{student + 1:03}", question, int(right[student, item])]
                )


if __name__ == "__main__":
    make(Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).parent / "class.csv")
