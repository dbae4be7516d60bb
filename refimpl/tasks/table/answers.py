"""From a table of text to answers: who, which item, which share of its maximum.

A long module, since it is the way from the file to the numbers, in order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from refimpl.tasks.table.cells import KIND, OUT_OF, TEXT, parse
from refimpl.tasks.table.files import ROW, Table, collect, collect_all
from refimpl.tasks.table.long import TIME, read_long, time_column
from refimpl.tasks.table.notes import Notes
from refimpl.tasks.table.opening import open_options
from refimpl.tasks.table.options import Options
from refimpl.tasks.table.refusals import Refusals
from refimpl.tasks.table.repeats import resolve
from refimpl.tasks.table.shares import KINDS, to_shares
from refimpl.tasks.table.suspicions import say_gaps, suspect
from refimpl.tasks.table.times import times
from refimpl.tasks.table.wide import ITEM, SCORE, STUDENT, read_wide
from refimpl.tasks.table.words import is_known, shown

if TYPE_CHECKING:
    import polars as pl


class Cells(NamedTuple):
    """A table as a row per cell: who, which item, and the score's text."""

    cells: pl.LazyFrame  #: ROW, STUDENT, ITEM, SCORE, and TIME and MAXIMUM if known
    maxima: dict[str, float]  #: those that a wide table states
    items: list[str]  #: of a wide table, in order
    labels: dict[str, str]  #: what messages call them


class Answers(NamedTuple):
    """The n answers of a table, sorted by student, then time if given, then item."""

    student: np.ndarray  #: int32 [n], the students in the file's order
    item: np.ndarray  #: int32 [n], places in ``items``
    score: np.ndarray  #: float32 [n], shares of the item's maximum, 0 to 1
    row: np.ndarray  #: int64 [n], where in the file, as a spreadsheet counts
    items: list[str]  #: names, in the file's order
    order: np.ndarray  #: int64 [students], all of them, sorted by their identifiers


def read_answers(options: Options, notes: Notes) -> Answers:
    """Read, check and code a table; ``options`` and errors as for ``GradebookTasks``.

    What was decided goes into ``notes``. Identifiers live only as long as this runs.
    """
    table, options = open_options(options, notes)
    return code(find_cells(table, options, notes), table, options, notes)


def find_cells(table: Table, options: Options, notes: Notes) -> Cells:
    """The cells of ``table`` that hold scores; ``options``, ``notes``: as above."""
    if options.item is not None:
        return Cells(read_long(table, options, notes), {}, [], {})
    wide = read_wide(table, options, notes)
    maxima = {c.item: c.maximum for c in wide.items if c.maximum is not None}
    labels = {c.item: shown(c.name, table.names) for c in wide.items}
    return Cells(wide.cells, maxima, [*labels], labels)


def code(found: Cells, table: Table, options: Options, notes: Notes) -> Answers:
    """From the texts that were ``found`` in ``table`` to numbers.

    ``options`` and ``notes`` are those of :func:`read_answers`. Raises a ValueError
    that names rows and items.
    """
    import polars as pl

    coded, students, order = _to_numbers(found, options, notes)
    refuse = Refusals(coded, order, found.labels)
    refuse(
        coded[STUDENT].is_null(),
        "student: expected a value in each row that has scores. Delete a row that is "
        "no student, such as a second line of names; one that holds the maxima needs a "
        "label in the student's column, here 'Max', and then maximum='Max'",
    )
    refuse(coded[ITEM].is_null(), "item: expected a value")
    score = to_shares(coded, order, found.maxima, options, refuse)
    coded = coded.select(
        ROW, STUDENT, ITEM, *([TIME] if options.time else [])
    ).with_columns(pl.Series(SCORE, score))
    if options.time is not None:
        coded = coded.with_columns(times(coded, refuse))
    refuse.settle()
    again = "" if options.time else (time_column(table) or "")
    coded = resolve(coded, options, again if is_known(again) else "", notes)
    suspect(coded, students, options, notes)
    who, what, how, where = (coded[n].to_numpy() for n in (STUDENT, ITEM, SCORE, ROW))
    asked, what = np.unique(what, return_inverse=True)
    if left := len(order) - len(asked):
        notes.warn(f"left out: {left} items without answers")
    names = [order[place] for place in asked]
    by_name = students[STUDENT].arg_sort().to_numpy().astype(np.int64)
    return Answers(who, what.astype(np.int32), how, where, names, by_name)


def _to_numbers(
    found: Cells, options: Options, notes: Notes
) -> tuple[pl.DataFrame, pl.DataFrame, list[str]]:
    """The answers, coded and with what their cells say; the students; the items."""
    import polars as pl

    cells, order = found.cells, found.items
    cells = cells.with_columns(pl.col(SCORE).fill_null(""))
    firsts = [_first_rows(cells, name) for name in (STUDENT, ITEM)]
    students, seen, texts = collect_all([*firsts, cells.group_by(SCORE).len()])
    students = students.sort(ROW, STUDENT)
    order = order or seen.sort(ROW, ITEM)[ITEM].to_list()
    items = pl.Series(order, dtype=pl.String)
    parsed = parse(texts[SCORE].sort(), options.gaps)
    say_gaps(texts, parsed, notes)
    read = parsed.filter(pl.col(KIND) != "gap").with_columns(
        pl.col(KIND).cast(pl.Enum(KINDS))
    )
    if read[OUT_OF].is_null().all():  # spare the memory
        read = read.drop(OUT_OF)
    answered = cells.join(read.lazy(), left_on=SCORE, right_on=TEXT).drop(SCORE)
    codes = _code(STUDENT, students[STUDENT]), _code(ITEM, items)
    coded = collect(answered.with_columns(*codes))
    if not len(coded):
        raise ValueError("path: expected at least one answer, found none in the table")
    return coded, students, order


def _first_rows(cells: pl.LazyFrame, column: str) -> pl.LazyFrame:
    """The different texts of a column, with their first rows."""
    import polars as pl

    return cells.group_by(column).agg(pl.col(ROW).min()).filter(pl.col(column) != "")


def _code(column: str, names: pl.Series) -> pl.Expr:
    """Each cell's place among the names; null if it is missing."""
    import polars as pl

    known = pl.col(column).cast(pl.Enum(names), strict=False)
    return known.to_physical().cast(pl.Int32)
