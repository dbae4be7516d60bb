"""A text file: its encoding, its separator, its header, and whether all rows fit."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from refimpl.tasks.table.encoding import as_utf8
from refimpl.tasks.table.header import TOP, find_header
from refimpl.tasks.table.shapes import PYKT, six_lines

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}


class Text(NamedTuple):
    """A text file as UTF-8, and where its table is."""

    source: Path | bytes  #: the path itself if it is UTF-8
    encoding: str  #: what it is called
    separator: str  #: one of :data:`SEPARATORS`
    header: int  #: the header's row, counted from 1
    lines: int  #: how many lines stand above the header
    names: list[str]  #: the header's cells, as they are
    above: list[list[str]]  #: the rows above the header
    sure: int  #: how sure the header is


def open_text(path: Path, wanted: Sequence[str]) -> Text:
    """Find out how ``path`` is written; of separators the one that finds ``wanted``.

    Raises a ValueError if there is no header, or a row has another number of cells.
    """
    source, encoding = as_utf8(path)
    tops = {}
    for separator in SEPARATORS:
        with _lines(source) as file:
            rows = csv.reader(file, delimiter=separator)
            tops[separator] = list(itertools.islice(_lenient(rows), TOP))
    if six_lines(tops[","]):
        raise ValueError(PYKT)
    place = {s: find_header(rows, wanted) for s, rows in tops.items()}
    separator = max(
        tops, key=lambda s: (place[s][1], len(_at(tops[s], place[s][0])), -ord(s))
    )
    header, sure = place[separator]
    lines, names = _check(source, separator, header)
    above = tops[separator][:header]
    return Text(source, encoding, separator, header + 1, lines, names, above, sure)


def _at(rows: list[list[str]], place: int) -> list[str]:
    return rows[place] if place < len(rows) else []


def _lenient(rows: Iterator[list[str]]) -> Iterator[list[str]]:
    """Rows as far as they can be read; what is wrong is told later, with its line."""
    try:
        yield from rows
    except csv.Error:
        return


def _lines(source: Path | bytes) -> io.TextIOWrapper:
    # Lines end in \n, or \r\n, as Polars has it: the reader refuses another \r.
    file = io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")
    return io.TextIOWrapper(file, encoding="utf-8-sig", newline="\n")


def _check(source: Path | bytes, separator: str, header: int) -> tuple[int, list[str]]:
    """Lines above the header, and its cells, once every row has as many cells."""
    names: list[str] = []
    lines = line = 0
    problem = ""
    try:
        for number, (row, end) in enumerate(_rows(source, separator)):
            if number < header:
                lines = line = end
                continue
            names = names or row
            line = end
            if row and len(row) != len(names):
                problem = f"got {len(row)} in the row that"
                break
    except csv.Error:
        problem = "found a quotation mark or line end out of place after what"
    if problem:
        hint = ". Is it a note? Then delete it" if "got 1 " in problem else ""
        if f"got {len(names) + 1} " in problem and number == header + 1:
            hint = ". Has each column a name?"
        cells = f"{len(names)} cells in each row" if names else "a header"
        raise ValueError(
            f"path: expected {cells}, separated by {SEPARATORS[separator]}, but "
            f"{problem} ends in line {line}{hint}"
        )
    return lines, names


def _rows(source: Path | bytes, separator: str) -> Iterator[tuple[list[str], int]]:
    """Each row with the number of its last line, by Python's own strict reader.

    That reader lets quotation marks inside an unquoted cell pass, as in 5" nails; other
    readers do not. So cells in quotation marks are taken away, and none may be left. A
    line without quotation marks is a row by itself, which is fast to split.
    """
    end = re.escape(separator)
    enclosed = re.compile(rf'(^|(?<={end}))"([^"]|"")*"(?=[{end}\r\n]|$)')
    number = 0
    with _lines(source) as file:
        for line in file:
            number += 1
            if '"' not in line:
                text = line.removesuffix("\n").removesuffix("\r")
                if "\r" in text:
                    raise csv.Error
                yield (text.split(separator) if text else []), number
                continue
            raw: list[str] = []
            lines = _kept(itertools.chain([line], file), raw)
            row = next(csv.reader(lines, delimiter=separator, strict=True))
            if '"' in enclosed.sub("", "".join(raw)):
                raise csv.Error
            number += len(raw) - 1
            yield row, number


def _kept(lines: Iterable[str], kept: list[str]) -> Iterator[str]:
    """The ``lines``, each also put into ``kept`` when it is asked for."""
    for line in lines:
        kept.append(line)
        yield line
