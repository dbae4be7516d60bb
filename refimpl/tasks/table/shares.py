"""Scores as shares of the items' maxima, and what is refused on the way.

A long module, since each thing that can be wrong with a score has its message.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from refimpl.tasks.table.cells import KIND, LOOKS, OUT_OF, SCORES, VALUE
from refimpl.tasks.table.header import clean
from refimpl.tasks.table.long import MAXIMUM
from refimpl.tasks.table.options import Options
from refimpl.tasks.table.wide import ITEM
from refimpl.tasks.table.words import IS_SCORE, plain

if TYPE_CHECKING:
    import polars as pl

KINDS = ["gap", *SCORES, *LOOKS]
FEW = 0.05  # a share of scores that is rather a mistake than another scale
WHAT_TO_DO = {
    "letter": "Letters are no scores: export points. For a gap, say gaps=[…]",
    "date": "Did the spreadsheet take a score such as 5/6 for a date? Type it anew",
    "error": "Mend the formula in the spreadsheet, or empty the cell",
    "ambiguous": "Write 1234 or 1.234, without a mark between thousands",
    "marked": "Take the unit or the mark away",
    "text": "If it stands for no answer, say gaps=[…] with the word",
}


def to_shares(
    coded: pl.DataFrame,
    names: list[str],
    maxima: Mapping[str, float],
    options: Options,
    refuse: Callable,
) -> np.ndarray:
    """The share of the item's maximum of each answer, float32 [n], 0 to 1.

    ``coded`` are the n answers, ``names`` the items, ``maxima`` those that the file
    states, ``options`` what the caller said. ``refuse`` is told, with a mask, which
    cells are no scores, and where a maximum is missing. Raises a ValueError if
    ``maximum`` names an item that is not there.
    """
    _true_and_false(coded, options, refuse)
    for kind, todo in WHAT_TO_DO.items():
        looks = LOOKS[kind]
        refuse(coded[KIND] == kind, f"score: expected numbers, found {looks}. {todo}")
    value = coded[VALUE].to_numpy().astype(np.float64)
    limit = np.ones(len(value))
    number = (coded[KIND] == "number").to_numpy()
    limit[number] = _limits(coded, names, maxima, options, refuse)[number]
    if OUT_OF in coded.columns:
        out_of = coded[OUT_OF].fill_null(np.nan).to_numpy()
        limit = np.where(np.isnan(out_of), limit, out_of)
    asked = np.isnan(limit)
    if asked.any():
        _right_or_wrong(coded, value, asked, options, refuse)
        limit[asked] = np.where(np.isin(value[asked], [0, 1]), 1.0, np.inf)
    _same_scale(coded, number, refuse)
    series = type(coded[VALUE])
    most = limit * (1 + 1e-6)
    top = f" {options.maximum:g}" if isinstance(options.maximum, (int, float)) else ""
    refuse(series(value < 0), "score: expected 0 or more. For a gap, say gaps=[…]")
    refuse(
        series(value > most),
        f"score: expected at most the maximum{top}. Mistyped? A code for a gap (say "
        "gaps=[…])? Extra credit? Then lower it to the maximum, or raise maximum=",
    )
    return (value / limit).clip(0, 1).astype(np.float32)


def _true_and_false(coded: pl.DataFrame, options: Options, refuse: Callable) -> None:
    """Refuse True and False where they may be answers rather than scores."""
    named = options.score is not None and IS_SCORE.search(plain(options.score))
    if named or options.maximum == 1:
        return
    refuse(
        coded[KIND] == "true/false",
        "score: True and False may be answers, or say whether an answer was right. If "
        'they are scores, say maximum=1; if they are answers, key={"item": "True"} '
        "(the right ones)",
        maximum=1,
    )


def _limits(
    coded: pl.DataFrame,
    names: list[str],
    maxima: Mapping[str, float],
    options: Options,
    refuse: Callable,
) -> np.ndarray:
    """The maximum of each answer's item; NaN where neither file nor caller says it."""
    import polars as pl

    given = options.maximum
    if MAXIMUM in coded.columns:
        own = coded[MAXIMUM].fill_null("").str.replace(",", ".", literal=True)
        limits = own.cast(pl.Float64, strict=False).fill_null(0.0)
        refuse(~(limits > 0), "maximum: expected a number above 0 in the column")
        return np.where(limits > 0, limits, 1.0)
    own_of = dict(maxima)
    if isinstance(given, Mapping):
        named = {clean(name): float(number) for name, number in given.items()}
        if lost := [name for name in named if name not in {*names, *maxima}]:
            raise ValueError(f"maximum: found no item {lost[0]!r} with answers")
        own_of |= named
    elif given is not None and not isinstance(given, str):
        # Said by the caller, whatever the file states.
        own_of = dict.fromkeys(names, float(given))
    each = np.array([own_of.get(name, np.nan) for name in names])
    return each[coded[ITEM].fill_null(0).to_numpy()]


def _right_or_wrong(
    coded: pl.DataFrame,
    value: np.ndarray,
    asked: np.ndarray,
    options: Options,
    refuse: Callable,
) -> None:
    """Raise unless all scores whose maximum nobody says are 0 or 1."""
    import polars as pl

    other = asked & ~np.isin(value, [0, 1]) & ~np.isnan(value)
    if not other.any():
        return
    shares = np.nanmax(value[asked]) <= 1
    maximum = 1 if shares else ...
    call = options.call(maximum=maximum)
    if other.sum() <= FEW * asked.sum():
        refuse(
            pl.Series(other),
            "score: expected 0 or 1, as nearly all scores are. Mistyped? If items have "
            f"more points, or they are shares already, say it: {call}",
            **({"maximum": 1} if shares else {}),
        )
        return
    some = "the file does not say" if asked.all() else "the file says not for all items"
    refuse(
        pl.Series(other),
        f"maximum: {some} out of how many points a score is. Say it, as maximum=10, or "
        f'for each item, maximum={{"item": 10}}, or with the label of the row that '
        f"holds it: {call}",
        maximum=maximum,
    )


def _same_scale(coded: pl.DataFrame, number: np.ndarray, refuse: Callable) -> None:
    """Refuse an item with points and percentages, or out of different numbers."""
    import polars as pl

    percent = coded[KIND] == "percent"
    if percent.any() and number.any():
        points = pl.col(KIND) == "number"
        both = coded.select(points.any().over(ITEM)).to_series()
        refuse(both & percent, "score: expected percentages in all of an item's cells")
    if OUT_OF in coded.columns:
        differ = coded.select(pl.col(OUT_OF).drop_nulls().n_unique().over(ITEM) > 1)
        refuse(
            differ.to_series(), "score: expected one maximum behind the / of an item"
        )
