"""Which row is the header, and what its columns are called."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from refimpl.tasks.table.words import SCORE_WORDS, TRUE_FALSE, is_known, plain

TOP = 30  # rows among which the header is looked for
PATTERN = re.compile(r"\*|\^.*\$|", re.DOTALL)  # what Polars takes for several columns
REFERENCE = re.compile(r"column (\d+)")
NUMBER = re.compile(r"-?\d+([.,]\d+)?")


def clean(name: str | None) -> str:
    """A header's cell, ``name``, with single, plain spaces, as a teacher types it."""
    return " ".join((name or "").replace("\u200b", "").replace("\ufeff", "").split())


def find_header(rows: list[list[str]], wanted: Sequence[str]) -> tuple[int, int]:
    """The header's place among the first ``rows``, and how sure that is (2, 1 or 0).

    It is the first row that holds all ``wanted`` columns, which is sure, or else the
    one with most known names, or else the first that is not empty.
    """
    cleaned = [[clean(cell) for cell in row] for row in rows]
    sure = [name for name in wanted if not REFERENCE.fullmatch(name)]
    for place, row in enumerate(cleaned):
        if sure and all(name in row for name in sure):
            return place, 2
    known = [sum(is_known(cell) for cell in row if cell) for row in cleaned]
    if max(known, default=0) > 1:
        return known.index(max(known)), 1
    filled = [place for place, row in enumerate(cleaned) if any(row)]
    return (filled[0] if filled else 0), 0


def refer(name: str, names: Sequence[str]) -> str:
    """Which of ``names`` "column 3" means, if none is called so; else ``name``."""
    place = REFERENCE.fullmatch(name)
    if name in names or place is None or not 0 < int(place[1]) <= len(names):
        return name
    return names[int(place[1]) - 1]


def seems_data(found: Sequence[str]) -> bool:
    """Whether a header, ``found``, is mostly scores: numbers other than 1, 2, 3."""
    cells = [re.sub(r" \(column \d+\)$", "", name) for name in found]
    numbers = [float(c.replace(",", ".")) for c in cells if NUMBER.fullmatch(c)]
    said = sum(plain(cell) in {*SCORE_WORDS, *TRUE_FALSE} for cell in cells)
    rising = len(numbers) > 1 and all(a < b for a, b in pairwise(numbers))
    return (len(numbers) + said) * 2 > len(found) - 1 and not (rising and not said)


def unique_names(found: Sequence[str | None]) -> tuple[list[str], list[str]]:
    """The names ``found`` without spaces around them, all different; doubled ones.

    A column without a name is called by its place, "column 3" (also one called "*" or
    "^...$", which Polars takes for a pattern); one whose name stands
    before it already gets its place added.
    """
    names: list[str] = []
    doubled = []
    for place, name in enumerate(map(clean, found), start=1):
        own = f"column {place}" if PATTERN.fullmatch(name) else name
        if own in names:
            doubled.append(own)
            own = f"{own} (column {place})"
        names.append(own)
    return names, doubled
