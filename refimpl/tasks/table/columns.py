"""What each column of a wide table is: an item, a total, a text, a date, an identifier.

A long module, since the reason for each decision is said in words.
"""

# ruff: noqa: RUF001 - letters of many languages
from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from refimpl.tasks.table import words
from refimpl.tasks.table.cells import KIND, LOOKS, OUT_OF, SCORES, TEXT, VALUE, parse
from refimpl.tasks.table.layouts import Column, layout, number, stated

if TYPE_CHECKING:
    import polars as pl

NAME = " name"
DISPLAY = re.compile(r" ?\((real|percentage|letter|punkte|prozentwert|prozent)\)$")
ROUNDED = 0.011  # how far a total may be off
DAY = r"[\d./-]{6,10}( [\d:]+)?|\d{1,2}/\d{1,2}|\d{1,2}\.\d{1,2}\.|\d{1,2}[- ][a-z]{3}"


def classify(
    frame: pl.DataFrame,
    names: Sequence[str],
    maxima: dict[str, str],
    gaps: Sequence[str],
    yes_no: bool,
) -> list[Column]:
    """What the columns ``names`` of ``frame`` are; rows that are no students are gone.

    ``maxima`` are the cells of a row of maxima; ``yes_no`` says that true and false
    are scores, ``gaps`` are more words for a gap. Kinds: item, total, identifier, date,
    text, letter, true/false, other, empty, unclear.
    """
    own = {column.name: column for column in layout(names)}
    found = _count(frame, names, gaps)
    columns = []
    for name in names:
        counts = found[name]
        kind = _kind(name, counts, yes_no)
        column = own.get(name) or Column(name, *kind, item=name)
        if own and name not in own and column.kind in ("item", "unclear"):
            column.kind, column.why = "other", "beside columns of points"
        if name in own and not counts["answers"]:
            column.kind, column.why = "empty", "it has no answer"
        column.maximum = column.maximum or number(maxima.get(name)) or stated(name)
        columns.append(column)
    _say_what_is_unclear(columns, found, bool(own))
    _drop_doubles(columns, found)
    _find_sums(frame, columns, gaps)
    return columns


def _count(
    frame: pl.DataFrame, names: Sequence[str], gaps: Sequence[str]
) -> dict[str, dict]:
    """For each column how many cells of each kind it has, and of its numbers a few."""
    import polars as pl

    counts = (
        frame.unpivot([*names], variable_name=NAME, value_name=TEXT)
        .with_columns(pl.col(TEXT).fill_null(""))
        .group_by(NAME, TEXT)
        .len("n")
    )
    cells = counts.join(parse(counts[TEXT], gaps), on=TEXT)
    numeric = pl.col(KIND) == "number"
    summary = cells.group_by(NAME).agg(
        *(
            pl.col("n").filter(pl.col(KIND) == k).sum().alias(k)
            for k in [*SCORES, *LOOKS]
        ),
        pl.col("n").filter(pl.col(KIND) != "gap").sum().alias("answers"),
        numeric.sum().alias("distinct"),
        pl.col(VALUE).filter(numeric).min().alias("least"),
        pl.col(VALUE).filter(numeric).max().alias("most"),
        (pl.col(VALUE).filter(numeric) % 1 == 0).all().alias("whole"),
        pl.col(VALUE).filter(numeric).is_between(0, 1).all().alias("shares"),
    )
    part = pl.col(OUT_OF).is_not_null()
    parts = cells.filter(part).group_by(NAME, OUT_OF).agg(pl.col("n").sum())
    usual = parts.group_by(NAME).agg(pl.col("n").max().alias("usual"))
    summary = summary.join(usual, on=NAME, how="left")
    return {row[NAME]: row for row in summary.iter_rows(named=True)}


def _kind(name: str, counts: dict, yes_no: bool) -> tuple[str, str]:
    """What a column is, by its header and its cells, and why."""
    header, answers = words.bare(name), counts["answers"]
    work = words.WORK.search(words.plain(name)) is not None
    for kind, pattern in (
        ("total", words.TOTAL),
        ("identifier", words.IDENTIFIER),
        ("text", words.NAME),
        ("date", words.DATE),
        ("other", words.OTHER),
        ("text", words.REMARK),
    ):
        if pattern.fullmatch(header):
            return kind, "by its header"
    if not answers:
        return "empty", "it has no answer"
    scores = sum(counts[kind] for kind in SCORES)
    scores += counts["true/false"] * yes_no + counts["ambiguous"]
    if counts["date"] * 2 > answers:
        return "date", "its cells are dates or times"
    if counts["fraction"] * 2 > answers and counts["usual"] < 0.8 * counts["fraction"]:
        return "text", "its cells look like 5/6, each out of another number"
    if scores * 2 < answers and not (work and (scores or counts["marked"])):
        for kind in ("letter", "true/false"):
            if counts[kind] * 2 > answers:
                return kind, f"its cells are {LOOKS[kind].lower()}"
        return "text", "its cells are words"
    if counts["number"] == answers and counts["whole"] and not work:
        many = counts["distinct"] >= max(4, 0.9 * answers)
        span = counts["most"] - counts["least"] + 1
        if many and (counts["least"] >= 1000 or span == counts["distinct"] >= 8):
            return "identifier", "its cells are different whole numbers"
        if counts["distinct"] == 1 and counts["most"] > 1:
            return "other", "its cells are all the same"
    if re.fullmatch(DAY, words.plain(name)):
        return "unclear", "its header is a date"
    if name.rstrip().endswith(("?", "？")) and not counts["shares"]:
        return "unclear", "its header is a question: are these answers or points?"
    return "item", "its cells are scores"


def _say_what_is_unclear(columns: list[Column], found: dict, own: bool) -> None:
    """Items of which others state a maximum, or have names of another kind."""
    items = [column for column in columns if column.kind == "item"]
    states = [
        c
        for c in items
        if c.maximum or found[c.name]["fraction"] or found[c.name]["percent"]
    ]
    work = [c for c in items if words.WORK.search(words.plain(c.name))]
    stems: dict[str, int] = {}
    for column in items:
        stem = re.sub(r"\d+", "", column.name)
        stems[stem] = stems.get(stem, 0) + (stem != column.name)
    for column in items:
        family = stems[re.sub(r"\d+", "", column.name)] > 1
        if own or column in states or column in work or family:
            continue
        if states:
            column.kind, column.why = "other", "no maximum, unlike others"
        elif len(work) > 2 or max(stems.values()) > 2:
            column.kind = "unclear"
            column.why = "its name is unlike those of the items"


def _drop_doubles(columns: list[Column], found: dict) -> None:
    """Moodle's Quiz (Real) beside Quiz (Percentage) are one item: the percentage."""
    same: dict[str, list[Column]] = {}
    for column in columns:
        if column.kind == "item":
            same.setdefault(DISPLAY.sub("", words.plain(column.name)), []).append(
                column
            )
    for group in same.values():
        best = max(group, key=lambda c: found[c.name]["percent"])
        for column in group if found[best.name]["percent"] else []:
            if column is not best:
                column.kind, column.why = "other", "it stands there in percent, too"


def _find_sums(frame: pl.DataFrame, columns: list[Column], gaps: Sequence[str]) -> None:
    """Items and unclear columns that are the sum or the mean of the others: totals."""
    import polars as pl

    items = [column for column in columns if column.kind in ("item", "unclear")]
    if len(items) < 4 or len(frame) < 4:
        return
    cells = frame.select(pl.col([c.name for c in items]).fill_null(""))
    texts = pl.concat([*cells]).unique()
    values = parse(texts, gaps)
    read = values[TEXT], values[VALUE].fill_null(np.nan)
    table = cells.select(
        pl.all().replace_strict(*read, return_dtype=pl.Float64)
    ).to_numpy()
    known = ~np.isnan(table)
    rest = np.nansum(table, axis=1, keepdims=True) - np.nan_to_num(table)
    others = (known.sum(axis=1, keepdims=True) - known).clip(1)
    looked = known & (rest > 0)
    for kind, made in (("sum", rest), ("mean", rest / others)):
        same = ((np.abs(made - table) < ROUNDED) & looked).sum(axis=0)
        for place in np.flatnonzero((same > 0.8 * looked.sum(axis=0)) & (same > 3))[:1]:
            items[place].kind = "total"
            items[place].why = f"it is the {kind} of the others"
            return
