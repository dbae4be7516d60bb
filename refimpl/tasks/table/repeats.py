"""A student's several answers to one item."""

from __future__ import annotations

from typing import TYPE_CHECKING

from refimpl.tasks.table.files import ROW
from refimpl.tasks.table.long import TIME
from refimpl.tasks.table.notes import Notes
from refimpl.tasks.table.options import NeedsWordError, Options
from refimpl.tasks.table.wide import ITEM, SCORE, STUDENT

if TYPE_CHECKING:
    import polars as pl


def resolve(
    coded: pl.DataFrame, options: Options, time: str, notes: Notes
) -> pl.DataFrame:
    """Answers sorted by student, then time if given, then item; one of repeated ones.

    With ``attempts`` the first, the last or the best counts, in the order of time, or
    else of rows. Without, those with one score count once; a ValueError is raised if
    scores differ at the same time, or if there is no time. ``coded`` are the answers,
    ``options`` what the caller said, ``time`` is a column that the message may propose,
    ``notes`` gets what was left out.
    """
    import polars as pl

    timed = TIME in coded.columns
    key = [STUDENT, ITEM]
    attempts = options.attempts
    if attempts is not None:
        by = [TIME, ROW] if timed else [ROW]
        if attempts == "best":
            ordered = coded.sort(SCORE, *by, descending=[True, *(False for _ in by)])
        else:
            ordered = coded.sort(by, descending=attempts == "last")
        kept = ordered.unique(key, keep="first", maintain_order=True)
        if gone := len(coded) - len(kept):
            order = "" if attempts == "best" or timed else " in the order of the rows"
            notes.say(
                f"{gone} repeated answers were left out: of a student's answers to an "
                f"item the {attempts} one counts{order}."
            )
        return kept.sort([STUDENT, TIME, ITEM] if timed else key)
    key = [STUDENT, TIME, ITEM] if timed else key
    coded = coded.sort(key)
    again = coded.select(
        pl.all_horizontal(pl.col(n) == pl.col(n).shift() for n in key).fill_null(False)
    ).to_series()
    if not again.any():
        return coded
    coded = coded.sort(*key, ROW)  # of the same answers the first row counts
    twice = again | again.shift(-1, fill_value=False)
    other = coded.filter(twice).filter(pl.col(SCORE).n_unique().over(key) > 1)
    if len(other):
        rows = sorted({*other[ROW]})
        listed = ", ".join(map(str, rows[:6])) + (", …" if len(rows) > 6 else "")
        propose = f", or time={time!r}" if time else ""
        hint = (
            ""
            if timed
            else (
                ". If students answered again, say attempts='first', 'last' or 'best'"
                f"{propose}: {options.call(attempts='first')}"
            )
        )
        problem = (
            "path: expected one answer of a student to an item"
            f"{' at a time' if timed else ''}, but {len(other)} answers are repeated, "
            f"with other scores (see rows {listed}){hint}. If two students have one "
            "name, name more columns, student=['First name', 'Last name']"
        )
        if timed:
            raise ValueError(problem)
        raise NeedsWordError(problem, attempts="first")
    notes.warn(
        f"{int(again.sum())} answers stand in the file more than once, with the same "
        "score: each counts once."
    )
    return coded.filter(~again)
