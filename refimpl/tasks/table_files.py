"""A teacher's table, CSV or Parquet, opened lazily as text and checked.

No message shows a cell, since any cell may hold a student's name: only rows and
columns are named. For the same reason errors of Polars and of Python's ``csv``, which
quote what they choke on, are replaced, not chained.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

ROW = " row"  # no column has this name: those of the file are stripped
FIRST_ROW = 2  # rows are counted as a spreadsheet shows them, the header being row 1
SPREADSHEETS = b"PK\3\4", b"\xd0\xcf\x11\xe0"  # how .xlsx or .ods, and .xls begin
NOT_CSV = "path: expected CSV UTF-8, found "
FIRST = " (the first row must hold the names of all columns)"


def open_table(path: str | Path, column: str) -> tuple[list[str], pl.LazyFrame]:
    """The column names of a file and its cells, all as text, plus the rows' numbers.

    The separator is the one, of comma, semicolon and tab, that makes ``column`` a
    column, or else gives more columns. Spaces around column names and cells are
    removed. A column :data:`ROW` holds 2 for the first row below the header, and so on.
    Raises a FileNotFoundError, or a ValueError that says what is wrong with the file.
    """
    import polars as pl  # loads slowly: only when a file is wanted

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"path: expected a CSV or Parquet file at {path.absolute()}"
        )
    with path.open("rb") as file:
        beginning = file.read(4)
    if beginning in SPREADSHEETS:
        raise ValueError(NOT_CSV + "a spreadsheet: save it as CSV UTF-8")
    if beginning == b"PAR1":
        table = pl.scan_parquet(path, glob=False)
        found = collect(table.head(0)).columns
        names = _check_names(found)
        table = table.rename(dict(zip(found, names, strict=True)))
    else:
        separator, names = _check_csv(path, column)
        table = pl.scan_csv(
            path,
            separator=separator,
            infer_schema=False,
            with_column_names=lambda _: names,
            glob=False,
        )
    text = pl.col(names).cast(pl.String).str.strip_chars()
    return names, table.with_row_index(ROW, FIRST_ROW).select(
        pl.col(ROW).cast(pl.Int64), text
    )


def collect(table: pl.LazyFrame) -> pl.DataFrame:
    """Evaluate a lazy ``table``; a failure is a ValueError that quotes no cell."""
    import polars as pl

    try:
        return table.collect(engine="streaming")
    except pl.exceptions.PolarsError:
        pass  # raised below, so that its message is gone
    raise ValueError("path: the table is damaged, or has cells that are not plain text")


def _check_csv(path: Path, column: str) -> tuple[str, list[str]]:
    """The separator and the header, once every row was read and has as many cells."""
    separator = max(",;\t", key=lambda s: _fit(path, s, column))
    names: list[str] = []
    line = 0
    try:
        for row, end in _rows(path, separator):
            names = names or _check_names(row)
            line = end
            if row and len(row) != len(names):
                problem = f"got {len(row)} in the row that"
                break
        else:
            _check_names(names)
            return separator, names
    except UnicodeDecodeError:
        problem = ""
    except csv.Error:
        problem = "found a quotation mark or line end out of place after what"
    if not problem:
        raise ValueError(NOT_CSV + "another encoding: save it anew")
    cells = f"{len(names)} cells in each row" if names else "a header"
    hint = FIRST if len(names) == 1 else ""
    raise ValueError(
        f"path: expected CSV UTF-8 and {cells}, separated by {separator!r}, but "
        f"{problem} ends in line {line}{hint}"
    )


def _rows(path: Path, separator: str) -> Iterator[tuple[list[str], int]]:
    """Each row with the number of its last line, by Python's own strict reader.

    That reader lets quotation marks inside an unquoted cell pass, as in 5" nails; other
    readers do not. So cells in quotation marks are taken away, and none may be left.
    """
    enclosed = re.compile(rf'(^|(?<={separator}))"([^"]|"")*"(?=[{separator}\r\n]|$)')
    raw: list[str] = []

    def lines() -> Iterator[str]:
        for line in file:
            raw.append(line)
            yield line

    # Lines end in \n, or \r\n, as Polars has it: the reader refuses another \r.
    with path.open(encoding="utf-8-sig", newline="\n") as file:
        reader = csv.reader(lines(), delimiter=separator, strict=True)
        for row in reader:
            text = raw[0] if len(raw) == 1 else "".join(raw)
            if '"' in text and '"' in enclosed.sub("", text):
                raise csv.Error
            raw.clear()
            yield row, reader.line_num


def _fit(path: Path, separator: str, column: str) -> tuple[bool, int]:
    """How well a separator splits the first row."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        row = next(csv.reader(file, delimiter=separator), [])
    return column in [name.strip() for name in row], len(row)


def _check_names(found: list[str]) -> list[str]:
    """The names without spaces around them, if each is there and is unique."""
    names = [name.strip() for name in found]
    if not any(names):
        raise ValueError("path: expected column names in the first line, found none")
    for i, name in enumerate(names):
        if not name:
            raise ValueError(f"path: column {i + 1} has no name in the header{FIRST}")
        if name in names[:i]:
            raise ValueError(
                "path: expected a different name for each column, but columns "
                f"{names.index(name) + 1} and {i + 1} have the same"
            )
    return names
