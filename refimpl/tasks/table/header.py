"""Which row is the header, and what its columns are called."""

from __future__ import annotations

import re
from collections.abc import Sequence

from refimpl.tasks.table.words import is_known

TOP = 30  # rows among which the header is looked for


def clean(name: str | None) -> str:
    """A header's cell with single, plain spaces, as a teacher would type it."""
    return " ".join((name or "").replace("\u200b", "").replace("\ufeff", "").split())


def find_header(rows: list[list[str]], wanted: Sequence[str]) -> tuple[int, int]:
    """The header's place among the first ``rows``, and how sure that is (2, 1 or 0).

    It is the first row that holds all ``wanted`` columns, which is sure, or else the
    one with most known names, or else the first that is not empty.
    """
    cleaned = [[clean(cell) for cell in row] for row in rows]
    for place, row in enumerate(cleaned):
        if wanted and all(name in row or _unnamed(name, row) for name in wanted):
            return place, 2
    known = [sum(is_known(cell) for cell in row if cell) for row in cleaned]
    if max(known, default=0) > 1:
        return known.index(max(known)), 1
    filled = [place for place, row in enumerate(cleaned) if any(row)]
    return (filled[0] if filled else 0), 0


def _unnamed(name: str, row: list[str]) -> bool:
    """Whether ``name`` is how :func:`unique_names` calls a column of ``row``."""
    match = re.fullmatch(r"(?:(.*) \()?column (\d+)\)?", name)
    if not match or sum(map(bool, row)) < 2 or int(match[2]) > len(row):
        return False
    return row[int(match[2]) - 1] == (match[1] or "")


def unique_names(found: Sequence[str | None]) -> tuple[list[str], list[str]]:
    """Names without spaces around them, all different, and those that were doubled.

    A column without a name is called by its place, "column 3"; one whose name stands
    before it already gets its place added.
    """
    names: list[str] = []
    doubled = []
    for place, name in enumerate(map(clean, found), start=1):
        own = name or f"column {place}"
        if own in names:
            doubled.append(own)
            own = f"{own} (column {place})"
        names.append(own)
    return names, doubled
