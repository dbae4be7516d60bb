"""From a table of text to answers: who, which item, which score, checked and coded.

A long module, since each thing that can be wrong in a table is told by its own message.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from refimpl.tasks.table_files import ROW, collect, open_table

if TYPE_CHECKING:
    import polars as pl

# Columns of the long table; those of a file have no space in front.
STUDENT, ITEM, SCORE, TIME = " student", " item", " score", " time"
MISSING = ["", "na", "n/a", "nan", "null"]
WORDS = {"true": "1", "right": "1", "false": "0", "wrong": "0"}
DATE = r"^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?)?Z?$"  # sorted as text
ANSWER = rf"[-+\d.,]+|{'|'.join(WORDS)}"  # in place of a column's name
SHOWN = 3  # how many examples a message gives


class Answers(NamedTuple):
    """The n answers of a table, sorted by student, then time if given, then item."""

    student: np.ndarray  #: int32 [n], the places of the sorted identifiers
    item: np.ndarray  #: int32 [n], places in ``items``
    score: np.ndarray  #: float32 [n]
    row: np.ndarray  #: int64 [n], where in the file; the header is row 1
    items: list[str]  #: sorted names
    students: int  #: how many there are, with or without answers


def read_answers(
    path: str | Path,
    student: str,
    item: str | None,
    score: str | None,
    time: str | None,
    ignore: Sequence[str],
    score_range: tuple[float, float] | None,
) -> Answers:
    """Read, check and code a table; arguments and errors as for ``GradebookTasks``.

    Identifiers live only as long as this function runs.
    """
    import polars as pl

    names, table = open_table(path, student)
    roles = {"student": student, "item": item, "score": score, "time": time}
    _check_columns(names, roles, ignore)
    columns = [name for name in names if name not in {student, *ignore}]
    if item is None:
        table = table.rename({student: STUDENT}).unpivot(
            columns, index=[ROW, STUDENT], variable_name=ITEM, value_name=SCORE
        )
    else:
        named = {f" {role}": name for role, name in roles.items() if name is not None}
        columns = []
        table = table.select(ROW, **{new: pl.col(old) for new, old in named.items()})
    text = pl.col(SCORE).fill_null("").str.to_lowercase()
    answered = table.filter(~text.is_in(MISSING)).with_columns(
        _number(text.replace(WORDS), pl.Float32).alias(SCORE)
    )
    students, items = (
        collect(part.select(name).filter(pl.col(name) != "").unique())[name].sort()
        for part, name in ((table, STUDENT), (answered, ITEM))
    )
    codes = _code(STUDENT, students), _code(ITEM, items)
    coded = collect(answered.with_columns(*codes))
    if not len(coded):
        raise ValueError("path: expected at least one answer, found none in the table")
    refuse = partial(_refuse, coded, items)
    refuse(pl.col(STUDENT).is_null(), "student: expected a value")
    refuse(pl.col(ITEM).is_null(), "item: expected a value")
    hint = "" if item else " (columns that are no items go into ignore)"
    words = f"score: expected numbers, true/false or right/wrong{hint}"
    refuse(pl.col(SCORE).is_null(), words)
    if score_range is not None:
        low, high = score_range
        inside = pl.col(SCORE).is_between(low, high)
        refuse(~inside, f"score_range: expected scores from {low:g} to {high:g}")
    order = [STUDENT, ITEM]
    if time is not None:
        order = [STUDENT, TIME, ITEM]
        coded = coded.with_columns(_times(coded, refuse))
    coded = coded.sort(order)
    again = pl.all_horizontal(pl.col(name) == pl.col(name).shift() for name in order)
    expected = (
        "path: expected one answer of a student to an item (at a time) "
        "(have two students one name?)"
    )
    _refuse(coded, items, again | again.shift(-1), expected)
    if unasked := [name for name in columns if name not in set(items)]:
        names_of = ", ".join(unasked[:20])
        message = f"left out: {len(unasked)} items without answers, {names_of}"
        warnings.warn(message, stacklevel=3)
    who, what, how, where = (coded[n].to_numpy() for n in (STUDENT, ITEM, SCORE, ROW))
    return Answers(who, what, how, where, items.to_list(), len(students))


def _refuse(
    coded: pl.DataFrame, items: pl.Series, wrong: pl.Expr, expected: str
) -> None:
    """Raise, naming the first rows, if there are any for which ``wrong`` holds."""
    found = coded.lazy().filter(wrong).select(ROW, ITEM).collect().sort(ROW, ITEM)
    if len(found):
        places = [
            f"row {row}" + ("" if item is None else f" (item {items[item]!r})")
            for row, item in found.head(SHOWN).rows()
        ]
        more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        raise ValueError(f"{expected}; see {', '.join(places)}{more}")


def _check_columns(
    names: list[str], roles: dict[str, str | None], ignore: Sequence[str]
) -> None:
    """Raise unless the arguments fit each other and name columns of the file."""
    student, item, score, time = roles.values()
    if (item is None) != (score is None) or (time is not None and item is None):
        raise ValueError(
            "item, score: expected both (a row per answer; time can be named, too) or "
            "neither (a row per student, a column per item)"
        )
    if isinstance(ignore, str):
        raise TypeError("ignore: expected a list of column names, got one name")
    given = [(role, name) for role, name in roles.items() if name is not None]
    for role, name in [*given, *(("ignore", name) for name in ignore)]:
        if name not in names:
            there = ", ".join(map(repr, names[:20]))
            if any(re.fullmatch(ANSWER, other, re.IGNORECASE) for other in names):
                there = "others, not shown: is the first line no header, but answers?"
            raise ValueError(f"{role}: found no column {name!r}; there are {there}")
    if len({name for _, name in given}) < len(given):
        raise ValueError("student, item, score, time: expected different columns")
    if item is None and not {*names} - {student, *ignore}:
        raise ValueError("item: expected columns besides the student's, found none")


def _number(text: pl.Expr, dtype: type[pl.DataType]) -> pl.Expr:
    """Text as a finite number, with a decimal point or comma; else null."""
    import polars as pl

    value = text.str.replace(",", ".", literal=True).cast(dtype, strict=False)
    return pl.when(value.is_finite()).then(value)


def _code(column: str, names: pl.Series) -> pl.Expr:
    """Each cell's place among the sorted names; null if it is missing."""
    import polars as pl

    known = pl.col(column).cast(pl.Enum(names), strict=False)
    return known.to_physical().cast(pl.Int32)


def _times(coded: pl.DataFrame, refuse: Callable) -> pl.Expr:
    """Numbers, or else dates as text, whose order is that of time."""
    import polars as pl

    number = _number(pl.col(TIME), pl.Float64)
    if not coded.select(number.is_null().any()).item():
        return number
    expected = (
        "time: expected only numbers, or only dates such as 2026-03-31 or "
        "2026-03-31 14:05"
    )
    refuse(~pl.col(TIME).fill_null("").str.contains(DATE), expected)
    return pl.col(TIME).str.replace("T", " ").str.strip_suffix("Z")
