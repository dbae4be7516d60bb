"""Make examples/class.csv: a made-up class, for chapter B.

    python examples/make_class.py

27 students and 20 questions, ten of algebra and ten of geometry, as a spreadsheet has
them: a row for each student, a column for each question, and a total. Each student has
an ability in each topic, with a correlation of 0.6; each question has a slope and an
easiness. A student answered between 5 and 20 of the questions, drawn at random: late
joiners, the ill, the slow and the quick. An answer is right with the probability of
item response theory. No such student exists; the names are numbers.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np

STUDENTS, TOPICS, EACH = 27, ("algebra", "geometry"), 10


def make(path: Path) -> None:
    """Write the file: 1 for right, 0 for wrong, nothing for not answered."""
    rng = np.random.default_rng(0)
    items = len(TOPICS) * EACH
    ability = rng.normal(size=(STUDENTS, 2)) @ [[1.0, 0.6], [0.0, 0.8]]
    slope = 0.7 + 0.8 * rng.random(items)
    easiness = 0.3 + 1.1 * rng.normal(size=items)
    logit = slope * np.repeat(ability, EACH, axis=1) + easiness
    right = rng.random(logit.shape) < 1 / (1 + np.exp(-logit))
    answers = rng.integers(5, items + 1, STUDENTS)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        topics = np.repeat(TOPICS, EACH)
        names = [f"Q{n:02} {topic}" for n, topic in enumerate(topics, start=1)]
        writer.writerow(["student", *names, "total"])
        for student in range(STUDENTS):
            answered = np.isin(
                np.arange(items), rng.permutation(items)[: answers[student]]
            )
            cells = np.where(answered, right[student].astype(int), "")
            total = int(right[student][answered].sum())
            writer.writerow([f"S{student + 1:02}", *cells, total])


if __name__ == "__main__":
    make(Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).parent / "class.csv")
