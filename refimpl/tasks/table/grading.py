"""Answers beside a key: right where both agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from refimpl.tasks.table.cells import is_gap
from refimpl.tasks.table.layouts import Column
from refimpl.tasks.table.notes import Notes

if TYPE_CHECKING:
    import polars as pl

RULE = "An answer counts as right where it agrees with the right one."


def graded(answer: pl.Expr, right: pl.Expr, gaps: Sequence[str]) -> pl.Expr:
    """ "1" where ``answer`` agrees with ``right``, "0" where not; a gap stays one.

    Capitals and spaces do not count. ``gaps`` are more words for a gap.
    """
    import polars as pl

    def plain(text: pl.Expr) -> pl.Expr:
        text = text.fill_null("").str.normalize("NFKC").str.to_lowercase()
        return text.str.replace_all(r"\s+", " ").str.strip_chars()

    answer = plain(answer)
    agree = pl.when(answer == plain(right)).then(pl.lit("1")).otherwise(pl.lit("0"))
    return pl.when(~is_gap(answer, gaps)).then(agree)


def grade(
    frame: pl.DataFrame,
    items: list[Column],
    keys: Mapping[str, str],
    gaps: Sequence[str],
    notes: Notes,
) -> pl.DataFrame:
    """``frame`` with the answers to ``items`` that have a key as 1, 0 or a gap.

    ``keys`` are right answers by column, ``gaps`` more words for a gap; ``notes`` gets
    the rule.
    """
    import polars as pl

    never = 0
    with_key = [c for c in items if c.key or c.name in keys]
    for column in with_key:
        right = pl.col(column.key) if column.key else pl.lit(keys[column.name])
        own = graded(pl.col(column.name), right, gaps).alias(column.name)
        frame = frame.with_columns(own)
        never += not (frame[column.name] == "1").any()
        column.maximum = 1.0
    if with_key:
        notes.say(RULE)
    if never:
        notes.warn(f"Nobody gave the right answer to {never} items: is the key right?")
    return frame
