"""A report about a class: what is known, what is expected, what to ask next.

No name: a student is a row of the teacher's file.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from refimpl.own_class.asking import to_ask, worth_asking
from refimpl.own_class.choosing import one_standard_error, student_losses, tried
from refimpl.own_class.intervals import cv_plus, mastery, units
from refimpl.own_class.reading import LEAST
from refimpl.own_class.rivals import readers

ASKED = 3  # items to ask next
PAGES = 100  # at most, of those with the fewest answers
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
        """A sentence or three."""
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


@dataclass(frozen=True, eq=False)
class ClassReport:
    """What is to be said of a class, made by :func:`class_report`."""

    items: list[str]  #: their names
    students: list[Student]  #: in the file's order
    losses: dict[str, float]  #: each model's, of answers that were hidden from it
    chosen: str  #: the model
    intervals: str  #: where they come from; empty if there are none
    notes: list[str] = field(default_factory=list)  #: what was read and left out, why

    def html(self, title: str = "Report about a class") -> str:
        """The report as one page that needs no other file, nor a network."""
        import jinja2  # loads slowly: only when a page is wanted

        text = Path(__file__).with_name(TEMPLATE).read_text(encoding="utf-8")
        template = jinja2.Environment(autoescape=True).from_string(text)
        known = sum(student.known for student in self.students)
        open_ = len(self.students) * len(self.items) - known
        return template.render(
            report=self, title=title, known=known, open=open_, coin=COIN
        )

    def save(self, path: str | Path, title: str = "Report about a class") -> Path:
        """Write :meth:`html` to ``path``, whole.

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


def check_class(scores: np.ndarray, items: Sequence[str], rows: Sequence[int]) -> None:
    """Raise a ValueError that says what :func:`class_report` expects."""
    if scores.ndim != 2 or scores.shape != (len(rows), len(items)):
        raise ValueError(
            f"scores: expected [{len(rows)} rows, {len(items)} items], "
            f"got {list(scores.shape)}"
        )
    if scores.shape[0] < LEAST or scores.shape[1] < 2:
        raise ValueError(
            f"scores: expected {LEAST} students or more and 2 items or more, "
            f"got {scores.shape[0]} and {scores.shape[1]}"
        )
    known = ~np.isnan(scores)
    if not ((scores[known] >= 0) & (scores[known] <= 1)).all():
        raise ValueError("scores: expected numbers from 0 to 1, or NaN")
    if not (known.sum(axis=1) > 1).any():
        raise ValueError("scores: expected a student with two answers or more")


def class_report(
    scores: np.ndarray,
    items: Sequence[str],
    rows: Sequence[int] | np.ndarray,
    notes: Sequence[str] = (),
    *,
    seed: int = 0,
    progress: Callable[[Iterable], Iterable] = iter,
) -> ClassReport:
    """Compare readers on hidden answers, forecast by the chosen one, find questions.

    ``scores`` [M, J] are a class's, from 0 to 1, NaN where there is no answer;
    ``items`` are the J names, ``rows`` [M] where each student stands in the file.
    ``progress`` wraps what is long, such as ``tqdm``. Raises a ValueError if there are
    fewer than five students or two items, nobody has two answers, or a score is not
    from 0 to 1.
    """
    check_class(scores, items, rows)
    binary = bool(np.isin(scores[~np.isnan(scores)], (0, 1)).all())
    every = readers(len(scores), binary)
    trials = {
        name: tried(reader, scores, np.random.default_rng(seed))
        for name, reader in progress(every.items())
    }
    losses = {name: student_losses(t, scores) for name, t in trials.items()}
    chosen = one_standard_error(losses)
    reader = every[chosen](scores)
    own = getattr(reader, "ends", None)
    ends = cv_plus(trials[chosen], scores) if own is None else own
    origin = "this class's own hidden answers (CV+)"
    if own is not None:
        origin = "classes of this size that the class model was calibrated on"
    if min(scores.shape) < LEAST:
        ends, origin = None, ""
    levels = mastery(scores, reader.forecast, ends)
    noise = None if binary else float(np.sqrt(sum(units(trials[chosen], scores))))
    least_known = np.argsort((~np.isnan(scores)).sum(axis=1), kind="stable")[:PAGES]
    asks = {
        i: to_ask(worth_asking(reader, i, scores[i], noise), ASKED)
        for i in progress(np.sort(least_known).tolist())
    }
    students = [
        Student(
            int(rows[i]),
            scores[i],
            reader.forecast[i],
            *map(float, levels[i]),
            asks.get(i, ()),
            i in asks,
        )
        for i in range(len(scores))
    ]
    means = {name: float(np.nanmean(loss)) for name, loss in losses.items()}
    return ClassReport([*items], students, means, chosen, origin, [*notes])
