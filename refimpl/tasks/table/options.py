"""What a caller says about a file, checked, and as a call to copy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

UNKNOWN = 1e9  # in place of a maximum that only the teacher knows
ATTEMPTS = ("first", "last", "best")


class NeedsWordError(ValueError):
    """The table can be read with one more word, says ``message``; ``words`` has it."""

    def __init__(self, message: str, **words: Any) -> None:
        super().__init__(message)
        self.words = words


class Options(NamedTuple):
    """The arguments of ``GradebookTasks`` that say what is where in a file.

    ``path``, ``student``, ``item``, ``score``, ``time``, ``sheet``, ``items``,
    ``ignore``, ``maximum``, ``key``, ``attempts`` and ``gaps`` are told there.
    """

    path: str | Path
    student: str | Sequence[str]
    item: str | None = None
    score: str | None = None
    time: str | None = None
    sheet: str | None = None
    items: str | Sequence[str] | None = None
    ignore: Sequence[str] = ()
    maximum: float | str | Mapping[str, float] | None = None
    key: str | Mapping[str, str] | None = None
    attempts: str | None = None
    gaps: Sequence[str] = ()

    @property
    def students(self) -> list[str]:
        """The columns that together identify a student."""
        one = isinstance(self.student, str)
        return [self.student] if one else [*self.student]  # type: ignore[list-item]

    def call(self, **more: Any) -> str:
        """The call to copy; ``...`` stands where only the teacher knows the value."""
        said = self._asdict() | more
        path, student = str(said.pop("path")), said.pop("student")
        words = [repr(path), repr(student if isinstance(student, str) else [*student])]
        defaults = self._field_defaults
        for name, value in said.items():
            if value is ... or value != defaults[name]:
                text = "..." if value is ... else repr(value)
                words.append(f"{name}={text}")
        return f"GradebookTasks({', '.join(words)})"

    def check(self) -> None:
        """Raise a TypeError or ValueError unless the arguments fit each other."""
        for name in ("ignore", "gaps"):
            if isinstance(getattr(self, name), str):
                raise TypeError(f"{name}: expected a list, got one text")
        students = self.students
        if not students or not all(isinstance(name, str) for name in students):
            raise TypeError("student: expected a column's name, or a list of names")
        if (self.item is None) != (self.score is None):
            raise ValueError(
                "item, score: expected both (a row per answer; time can be named, too) "
                "or neither (a row per student, a column per item)"
            )
        if self.attempts not in (None, *ATTEMPTS):
            raise ValueError(f"attempts: expected one of {', '.join(ATTEMPTS)} or None")
        maxima = self.maximum
        if maxima is ...:
            raise ValueError("maximum: put the score of a full answer in place of ...")
        if isinstance(maxima, Mapping):
            numbers = [*maxima.values()]
        else:
            numbers = [] if maxima is None or isinstance(maxima, str) else [maxima]
        for number in numbers:
            fits = isinstance(number, (int, float)) and not isinstance(number, bool)
            if not fits or not 0 < number < float("inf"):
                raise ValueError(
                    "maximum: expected a number above 0, one for each item as a dict, "
                    "or the label of the row (the column of a long table) that holds it"
                )
        given = [
            n for n in (*students, self.item, self.score, self.time) if n is not None
        ]
        if len({*given}) < len(given):
            raise ValueError("student, item, score, time: expected different columns")
