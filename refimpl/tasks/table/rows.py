"""Rows of a wide table that are no students: maxima, a key, averages, tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from refimpl.tasks.table.files import ROW
from refimpl.tasks.table.notes import Notes
from refimpl.tasks.table.words import (
    MAXIMUM_ROWS,
    NAME,
    NO_SCORES,
    NO_STUDENT_ROWS,
    UNSURE_ROWS,
    bare,
    plain,
)

if TYPE_CHECKING:
    import polars as pl


def label_columns(names: Sequence[str], student: Sequence[str]) -> list[str]:
    """Where a row's label may stand: the first of ``names``, ``student``, people's."""
    named = [name for name in names if NAME.fullmatch(bare(name))]
    return [*dict.fromkeys([names[0], *student, *named])]


def take_rows(
    frame: pl.DataFrame,
    student: Sequence[str],
    maximum: str | None,
    key: str | None,
    notes: Notes,
) -> tuple[pl.DataFrame, dict[str, str], dict[str, str]]:
    """``frame`` without rows that are no students, the row of maxima, that of the key.

    Rows come as {column: cell}, empty if there is none. ``maximum`` and ``key`` are
    labels that the caller has given; a ValueError is raised if one is not found once.
    ``student`` are the columns that name students; ``notes`` gets what is left out.
    """
    import polars as pl

    names = frame.columns[1:]
    where = label_columns(names, student)
    labels = pl.concat_list(pl.col(where).fill_null(""))
    cells = frame.select(ROW, labels.alias("labels"))
    found: dict[str, list[int]] = {}
    for row, own in cells.iter_rows():
        for label in {plain(text) for text in own} - {""}:
            found.setdefault(label, []).append(row)
    rows: dict[int, str] = {}
    given = {"maximum": maximum, "key": key}
    taken: dict[str, dict[str, str]] = {"maximum": {}, "key": {}}
    for role, said in given.items():
        if said is None:
            continue
        places = found.get(plain(said), [])
        if len(places) != 1:
            raise ValueError(
                f"{role}: expected one row with the label {said!r} in the student's "
                f"column or the first one, found {len(places)}"
            )
        rows[places[0]] = role
    places = [r for label in MAXIMUM_ROWS & found.keys() for r in found[label]]
    places = sorted({*places} - {*rows})
    if maximum is None and len(places) > 1:
        raise ValueError(
            f"maximum: expected one row of maxima, but rows {places[0]} and "
            f"{places[1]} look like such. Say the right one's label, maximum='label'"
        )
    if maximum is None and places:
        rows[places[0]] = "maximum"
        notes.say(f"Row {places[0]} holds the items' maxima.")
    rows |= {row: "maxima" for row in places if row not in rows}
    for row, role in rows.items():
        if role not in taken:
            continue
        own = frame.filter(pl.col(ROW) == row).row(0, named=True)
        taken[role] = {n: own[n] for n in names if own[n] and n not in where}
    for kind, known in NO_STUDENT_ROWS.items():
        for label in known & found.keys():
            rows |= {row: kind for row in found[label] if row not in rows}
    empty = pl.all_horizontal(
        pl.col(names).fill_null("").str.to_lowercase().is_in([*NO_SCORES])
    )
    unused = frame.filter(empty)
    labeled = unused.filter(pl.any_horizontal(pl.col(names).fill_null("") != ""))
    rows |= {row: "no grades" for row in labeled[ROW]}
    unsure = {row for label in UNSURE_ROWS & found.keys() for row in found[label]}
    if unsure := unsure - {*rows}:
        notes.warn(
            f"Row {min(unsure)} counts as a student, but its label could also mean "
            "maxima, a sum or a key. If so, say maximum= or key= with the label, or "
            "delete the row."
        )
    kinds = {row: kind for row, kind in sorted(rows.items()) if kind not in given}
    if kinds:
        listed = ", ".join(f"row {row} ({kind})" for row, kind in kinds.items())
        notes.warn(f"Left out, since they are no students: {listed}.")
    gone = [*rows, *unused[ROW]]
    return frame.filter(~pl.col(ROW).is_in(gone)), taken["maximum"], taken["key"]
