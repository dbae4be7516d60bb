"""From a table of text to answers: who, which item, which score, checked and coded."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from refimpl.tasks.table_files import ROW, collect, listed, open_table

if TYPE_CHECKING:
    import polars as pl

# Columns of the long table; those of a file have no space in front.
STUDENT, ITEM, TEXT, TIME, SCORE, DATED = (
    f" {name}" for name in ("student", "item", "text", "time", "score", "dated")
)
MISSING = ["", "na", "n/a", "nan", "null"]
WORDS = {"true": "1", "right": "1", "false": "0", "wrong": "0"}
DATES = ["%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S%.f"]
SHOWN = 3  # how many examples a message gives


class Answers(NamedTuple):
    """The n answers of a table, sorted by student, then time if given, then item."""

    student: np.ndarray  # int32 [n], the places of the sorted identifiers
    item: np.ndarray  # int32 [n], places in ``items``
    score: np.ndarray  # float32 [n]
    row: np.ndarray  # int64 [n], where in the file; the header is row 1
    items: list[str]  # sorted names
    students: int  # how many there are, with or without answers


def read_answers(
    path: str | Path,
    student: str,
    item: str | None,
    score: str | None,
    time: str | None,
    ignore: Sequence[str],
    score_range: tuple[float, float] | None,
) -> Answers:
    """Read, check and code a table; arguments and errors as of ``GradebookTasks``.

    Identifiers live only as long as this function runs.
    """
    import polars as pl

    names, table = open_table(path, student)
    _check_columns(names, student, item, score, time, ignore)
    if item is None or score is None:
        columns = [name for name in names if name not in {student, *ignore}]
        long = _from_wide(table, student, columns)
    else:
        columns = []
        named = {STUDENT: student, ITEM: item, TEXT: score}
        named |= {TIME: time} if time is not None else {}
        long = table.select(ROW, **{new: pl.col(old) for new, old in named.items()})
    answered = _parsed(long).filter(~_missing(TEXT))
    everyone, asked, count = collect(
        long.filter(pl.col(STUDENT) != "").select(pl.col(STUDENT).unique()),
        answered.filter(pl.col(ITEM) != "").select(pl.col(ITEM).unique()),
        answered.select(pl.len()),
    )
    if count.item() == 0:
        raise ValueError("path: expected at least one answer, found none in the table")
    students, items = everyone[STUDENT].sort(), asked[ITEM].sort()
    [coded] = collect(
        answered.drop(TEXT).with_columns(_code(STUDENT, students), _code(ITEM, items))
    )
    for name, argument in ((STUDENT, "student"), (ITEM, "item")):
        _refuse(coded, pl.col(name).is_null(), f"{argument}: expected a value")
    if coded[SCORE].has_nulls():
        wide = bool(columns)
        raise ValueError(_bad_scores(answered, coded, students, items, wide))
    if time is not None:
        _check_times(coded)
    if score_range is not None:
        _check_range(coded, score_range)
    order = [STUDENT, ITEM] if time is None else [STUDENT, TIME, ITEM]
    coded = coded.sort(order)
    _check_duplicates(coded, order, items)
    if unasked := sorted({*columns} - {*items}):
        without = listed(unasked[:20], len(unasked))
        warnings.warn(f"left out: items without answers, {without}", stacklevel=3)
    return Answers(
        coded[STUDENT].to_numpy(),
        coded[ITEM].to_numpy(),
        coded[SCORE].to_numpy(),
        coded[ROW].to_numpy(),
        items.to_list(),
        len(students),
    )


def _from_wide(table: pl.LazyFrame, student: str, columns: list[str]) -> pl.LazyFrame:
    """A row per student and item, answered or not."""
    if not columns:
        raise ValueError("item: expected columns besides the student's, found none")
    return table.rename({student: STUDENT}).unpivot(
        columns, index=[ROW, STUDENT], variable_name=ITEM, value_name=TEXT
    )


def _check_columns(
    names: list[str],
    student: str,
    item: str | None,
    score: str | None,
    time: str | None,
    ignore: Sequence[str],
) -> None:
    """Raise unless the arguments fit each other and name columns of the file."""
    if (item is None) != (score is None):
        raise ValueError(
            "item, score: expected both (a row per answer) or neither (a row per "
            "student, a column per item)"
        )
    if time is not None and item is None:
        raise ValueError(
            "time: expected a table with a row per answer; name item, score"
        )
    if isinstance(ignore, str):
        raise TypeError("ignore: expected a list of column names, got one name")
    roles = {"student": student, "item": item, "score": score, "time": time}
    given = [(role, name) for role, name in roles.items() if name is not None]
    for role, name in [*given, *(("ignore", name) for name in ignore)]:
        if name not in names:
            raise ValueError(f"{role}: found no column {name!r}; {_columns(names)}")
    if len({name for _, name in given}) < len(given):
        raise ValueError(
            f"{', '.join(r for r, _ in given)}: expected different columns"
        )


def _columns(names: list[str]) -> str:
    """What columns there are, unless the first line looks like a student's answers."""
    for name in names:
        if name.lower() in WORDS or _is_number(name):
            return "the first line seems to hold answers: is it the header? (not shown)"
    return f"the columns are {listed(map(repr, names[:20]), len(names))}"


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True


def _missing(column: str) -> pl.Expr:
    import polars as pl

    return pl.col(column).fill_null("").str.to_lowercase().is_in(MISSING)


def _code(column: str, names: pl.Series) -> pl.Expr:
    """Each cell's place among the sorted names; null if it is missing."""
    import polars as pl

    known = pl.col(column).cast(pl.Enum(names), strict=False)
    return known.to_physical().cast(pl.Int32)


def _parsed(long: pl.LazyFrame) -> pl.LazyFrame:
    """The table with scores and times as numbers; null where a cell is not one."""
    import polars as pl

    def number(text: pl.Expr, dtype: type[pl.DataType]) -> pl.Expr:
        value = text.str.replace(",", ".", literal=True).cast(dtype, strict=False)
        return pl.when(value.is_finite() & ~text.str.starts_with("+")).then(value)

    words = pl.col(TEXT).str.to_lowercase().replace(WORDS)
    long = long.with_columns(number(words, pl.Float32).alias(SCORE))
    if TIME not in long.collect_schema():
        return long
    text = pl.col(TIME).str.replace("T", " ", literal=True).str.strip_suffix("Z")
    dates = [
        text.str.to_date(DATES[0], strict=False).cast(pl.Datetime("us")),
        *(text.str.to_datetime(f, strict=False, time_unit="us") for f in DATES[1:]),
    ]
    since = pl.coalesce(dates).dt.timestamp("us").cast(pl.Float64)
    plain = number(text, pl.Float64)
    return long.with_columns(
        pl.coalesce(plain, since).alias(TIME), plain.is_null().alias(DATED)
    )


def _refuse(coded: pl.DataFrame, wrong: pl.Expr, expected: str) -> None:
    """Raise, naming the first rows, if there are answers that are ``wrong``."""
    rows = coded.filter(wrong)[ROW].unique().sort()
    if len(rows):
        raise ValueError(f"{expected}; see rows {listed(rows[:SHOWN], len(rows))}")


def _bad_scores(
    answered: pl.LazyFrame,
    coded: pl.DataFrame,
    students: pl.Series,
    items: pl.Series,
    wide: bool,
) -> str:
    """What to say of scores that are not numbers.

    A column without a single number holds something else, perhaps names: its cells are
    not shown. Nor is a cell that equals a student's identifier.
    """
    import polars as pl

    bad = coded.filter(pl.col(SCORE).is_null())
    good = coded.filter(pl.col(SCORE).is_not_null())[ITEM].unique()
    strange = bad.filter(~pl.col(ITEM).is_in(good.implode()))[ITEM].unique().sort()
    if wide and len(strange):
        names = [repr(items[i]) for i in strange[:SHOWN]]
        return (
            "ignore: expected the columns that hold no scores; there is not a single "
            f"number in {listed(names, len(strange))}"
        )
    expected = "score: expected numbers, true/false or right/wrong"
    if len(bad) == len(coded):
        return f"{expected}; the column has none of these"
    rows = answered.filter(pl.col(SCORE).is_null()).select(ROW, ITEM, TEXT)
    [first] = collect(rows.sort(ROW, ITEM).head(SHOWN))
    examples = [
        f"{'a student' if text in students else repr(text[:20])} in row {row}"
        f" (item {item!r})"
        for row, item, text in first.rows()
    ]
    return f"{expected}, got {listed(examples, len(bad))}"


def _check_times(coded: pl.DataFrame) -> None:
    import polars as pl

    expected = "time: expected numbers, or dates such as 2026-03-31 or 2026-03-31 14:05"
    _refuse(coded, pl.col(TIME).is_null(), expected)
    dated = coded[DATED]
    if dated.any() and not dated.all():
        raise ValueError(f"{expected}, got some of each")


def _check_range(coded: pl.DataFrame, score_range: tuple[float, float]) -> None:
    import polars as pl

    try:
        low, high = map(float, score_range)
    except (TypeError, ValueError):
        raise TypeError(
            f"score_range: expected two numbers, got {score_range!r}"
        ) from None
    if not low < high:
        raise ValueError(f"score_range: expected low < high, got {score_range!r}")
    inside = pl.col(SCORE).is_between(low, high)
    _refuse(coded, ~inside, f"score_range: expected scores from {low:g} to {high:g}")


def _check_duplicates(coded: pl.DataFrame, key: list[str], items: pl.Series) -> None:
    """Raise if a sorted table has two answers of a student to the same item."""
    same = np.ones(max(len(coded) - 1, 0), bool)
    for name in key:
        column = coded[name].to_numpy()
        same &= column[1:] == column[:-1]
    places = np.flatnonzero(same)
    if len(places):
        row, item = coded[ROW], coded[ITEM]
        pairs = sorted(
            (*sorted((row[p], row[p + 1])), items[item[p]])
            for p in places[:SHOWN].tolist()
        )
        raise ValueError(
            "path: expected one answer of a student to an item (at a time), but "
            + listed(
                [f"rows {a} and {b} answer {i!r}" for a, b, i in pairs], len(places)
            )
        )
