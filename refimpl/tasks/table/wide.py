"""A table with a row per student and a column per item: which columns, which rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from refimpl.tasks.table import shapes
from refimpl.tasks.table.choose import choose
from refimpl.tasks.table.columns import classify
from refimpl.tasks.table.files import ROW, Table, collect
from refimpl.tasks.table.grading import grade
from refimpl.tasks.table.header import clean
from refimpl.tasks.table.layouts import Column
from refimpl.tasks.table.notes import Notes
from refimpl.tasks.table.options import Options
from refimpl.tasks.table.rows import take_rows
from refimpl.tasks.table.words import shown

if TYPE_CHECKING:
    import polars as pl

STUDENT, ITEM, SCORE = " student", " item", " score"


class Wide(NamedTuple):
    """The items of a wide table, and its cells as a row per answer."""

    cells: pl.LazyFrame  #: ROW, STUDENT, ITEM, SCORE, all text but ROW
    items: list[Column]  #: in the file's order


def student_text(students: Sequence[str]) -> pl.Expr:
    """One text for who a row is about, of the columns ``students``, or an empty one."""
    import polars as pl

    cells = [pl.col(name).fill_null("") for name in students]
    return pl.concat_str(cells, separator="\x1f").str.strip_chars("\x1f")


def read_wide(table: Table, options: Options, notes: Notes) -> Wide:
    """Choose the items and rows of ``table``, as ``options`` say; ``notes`` gets why.

    Raises a ValueError that says what is not clear.
    """
    import polars as pl

    students, maximum, key = options.students, options.maximum, options.key
    for problem in (
        shapes.above_header(table.above),
        options.items is None and shapes.by_names(table.names, key),
    ):
        if problem:
            raise ValueError(problem)
    frame, maxima, keys = take_rows(
        collect(table.cells),
        students,
        maximum if isinstance(maximum, str) else None,
        key if isinstance(key, str) else None,
        notes,
    )
    frame = frame.with_columns(student_text(students).alias(STUDENT))
    names = [name for name in table.names if name not in {*students, *options.ignore}]
    if shapes.on_its_side(names, students[0], frame[STUDENT].to_list()):
        raise ValueError(shapes.TRANSPOSED)
    if isinstance(key, Mapping):
        keys = {clean(name): str(right) for name, right in key.items()}
    columns = classify(frame, names, maxima, options.gaps, yes_no=maximum == 1)
    notes.columns = columns
    items = choose(columns, table, options, keys, notes)
    own = maximum if isinstance(maximum, (int, float)) else None
    if own and {c.maximum for c in items} - {None, own}:
        notes.warn(f"The file states maxima, but maximum={own:g} was used.")
    frame = grade(frame, items, keys, options.gaps, notes)
    _one_row_each(frame, [c.name for c in items], options, notes)
    _doubled(table, items, notes)
    if shapes.may_lie_on_its_side([c.name for c in items]):
        notes.warn(
            "The items' names could be those of people. Are the columns students, and "
            "the rows items? Then turn the table first (paste special, transpose)."
        )
    wide = frame.select(ROW, STUDENT, *(pl.col(c.name).alias(c.item) for c in items))
    cells = wide.lazy().unpivot(
        [c.item for c in items],
        index=[ROW, STUDENT],
        variable_name=ITEM,
        value_name=SCORE,
    )
    return Wide(cells, items)


def _one_row_each(
    frame: pl.DataFrame, items: list[str], options: Options, notes: Notes
) -> None:
    """Raise a ValueError, naming rows, if a student has two that differ."""
    import polars as pl

    if options.attempts is not None:
        return
    cells = pl.concat_str([pl.col(n).fill_null("") for n in items], separator="\x1f")
    again = frame.select(ROW, STUDENT, cells.alias(SCORE)).filter(
        pl.col(STUDENT) != "", pl.col(STUDENT).is_duplicated()
    )
    same = again.filter(pl.struct(STUDENT, SCORE).is_duplicated())
    if not len(again):
        return
    groups = again.group_by(STUDENT, maintain_order=True).agg(ROW)[ROW].to_list()
    text = "; ".join("rows " + ", ".join(map(str, rows[:5])) for rows in groups[:3])
    several = len(again) * 2 > len(frame)
    hint = " Is each row one answer? Then say item= and score=." if several else ""
    text += f" and {len(groups) - 3} more" if len(groups) > 3 else ""
    if len(same) == len(again):
        notes.warn(f"Some rows stand twice, each counts once: {text}.")
        return
    raise ValueError(
        f"student: expected one row for each student, but have the same: {text}. Have "
        "two students one name? Then name more columns, student=['First name', 'Last "
        "name']. Are they several attempts? Then say attempts='first', 'last' or "
        f"'best'.{hint}"
    )


def _doubled(table: Table, items: list[Column], notes: Notes) -> None:
    """Warn if two items had one name."""
    here = [
        c
        for c in items
        if any(c.item.startswith(f"{n} (column ") for n in table.doubled)
    ]
    if here:
        listed = ", ".join(shown(c.name, table.names) for c in here[:5])
        notes.warn(
            f"{len(here)} columns have the name of an earlier one, and are items of "
            f"their own: {listed}. If a test stands there twice, ignore= one."
        )
