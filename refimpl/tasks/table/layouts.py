"""What a header says by itself: a program's own layout, and an item's maximum."""

# ruff: noqa: RUF001 - letters of many languages
from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from refimpl.tasks.table import words

STATED = (  # a maximum in a header
    r"\[total pts: (?:up to )?(?P<a>[\d.,]+)",
    r"\((?P<a>[\d.,]+) ?(?:pts?|points?|p|punkte|marks?|分)\.?\)",
    r"/ ?(?P<a>\d+(?:[.,]\d+)?)$",
    r"\((?:max\.?|out of|von|/) ?(?P<a>[\d.,]+)\)$",
    r"[（(](?P<a>\d+)分[)）]",
)
PAIRS = (
    (r"response (\d+)", r"right answer (\d+)"),
    (
        r"antwort (\d+)",
        r"richtige antwort (\d+)",
    ),
)


@dataclass
class Column:
    """A column: what it is taken for, and why."""

    name: str  #: as the file's header has it
    kind: str = "item"  #: or total, identifier, date, text, letter, other, empty, …
    why: str = ""  #: the reason, in words
    maximum: float | None = None  #: that the file states
    item: str = ""  #: the item's name
    key: str | None = None  #: the column with the right answers


def stated(name: str) -> float | None:
    """The maximum that a header, ``name``, states, as in "Essay (3.0 pts)"; or None."""
    for pattern in STATED:
        if match := re.search(pattern, words.plain(name)):
            return number(match["a"])
    return None


def number(text: str | None) -> float | None:
    """The positive number in ``text``, with a decimal point or comma; else None."""
    try:
        value = float((text or "").replace(",", ".").strip(" %"))
    except ValueError:
        return None
    return value if 0 < value < 1e9 else None


def layout(names: Sequence[str]) -> list[Column]:
    """The items of a program's own layout, in which ``names`` tell which columns count.

    Google's ``X [Score]``, Microsoft's ``Points - X``, Moodle's ``Response 1`` beside
    ``Right answer 1``, Canvas's question followed by ``1.0``; empty for all others.
    """
    plain = {words.plain(name): name for name in names}
    for begins, ends in (("points - ", ""), ("", "[score]")):
        own = [n for p, n in plain.items() if p.startswith(begins) and p.endswith(ends)]
        if len(own) > 1:
            return [
                Column(name, why="named as an item's points", item=name) for name in own
            ]
    for response, right in PAIRS:
        answers = [
            (m[1], n) for p, n in plain.items() if (m := re.fullmatch(response, p))
        ]
        keys = {m[1]: n for p, n in plain.items() if (m := re.fullmatch(right, p))}
        if answers and all(place in keys for place, _ in answers):
            why = "right where it agrees with the right answer"
            return [Column(n, "item", why, 1.0, n, keys[place]) for place, n in answers]
    points = []
    for before, name in pairwise(names):
        value = re.fullmatch(r"(\d+(?:\.\d+)?)(?: \(column \d+\))?", name)
        if value and re.match(r"\d+: ", before):
            why = "the points of the question before it"
            points.append(Column(name, "item", why, number(value[1]), before))
    return points
