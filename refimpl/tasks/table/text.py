"""A text file: its encoding, its separator, its header, and whether all rows fit."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from refimpl.tasks.table.header import TOP, find_header
from refimpl.tasks.table.shapes import PYKT, six_lines

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# What schools' computers write, and what it is called. The order decides a tie.
ENCODINGS = {
    "cp1252": "Windows-1252",
    "gb18030": "GBK",
    "cp932": "Shift-JIS",
    "mac_roman": "Mac Roman",
    "cp1250": "Windows-1250",
    "big5": "Big5",
    "cp1251": "Windows-1251",
}
BLOCK = 1 << 20


class Text(NamedTuple):
    """A text file as UTF-8, and where its table is."""

    source: Path | bytes  #: the path itself if it is UTF-8
    encoding: str  #: what it is called
    separator: str
    header: int  #: the header's row, counted from 1
    lines: int  #: how many lines stand above the header
    names: list[str]  #: the header's cells, as they are
    above: list[list[str]]  #: the rows above the header


def open_text(path: Path, wanted: Sequence[str]) -> Text:
    """Find out how ``path`` is written; of separators the one that finds ``wanted``.

    Raises a ValueError if there is no header, or a row has another number of cells.
    """
    source, encoding = _as_utf8(path)
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
    header = place[separator][0]
    lines, names = _check(source, separator, header)
    return Text(
        source, encoding, separator, header + 1, lines, names, tops[separator][:header]
    )


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


def _as_utf8(path: Path) -> tuple[Path | bytes, str]:
    """The path if the file is UTF-8 with usual line ends, else its text as UTF-8."""
    with path.open("rb") as file:
        start = file.read(BLOCK)
    mark = next((m for m in MARKS if start.startswith(m)), None)
    wide = {start[:4096:2].count(0): "utf-16-be", start[1:4096:2].count(0): "utf-16-le"}
    old_mac = b"\r" in start and b"\n" not in start
    if mark in (None, codecs.BOM_UTF8) and max(wide) * 4 < len(start[:4096]):
        if _is_utf8(path):
            if old_mac:
                return path.read_bytes().replace(b"\r", b"\n"), "UTF-8"
            return path, "UTF-8"
        data = path.read_bytes()
        found = _detect(data)
        text = data.decode(found, errors="replace")
        name = ENCODINGS[found]
    else:
        data = path.read_bytes()
        name = MARKS[mark] if mark else wide[max(wide)]
        text = data.decode(name, errors="replace").lstrip("\ufeff")
        name = name[:6].upper()
    if "\n" not in text:
        text = text.replace("\r", "\n")
    return text.encode(), name


def _is_utf8(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        try:
            while block := file.read(BLOCK):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def _detect(data: bytes) -> str:
    """The encoding of ``data``, out of :data:`ENCODINGS`.

    A class list has few letters for a detector to go by. So charset-normalizer, asked
    about the lines that are not plain ASCII, lists what is possible, and of these the
    encoding is taken in which most of the foreign letters are likely ones.
    """
    from charset_normalizer import from_bytes  # only for a file that needs it

    foreign = [line for line in data.splitlines() if not line.isascii()]
    sample = b"\n".join(foreign[:2000])
    found = from_bytes(sample, cp_isolation=[*ENCODINGS], threshold=1.0)
    likely = {}
    for match in found:
        for name in {match.encoding, *match.could_be_from_charset} & {*ENCODINGS}:
            likely[name] = _likelihood(str(match), name)
    order = [*ENCODINGS]
    return max(likely, key=lambda n: (likely[n], -order.index(n)), default="cp1252")


def _likelihood(text: str, encoding: str) -> float:
    """The share of foreign letters that are usual where ``encoding`` is used."""
    usual = {
        "gb18030": lambda c: _lead(c, "gb2312", 0xB0, 0xD7) or c in "，。（）：、",
        "big5": lambda c: _lead(c, "big5", 0xA4, 0xC6),
        "cp932": lambda c: _lead(c, "cp932", 0x88, 0x98) or "ぁ" <= c <= "ヿ",
        "cp1251": lambda c: "А" <= c <= "я" or c in "ёЁ",
        "cp1250": lambda c: c in "ąćęłńóśźżĄĆĘŁŃÓŚŹŻáčďéěíňřšťúůýžČŘŠŽőűäöüßÄÖÜ",
    }.get(encoding, lambda c: c in "äöüÄÖÜßéèêëàâçîïôûùñáíóúÉÈÀÇœæøåØÅãõ–°²³’€½")
    score, count = 0.0, 0
    for before, c in zip(" " + text, text, strict=False):
        if c.isascii():
            continue
        count += 1
        shout = c.isupper() and before.islower()  # as in ZoÎ
        mixed = encoding == "cp1251" and before.isascii() and before.isalpha()
        score += bool(usual(c)) and not shout and not mixed
    return round(score / max(count, 1), 2)


def _lead(c: str, encoding: str, low: int, high: int) -> bool:
    code = c.encode(encoding, errors="ignore")
    return len(code) == 2 and low <= code[0] <= high


def _check(
    source: Path | bytes, separator: str, header: int
) -> tuple[int, list[str]]:
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
        cells = f"{len(names)} cells in each row" if names else "a header"
        raise ValueError(
            f"path: expected {cells}, separated by {SEPARATORS[separator]}, but "
            f"{problem} ends in line {line}"
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
