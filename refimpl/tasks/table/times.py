"""The order of a student's answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from refimpl.tasks.table.long import TIME

if TYPE_CHECKING:
    import polars as pl

DATE = r"^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?)?Z?$"  # sorted as text


def times(coded: pl.DataFrame, refuse: Callable) -> pl.Expr:
    """Numbers, or else dates as text, whose order is that of time.

    ``coded`` are the answers; ``refuse`` is told where they are neither.
    """
    import polars as pl

    number = pl.col(TIME).str.replace(",", ".", literal=True)
    number = number.cast(pl.Float64, strict=False)
    if not coded.select((number.is_null() | ~number.is_finite()).any()).item():
        return number
    expected = (
        "time: expected only numbers, or only dates such as 2026-03-31 or "
        "2026-03-31 14:05"
    )
    refuse(~coded[TIME].fill_null("").str.contains(DATE), expected)
    return pl.col(TIME).str.replace("T", " ").str.strip_suffix("Z")
