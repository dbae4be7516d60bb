"""A teacher's table, in a text file, a spreadsheet or Parquet, opened as text.

No message shows a cell, since any cell may hold a student's name: only rows and known
names of columns are shown. For the same reason errors of Polars and others, which
quote what they choke on, are replaced, not chained.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from refimpl.tasks.table.header import unique_names
from refimpl.tasks.table.notes import Notes
from refimpl.tasks.table.sheets import Sheet, failed_cells, open_sheet
from refimpl.tasks.table.text import SEPARATORS, open_text

if TYPE_CHECKING:
    import polars as pl

ROW = " row"  # no column has this name: those of the file are stripped
SPREADSHEETS = b"PK\3\4", b"\xd0\xcf\x11\xe0"  # how .xlsx or .ods, and .xls begin


@dataclass
class Table:
    """An opened file: the names of its columns, and its cells as text."""

    names: list[str]  #: all different
    cells: pl.LazyFrame  #: the rows below the header, :data:`ROW` and one per name
    header: int  #: the header's row, counted from 1, as a spreadsheet does
    above: list[list[str]]  #: the rows above it
    how: str  #: how it was read, in words
    doubled: list[str]  #: names that two columns had
    sure: int  #: how sure the header is: 2 if it has the wanted columns, 1, or 0


def open_table(
    path: str | Path, wanted: Sequence[str], sheet: str | None, notes: Notes
) -> Table:
    """Open ``path``, whose header has the ``wanted`` columns, if they are known.

    ``sheet`` is a spreadsheet's, if said. Spaces around names and cells are removed.
    What was found out about the file goes into ``notes``. Raises a FileNotFoundError,
    or a ValueError that says what is wrong.
    """
    import polars as pl  # loads slowly: only when a file is wanted

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            "path: expected a file with a table (CSV, Excel, ODS or Parquet) at "
            f"{path.absolute()}"
        )
    with path.open("rb") as file:
        beginning = file.read(4)
    header, above, sure, text = 1, [], 2, None
    if beginning in SPREADSHEETS:
        own = open_sheet(path, sheet, wanted)
        header, sure = own.header + 1, own.sure
        rows = list(own.cells.head(header).iter_rows())
        found = list(rows[-1]) if rows else []
        above = [[cell or "" for cell in row] for row in rows[:-1]]
        how = f"a spreadsheet, sheet {own.name!r}"
        _say_sheet(own, path, sheet, notes)
        cells = own.cells.slice(header).lazy()
    elif beginning == b"PAR1":
        cells = pl.scan_parquet(path, glob=False)
        found = collect(cells.head(0)).columns
        how = "Parquet"
    else:
        text = open_text(path, wanted)
        found, header, above = text.names, text.header, text.above
        sure = text.sure
        how = f"text, {text.encoding}, separated by {SEPARATORS[text.separator]}"
        if text.encoding != "UTF-8":
            notes.warn(
                f"The file is not UTF-8: it was read as {text.encoding}. If names or "
                "headers look wrong, save it as CSV UTF-8."
            )
    names, doubled = unique_names(found)
    if not any(found):
        raise ValueError("path: expected column names in the first line, found none")
    if text is not None:
        cells = _scan(text.source, text.separator, text.lines, found)
    if sheet is not None and beginning not in SPREADSHEETS:
        raise ValueError("sheet: expected None, since the file is no spreadsheet")
    if header > 1:
        notes.warn(
            f"The names of the columns stand in row {header}; "
            f"what is above it was left out."
        )
    old = collect(cells.head(0)).columns
    cells = cells.rename(dict(zip(old, names, strict=True)))
    text_of = pl.col(names).cast(pl.String).str.strip_chars()
    text_of = text_of.str.strip_chars("\u200b\ufeff").str.strip_chars()
    numbered = cells.with_row_index(ROW, header + 1)
    cells = numbered.select(pl.col(ROW).cast(pl.Int64), text_of)
    return Table(names, cells, header, above, how, doubled, sure)


def _say_sheet(own: Sheet, path: Path, sheet: str | None, notes: Notes) -> None:
    """Say what a spreadsheet has besides the sheet that was read."""
    if own.others > 0 and sheet is None:
        text = f"The sheet {own.name!r} was read, not the {own.others} others."
        (notes.say if own.sure else notes.warn)(text)
    if failed := failed_cells(path):
        some = ", ".join(failed[:5]) + (", …" if len(failed) > 5 else "")
        notes.warn(
            f"{len(failed)} cells hold a spreadsheet's error such as #DIV/0! ({some}) "
            "and were read as empty. Mend the formula if one is a score."
        )


def _scan(
    source: Path | bytes, separator: str, lines: int, found: list[str]
) -> pl.LazyFrame:
    import polars as pl

    return pl.scan_csv(
        io.BytesIO(source) if isinstance(source, bytes) else source,
        separator=separator,
        skip_lines=lines,
        infer_schema=False,
        with_column_names=lambda _: [str(place) for place in range(len(found))],
        glob=False,
    )


def collect(table: pl.LazyFrame) -> pl.DataFrame:
    """Evaluate a lazy ``table``; a failure is a ValueError that quotes no cell."""
    return collect_all([table])[0]


def collect_all(tables: Sequence[pl.LazyFrame]) -> list[pl.DataFrame]:
    """Evaluate lazy ``tables`` of one file, which is read once. As :func:`collect`."""
    import polars as pl

    try:
        return pl.collect_all(tables, engine="streaming")
    except pl.exceptions.PolarsError:
        pass  # raised below, so that its message is gone
    raise ValueError("path: the table is damaged, or has cells that are not plain text")
