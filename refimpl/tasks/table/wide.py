"""A table with a row per student and a column per item: which columns, which rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatch
from typing import TYPE_CHECKING, NamedTuple

from refimpl.tasks.table import shapes
from refimpl.tasks.table.cells import KIND, TEXT, parse
from refimpl.tasks.table.columns import Column, classify, layout, stated
from refimpl.tasks.table.files import ROW, Table, collect
from refimpl.tasks.table.notes import Notes
from refimpl.tasks.table.options import Options
from refimpl.tasks.table.rows import take_rows
from refimpl.tasks.table.words import shown

if TYPE_CHECKING:
    import polars as pl

STUDENT, ITEM, SCORE = " student", " item", " score"
NOT_SCORES = "total", "identifier", "date", "other", "empty"
PLURAL = {
    "total": "totals",
    "identifier": "identifiers",
    "text": "texts",
    "date": "dates or times",
    "letter": "columns of letters",
    "true/false": "columns of True and False",
    "other": "other columns",
}


class Wide(NamedTuple):
    """The items of a wide table, and its cells as a row per answer."""

    cells: pl.LazyFrame  #: ROW, STUDENT, ITEM, SCORE, all text but ROW
    items: list[Column]
    columns: list[Column]  #: all but the student's


def student_text(students: Sequence[str]) -> pl.Expr:
    """One text for who a row is about; empty if no column says it."""
    import polars as pl

    cells = [pl.col(name).fill_null("") for name in students]
    return pl.concat_str(cells, separator="\x1f").str.strip_chars("\x1f")


def read_wide(table: Table, options: Options, notes: Notes) -> Wide:
    """Choose items and rows; raises a ValueError that says what is not clear."""
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
    if shapes.on_its_side(names, frame[STUDENT].to_list()):
        raise ValueError(shapes.TRANSPOSED)
    if isinstance(key, Mapping):
        keys = {name: str(right) for name, right in key.items()}
    columns = classify(frame, names, maxima, options.gaps, yes_no=maximum == 1)
    items = _choose(columns, table, options, keys, notes)
    frame = _grade(frame, items, keys, options.gaps, notes)
    _one_row_each(frame, [c.name for c in items], options, notes)
    _doubled(table, items, notes)
    wide = frame.select(ROW, STUDENT, *(pl.col(c.name).alias(c.item) for c in items))
    cells = wide.lazy().unpivot(
        [c.item for c in items],
        index=[ROW, STUDENT],
        variable_name=ITEM,
        value_name=SCORE,
    )
    return Wide(cells, items, columns)


def _choose(
    columns: list[Column],
    table: Table,
    options: Options,
    keys: Mapping[str, str],
    notes: Notes,
) -> list[Column]:
    """The columns that are items; what is left out goes into ``notes``."""
    names = table.names
    if options.items is not None:
        items = _named(columns, names, options, notes)
    elif keys:
        found = {column.name: column for column in columns}
        if isinstance(options.key, Mapping):
            if lost := [name for name in keys if name not in found]:
                raise ValueError(f"key: found no column {lost[0]!r} of an item")
            items = [c for c in columns if c.name in keys]
        else:
            items = [c for c in columns if c.name in keys and c.kind not in NOT_SCORES]
    else:
        items = [column for column in columns if column.kind == "item"]
        _clear(columns, items, names, options)
    for column in items:
        column.item = column.item or column.name
    _say_left_out(columns, items, names, loud=options.items is None, notes=notes)
    if keys and not isinstance(options.key, Mapping):
        for column in items:
            column.maximum = 1.0
    return items


def _named(
    columns: list[Column], names: list[str], options: Options, notes: Notes
) -> list[Column]:
    """The columns that ``items=`` names or that its pattern fits."""
    if isinstance(options.items, str):
        pattern = options.items.casefold()
        items = [c for c in columns if fnmatch(c.name.casefold(), pattern)]
        if not items:
            raise ValueError(f"items: no column fits the pattern {options.items!r}")
    else:
        wanted = [*(options.items or [])]
        there = {column.name for column in columns}
        if lost := [name for name in wanted if name not in there]:
            raise ValueError(f"items: found no column {lost[0]!r}")
        items = [column for column in columns if column.name in wanted]
    if odd := [c for c in items if c.kind in ("total", "identifier")]:
        listed = ", ".join(f"{shown(c.name, names)} ({c.kind})" for c in odd)
        notes.warn(f"Taken as items, since items= says so: {listed}.")
    return items


def _clear(
    columns: list[Column], items: list[Column], names: list[str], options: Options
) -> None:
    """Raise a ValueError if it is not clear what is an item, or nothing is."""
    unclear = [column for column in columns if column.kind == "unclear"]
    if unclear:
        which = ", ".join(f"{shown(c.name, names)} ({c.why})" for c in unclear[:5])
        drop = [*options.ignore, *(c.name for c in unclear)]
        raise ValueError(
            f"items: not clear whether these are items: {which}. Name those that are "
            f"(items=[…], or a pattern, items='Quiz*'), or leave others out (ignore=[…])"
            + (
                f", as in {options.call(ignore=drop)}"
                if all(shown(n, names) == repr(n) for n in drop)
                else ""
            )
        )
    if items:
        return
    kinds = [column.kind for column in columns]
    if kinds.count("letter") > 1:
        raise ValueError(shapes.LETTERS)
    if kinds.count("true/false"):
        raise ValueError(
            "key: the cells are True and False. If they say whether an answer was "
            f"right, they are scores out of 1: {options.call(maximum=1)}. If they are "
            'the answers, give the right ones: key={"item": "True"}, or the label of '
            "the row that holds them"
        )
    raise ValueError(
        "items: found no column of scores besides the student's; there are "
        + (_listed(columns) or "none")
    )


def _listed(columns: Sequence[Column]) -> str:
    counts: dict[str, int] = {}
    for column in columns:
        counts[column.kind] = counts.get(column.kind, 0) + 1
    return ", ".join(
        f"{n} {PLURAL.get(kind, kind + ' columns') if n > 1 else kind}"
        for kind, n in counts.items()
    )


def _say_left_out(
    columns: list[Column],
    items: list[Column],
    names: list[str],
    loud: bool,
    notes: Notes,
) -> None:
    chosen = {c.name for c in items} | {c.key for c in items}
    out = [c for c in columns if c.name not in chosen]
    empty = [c for c in out if c.kind == "empty"]
    if asked := [c for c in empty if not c.name.startswith("column ")]:
        listed = ", ".join(shown(c.name, names) for c in asked[:20])
        notes.warn(f"left out: {len(asked)} items without answers, {listed}")
    if len(asked) < len(empty):
        notes.say(f"Left out: {len(empty) - len(asked)} empty columns without a name.")
    if rest := [c for c in out if c.kind != "empty"]:
        some = ", ".join(shown(c.name, names) for c in rest[:12])
        more = ", …" if len(rest) > 12 else ""
        text = f"Left out, since they are no items: {_listed(rest)}: {some}{more}."
        (notes.warn if loud else notes.say)(text)


def _grade(
    frame: pl.DataFrame,
    items: list[Column],
    keys: Mapping[str, str],
    gaps: Sequence[str],
    notes: Notes,
) -> pl.DataFrame:
    """Answers as 1 where they agree with the right one, else 0; gaps stay gaps."""
    import polars as pl

    def same(text: pl.Expr) -> pl.Expr:
        text = text.fill_null("").str.normalize("NFKC").str.to_lowercase()
        return text.str.replace_all(r"\s+", " ").str.strip_chars()

    never = 0
    for column in items:
        right = pl.col(column.key) if column.key else pl.lit(keys.get(column.name))
        if column.key is None and column.name not in keys:
            continue
        parsed = parse(frame[column.name], gaps)
        empty = parsed.filter(pl.col(KIND) == "gap")[TEXT].implode()
        own = pl.col(column.name)
        none = own.fill_null("").is_in(empty)
        graded = frame.select(
            pl.when(~none)
            .then(pl.when(same(own) == same(right)).then(pl.lit("1")).otherwise(pl.lit("0")))
            .alias(column.name)
        )
        never += graded.to_series().drop_nulls().eq("1").sum() == 0
        frame = frame.with_columns(graded.to_series())
        column.maximum = 1.0
    if keys or any(c.key for c in items):
        notes.say("An answer counts as right where it agrees with the right one.")
    if never:
        notes.warn(f"Nobody gave the right answer to {never} items: is the key right?")
    return frame


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
    text += f" and {len(groups) - 3} more" if len(groups) > 3 else ""
    if len(same) == len(again):
        notes.warn(f"Some rows stand twice, each counts once: {text}.")
        return
    raise ValueError(
        f"student: expected one row for each student, but have the same: {text}. Have "
        "two students one name? Then name more columns, student=['First name', 'Last "
        "name']. Are they several attempts? Then say attempts='first', 'last' or 'best'"
    )


def _doubled(table: Table, items: list[Column], notes: Notes) -> None:
    """Warn if two items had one name."""
    here = [c for c in items if any(c.item.startswith(f"{n} (column ") for n in table.doubled)]
    if here:
        listed = ", ".join(shown(c.name, table.names) for c in here[:5])
        notes.warn(
            f"{len(here)} columns have the name of an earlier one and are items of their "
            f"own: {listed}. If a test stands in the file twice, leave one out (ignore=)."
        )
