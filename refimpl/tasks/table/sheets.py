"""A spreadsheet, .xlsx, .xls or .ods, as text, by fastexcel (calamine)."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from refimpl.tasks.table.header import TOP, find_header
from refimpl.tasks.table.options import NeedsWordError

if TYPE_CHECKING:
    import polars as pl


class Sheet(NamedTuple):
    """A sheet's cells, all of them text, with the header's place among its rows."""

    name: str  #: the sheet's
    cells: pl.DataFrame  #: all rows, also those above the header
    header: int  #: the header's place, from 0
    sure: int  #: how sure that is, as :func:`find_header` says
    others: int  #: how many more sheets have cells


def open_sheet(path: Path, sheet: str | None, wanted: Sequence[str]) -> Sheet:
    """The sheet called ``sheet``, or the only one that has the ``wanted`` columns.

    Raises a ValueError if the file cannot be read, there is no such sheet, or several
    could be meant; the message lists the sheets.
    """
    import fastexcel  # only when a spreadsheet is read

    try:
        book = fastexcel.read_excel(path)
        names = book.sheet_names
        if sheet in names:
            names = [sheet]
        loaded = {
            name: book.load_sheet(name, header_row=None, skip_rows=0, dtypes="string")
            for name in names
        }
        tables = {name: own.to_polars() for name, own in loaded.items()}
    except fastexcel.FastExcelError:
        tables = {}
        names = []
    if not names:
        raise ValueError("path: the spreadsheet is damaged or locked by a password")
    listed = ", ".join(map(repr, names))
    if sheet is not None and sheet not in names:
        raise ValueError(f"sheet: found no sheet {sheet!r}; there are {listed}")
    found = []
    for name, cells in tables.items():
        top = [list(row) for row in cells.head(TOP).iter_rows()]
        others = sum(bool(own.height) for own in tables.values()) - 1
        found.append(Sheet(name, cells, *find_header(top, wanted), others))
    best = max(own.sure for own in found)
    likely = [own for own in found if own.sure == best and own.cells.height]
    if best == 0:
        likely = sorted(likely, key=lambda own: -own.cells.width)[:1] or found[:1]
    if len(likely) > 1:
        raise NeedsWordError(
            f"sheet: expected the name of one, since several have such a table: "
            f"{', '.join(repr(own.name) for own in likely)}",
            sheet=likely[0].name,
        )
    return likely[0]


def failed_cells(path: Path) -> list[str]:
    """The cells, as D3, of an .xlsx file that hold an error and are read as empty."""
    if not zipfile.is_zipfile(path):
        return []
    found: list[str] = []
    with zipfile.ZipFile(path) as file:
        for name in file.namelist():
            if name.startswith("xl/worksheets/") and name.endswith(".xml"):
                cells = re.findall(rb'<c [^>]*t="e"[^>]*>', file.read(name))
                places = (re.search(rb' r="([A-Z]+\d+)"', cell) for cell in cells)
                found += [place[1].decode() for place in places if place]
    return found
