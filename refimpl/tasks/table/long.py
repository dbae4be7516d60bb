"""A table with a row per answer: which columns say who, what and how well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from refimpl.tasks.table.files import ROW, Table, collect
from refimpl.tasks.table.grading import RULE, graded
from refimpl.tasks.table.notes import Notes
from refimpl.tasks.table.options import Options
from refimpl.tasks.table.wide import ITEM, SCORE, STUDENT, student_text
from refimpl.tasks.table.words import (
    LONG_ITEM,
    LONG_MAXIMUM,
    LONG_SCORE,
    LONG_TIME,
    plain,
)

if TYPE_CHECKING:
    import polars as pl

TIME, MAXIMUM = " time", " maximum"


def find_long(table: Table, options: Options, notes: Notes) -> Options:
    """The options with item and score named, if the table is plainly a long one.

    That is so if columns of ``table`` have names such as question and correct, and
    most students have several rows. ``options`` are the caller's, ``notes`` gets why.
    """
    import polars as pl

    if options.item is not None or options.items is not None:
        return options
    names = {plain(name): name for name in reversed(table.names)}
    for name in (*options.students, *options.ignore):
        names.pop(plain(name), None)
    item, score = (first(names, known) for known in (LONG_ITEM, LONG_SCORE))
    if item is None or score is None or item == score:
        return options
    who = student_text(options.students)
    count = collect(
        table.cells.select(who.n_unique().alias("n"), pl.len().alias("all"))
    )
    if count["n"][0] * 2 > count["all"][0]:
        return options
    notes.warn(
        f"Read as a row per answer, the items from the column {item!r}, the scores "
        f"from {score!r}. If that is wrong, say item= and score=."
    )
    return options._replace(item=item, score=score)


def first(names: dict[str, str], known: list[str]) -> str | None:
    """The first of the ``known`` columns, as ``names`` has it written; or None."""
    return next((names[name] for name in known if name in names), None)


def time_column(table: Table) -> str | None:
    """A column of ``table`` that may order a student's answers, or None."""
    return first({plain(name): name for name in table.names}, LONG_TIME)


def read_long(table: Table, options: Options, notes: Notes) -> pl.LazyFrame:
    """ROW, STUDENT, ITEM, SCORE of ``table``, and TIME and MAXIMUM if known.

    ``options`` say which columns these are; ``notes`` gets what was decided. Raises a
    ValueError if the column of maxima is not there.
    """
    import polars as pl

    names = {plain(name): name for name in table.names}
    score = pl.col(options.score)  # type: ignore[arg-type]
    columns = {ITEM: pl.col(options.item), SCORE: score}  # type: ignore[arg-type]
    columns[STUDENT] = student_text(options.students)
    if options.time is not None:
        columns[TIME] = pl.col(options.time)
    maximum = options.maximum
    if maximum is None and (found := first(names, LONG_MAXIMUM)) is not None:
        maximum = found
        notes.say(f"The maxima are those of the column {found!r}.")
    if isinstance(maximum, str):
        if maximum not in table.names:
            raise ValueError(f"maximum: found no column {maximum!r} in the long table")
        columns[MAXIMUM] = pl.col(maximum)
    if isinstance(options.key, str):
        raise ValueError(
            "key: expected a dict of right answers by item, in a long table"
        )
    if options.key is not None:
        right = columns[ITEM].replace_strict(dict(options.key), default=None)
        columns[SCORE] = pl.when(right.is_not_null()).then(
            graded(score, right, options.gaps)
        )
        notes.say(f"{RULE} Items without a key are left out.")
    if {"assignment", "timestamp", "max score"} <= names.keys():
        handed = pl.col(names["timestamp"]).fill_null("") != ""
        columns[SCORE] = pl.when(handed).then(score)
        many = collect(table.cells.select((~handed).sum().alias("n")))["n"][0]
        notes.warn(
            f"{many} rows without a timestamp were not handed in: no answer, not 0."
        )
    return table.cells.select(
        pl.col(ROW), *(own.alias(name) for name, own in columns.items())
    )
