"""How a text file is encoded; what is not UTF-8 is turned into it."""

# ruff: noqa: RUF001 - letters of many languages
from __future__ import annotations

import codecs
from pathlib import Path

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


def as_utf8(path: Path) -> tuple[Path | bytes, str]:
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
