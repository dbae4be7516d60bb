"""A teacher's table, CSV or Parquet, opened lazily as text and checked.

No message shows a cell, since any cell may hold a student's name: only rows and
columns are named. For the same reason errors of Polars and of the decoder, which
quote what they choke on, are replaced, not chained.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import polars as pl

ROW = " row"  # no column has this name: those of the file are stripped
FIRST_ROW = 2  # rows are counted as a spreadsheet shows them, the header being row 1
CHUNK = 1 << 24  # bytes checked at once


def open_table(path: str | Path, column: str) -> tuple[list[str], pl.LazyFrame]:
    """The column names of a file and its cells, all as text, plus the rows' numbers.

    A CSV file is UTF-8, with or without a byte-order mark, separated by commas or
    semicolons (whichever makes ``column`` a column, or else gives more of them); a file
    that begins like Parquet is read as Parquet. Spaces around column names and cells
    are removed. The frame has a column :data:`ROW`: 2 for the first row below the
    header, and so on.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is empty, is not UTF-8, has NUL bytes, quotation marks that do not enclose
        a cell, or lines of unequal length; if a column has no name or another's.
    """
    import polars as pl  # loads slowly: only when a file is wanted
    import polars.selectors as cs

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"path: expected a CSV or Parquet file at {path}")
    with path.open("rb") as file:
        start = file.read(4)
    if not start:
        raise ValueError("path: expected a table, got an empty file")
    if start == b"PAR1":
        table = pl.scan_parquet(path, row_index_name=ROW, glob=False)
        found = [name for name in _schema_names(table) if name != ROW]
        names = _check_names(found)
        zoned = cs.datetime(time_zone="*")
        table = table.rename(dict(zip(found, names, strict=True))).with_columns(
            zoned.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        )
    else:
        found, separator = _header(path, column)
        names = _check_names(found)
        _check_lines(path, separator, len(names))
        table = pl.scan_csv(
            path,
            separator=separator,
            infer_schema=False,
            row_index_name=ROW,
            with_column_names=lambda _: names,
            glob=False,
        )
    text = pl.col(names).cast(pl.String).str.strip_chars()
    return names, table.select(pl.col(ROW).cast(pl.Int64) + FIRST_ROW, text)


def collect(*frames: pl.LazyFrame) -> list[pl.DataFrame]:
    """Evaluate lazy frames, a chunk of rows at a time."""
    import polars as pl

    try:
        return pl.collect_all(frames, engine="streaming")
    except pl.exceptions.PolarsError:
        pass  # raised below, so that its message, which may quote cells, is gone
    raise ValueError("path: the table is damaged, or has cells that are not plain text")


def listed(values: Iterable[object], total: int) -> str:
    """``3, 7, 12 and 20 more``, from the first few of ``total`` values."""
    shown = [*map(str, values)]
    more = total - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _schema_names(table: pl.LazyFrame) -> list[str]:
    import polars as pl

    try:
        return table.collect_schema().names()
    except pl.exceptions.PolarsError:
        pass
    raise ValueError("path: expected a Parquet file, but it is damaged")


def _header(path: Path, column: str) -> tuple[list[str], str]:
    """The first row's cells, and the separator that splits them best."""
    rows = {}
    for separator in ",;":
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            try:
                rows[separator] = next(csv.reader(file, delimiter=separator), [])
            except csv.Error:
                rows[separator] = []

    def fits(separator: str) -> tuple[bool, int]:
        names = [name.strip() for name in rows[separator]]
        return column in names, len(names)

    separator = max(rows, key=fits)
    return rows[separator], separator


def _check_names(found: list[str]) -> list[str]:
    """The names without spaces around them, if each is there and is unique."""
    names = [name.strip() for name in found]
    if not any(names):
        raise ValueError("path: expected column names in the first line, found none")
    if "" in names:
        raise ValueError(
            f"path: column {names.index('') + 1} has no name in the header"
        )
    twice = [
        position for position, name in enumerate(names) if name in names[:position]
    ]
    if twice:
        first = [names.index(names[position]) + 1 for position in twice[:3]]
        pairs = [f"{a} and {b + 1}" for a, b in zip(first, twice, strict=False)]
        raise ValueError(
            "path: expected a different name for each column, but the header repeats "
            f"that of columns {listed(pairs, len(twice))}"
        )
    return names


def _check_lines(path: Path, separator: str, columns: int) -> None:
    """Raise unless all is UTF-8 text, and each row has as many cells as the header.

    Only separators and line ends outside quotation marks count; blank lines do not.
    """
    line, rest = 1, b""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            text = rest + chunk + file.readline()  # whole lines, so whole characters
            text += b"" if text.endswith(b"\n") else b"\n"
            _check_encoding(text, line)
            byte = np.frombuffer(text, np.uint8)
            _check_quotes(byte, separator, text, line)
            outside = np.bitwise_xor.accumulate(byte == ord('"')) == 0
            ends = np.flatnonzero((byte == ord("\n")) & outside)
            cells = np.flatnonzero((byte == ord(separator)) & outside)
            count = np.diff(np.searchsorted(cells, ends), prepend=0) + 1
            length = np.diff(ends, prepend=-1) - 1 - (byte[ends - 1] == ord("\r"))
            wrong = np.flatnonzero((count != columns) & (length > 0))
            if len(wrong):
                begin = ends[wrong[0] - 1] + 1 if wrong[0] else 0
                raise ValueError(
                    f"path: expected {columns} cells in each line, as in the header, "
                    f"got {count[wrong[0]]} in line {line + text[:begin].count(10)}"
                )
            begin = ends[-1] + 1 if len(ends) else 0
            line += text[:begin].count(b"\n")
            rest = text[begin:]
    if rest:
        raise ValueError(
            f"path: expected a closing quotation mark for one opened in line {line}"
        )


def _check_quotes(byte: np.ndarray, separator: str, text: bytes, line: int) -> None:
    """Raise unless quotation marks enclose whole cells, and are doubled inside them.

    Others, as in 5" nails, would let readers disagree on where a cell ends.
    """
    marks = np.flatnonzero(byte == ord('"'))
    edges = np.frombuffer(f'{separator}\n\r"'.encode(), np.uint8)
    before = np.isin(byte[marks[::2] - 1], edges)
    before[:1] |= text.startswith('\ufeff"'.encode())
    after = np.isin(byte[marks[1::2] + 1], edges)
    wrong = [*marks[::2][~before], *marks[1::2][~after]]
    if wrong:
        raise ValueError(
            "path: a quotation mark inside a cell, but not doubled in a quoted one, in "
            f"line {line + text[: min(wrong)].count(10)}"
        )


def _check_encoding(text: bytes, line: int) -> None:
    """Raise unless ``text``, which begins at a line of the file, is UTF-8."""
    if b"\0" in text:
        raise ValueError(
            "path: expected text, found NUL bytes; a spreadsheet or UTF-16 file? "
            "Save it as CSV UTF-8"
        )
    try:
        text.decode()
        return
    except UnicodeDecodeError as error:
        line += text[: error.start].count(b"\n")
    raise ValueError(f"path: line {line} is not UTF-8; save the file as CSV UTF-8")
