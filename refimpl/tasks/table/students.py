"""Which columns may name the student."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from refimpl.tasks.table.files import Table, collect
from refimpl.tasks.table.notes import Notes
from refimpl.tasks.table.rows import take_rows
from refimpl.tasks.table.words import (
    FIRST_NAME,
    IDENTIFIER,
    LAST_NAME,
    LONG_ITEM,
    LONG_SCORE,
    NAME,
    bare,
    plain,
    referred,
)

if TYPE_CHECKING:
    import polars as pl

OWN_ID = re.compile(
    r"(anon )?(student|pupil|user|learner|participant|person|sid|sis)( ?(id|num|number|"
    r"user id|login id))?|sid|username|user ?name|学号|考号|学籍番号|matrikel.*|id|"
    r"id[ -](number|nummer)|e-?mail.*"
)


def candidates(table: Table) -> list[str | list[str]]:
    """Columns of ``table``, or pairs, that may name the student, the likeliest first.

    In a table with a row per student no two rows may have the same cell there.
    """
    names = table.names
    headers = {name: bare(name) for name in names}
    pair = [
        next((n for n, h in headers.items() if kind.fullmatch(h)), None)
        for kind in (FIRST_NAME, LAST_NAME)
    ]
    half = {name for name in pair if name}
    people = [n for n, h in headers.items() if NAME.fullmatch(h) and n not in half]
    own = [n for n, h in headers.items() if OWN_ID.fullmatch(h)]
    other = [n for n, h in headers.items() if IDENTIFIER.fullmatch(h)]
    plains = {plain(name) for name in names}
    if {*LONG_ITEM} & plains and {*LONG_SCORE} & plains:
        return [*dict.fromkeys([*own, *people])]
    singles = [*dict.fromkeys([*people, *own, *other])] or [referred(names[0], names)]
    tried: list[str | list[str]] = [*singles[:8]]
    if all(pair):
        tried.append([str(name) for name in pair])
    frame, _, _ = take_rows(collect(table.cells), [], None, None, Notes())
    unique = [own for own in tried if _is_unique(frame, own, names)]
    return unique or tried[:1]


def _is_unique(frame: pl.DataFrame, own: str | list[str], names: list[str]) -> bool:
    columns = [own] if isinstance(own, str) else own
    if columns[0] not in names:
        return True
    cells = frame.select(columns).filter(frame[columns[0]].fill_null("") != "")
    return len(cells) > 0 and not cells.is_duplicated().any()
