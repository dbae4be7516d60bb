"""What a report about a class holds, and the page that it makes.

No name: a student is a row of the teacher's file.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

COIN = math.log(2)
TEMPLATE = "report.html.jinja"


@dataclass(frozen=True, eq=False)
class Student:
    """What is to be said of one student."""

    row: int  #: of the teacher's file
    scores: np.ndarray  #: [J], NaN where there is no answer
    forecast: np.ndarray  #: [J], known answers as they are
    level: float  #: the expected mean over all items
    low: float  #: the lower end of its 80 % interval; NaN without one
    high: float  #: the upper end
    ask: Sequence[int] = ()  #: the items to ask next, the best first
    page: bool = True  #: whether the report has a page of it

    @property
    def known(self) -> int:
        """How many items were answered."""
        return int((~np.isnan(self.scores)).sum())

    @property
    def order(self) -> list[int]:
        """The items, the easiest for this student first."""
        return np.argsort(-self.forecast, kind="stable").tolist()

    def describe(self, items: Sequence[str]) -> str:
        """A sentence or three; ``items`` are the items' names."""
        told = f"{self.known} of {len(items)} answered"
        if self.known == len(items):
            return (
                f"All {len(items)} answered, mean {self.level:.2f}. "
                "Nothing is left to forecast."
            )
        expected = f"Expected mean over all items {self.level:.2f}"
        if np.isfinite(self.low):
            expected += f", 80 % interval from {self.low:.2f} to {self.high:.2f}"
        asks = "To ask next: " + "; ".join(items[j] for j in self.ask)
        if not len(self.ask):
            asks = "What to ask next, these answers cannot tell"
        return f"{told}. {expected}. {asks}."


class Item(NamedTuple):
    """How an item, of this ``name``, went in the class."""

    name: str
    answered: int  #: by how many students
    mean: float  #: of their scores
    expected: float  #: the mean of all students, answered or forecast


@dataclass(frozen=True, eq=False)
class ClassReport:
    """What is to be said of a class, made by ``class_report``."""

    items: list[str]  #: their names
    students: list[Student]  #: in the file's order
    losses: dict[str, float]  #: each model's, of answers that were hidden from it
    chosen: str  #: the model
    intervals: str  #: where they come from; empty if there are none
    notes: list[str] = field(default_factory=list)  #: what was read and left out, why

    def item_rows(self) -> list[Item]:
        """The items, the hardest for this class first."""
        scores = np.stack([s.scores for s in self.students])
        expected = np.stack([s.forecast for s in self.students]).mean(axis=0)
        answered = (~np.isnan(scores)).sum(axis=0)
        means = np.nansum(scores, axis=0) / np.maximum(answered, 1)
        return [
            Item(self.items[j], int(answered[j]), float(means[j]), float(expected[j]))
            for j in np.argsort(expected, kind="stable")
        ]

    def html(self, title: str = "Report about a class") -> str:
        """One page, headed ``title``, that needs no other file, nor a network."""
        import jinja2  # loads slowly: only when a page is wanted

        text = Path(__file__).with_name(TEMPLATE).read_text(encoding="utf-8")
        template = jinja2.Environment(autoescape=True).from_string(text)
        known = sum(student.known for student in self.students)
        open_ = len(self.students) * len(self.items) - known
        return template.render(
            report=self, title=title, known=known, open=open_, coin=COIN
        )

    def save(self, path: str | Path, title: str = "Report about a class") -> Path:
        """Write :meth:`html`, headed ``title``, to ``path``, whole.

        Raises a FileExistsError if there is a file, which is never overwritten.
        """
        path = Path(path)
        if path.exists():
            raise FileExistsError(f"out: expected a new file, {path} exists already")
        temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        try:
            temporary.write_text(self.html(title), encoding="utf-8")
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        return path
