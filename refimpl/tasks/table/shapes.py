"""Tables that cannot be read as they are: what they are, and what to export instead."""

from __future__ import annotations

import re
from collections.abc import Sequence

from refimpl.tasks.table.words import WORK, plain

EDNET = (
    "path: this looks like EdNet's files, one per learner, which say what was answered "
    "but not whether it was right. Join them into one table with columns for the "
    "learner, the question and the score, 1 where user_answer is the correct_answer of "
    "EdNet's questions.csv, else 0"
)
PYKT = (
    "path: this looks like pyKT's format, six lines for each learner, which is no "
    "table. Write a row for each answer instead, with columns for the learner, the "
    "question and the score"
)
POWERSCHOOL = (
    "path: this file holds one assignment (PowerSchool writes one file for each). "
    "Join several: copy each file's scores into one table, a row per student, a column "
    "per assignment, or export the whole scoresheet"
)
FORMS_SHEET = (
    "path: this is the sheet that Google Forms fills: it has the total and answers, "
    "but no score for each question. In Forms, choose Responses, then the three dots, "
    "Download responses (.csv), whose [Score] columns can be read; or give the right "
    'answers, as key={"the question": "its right answer"}, or the label of the row '
    "that holds them"
)
RESPONSES = (
    "path: these are Moodle's answers without the right ones. In the quiz's Responses "
    "report, tick Right answer, too, or download the Grades report; or give the right "
    'answers, as key={"Response 1": "..."}'
)
LETTERS = (
    "score: letters are no scores, since nothing says how far apart they are. Export "
    "points or percentages instead (in Moodle: Grades, Export, Grade export display "
    "types, Real or Percentage). If they are answers such as B, give the right ones, "
    'as key={"item": "B"}, or the label of the row that holds them'
)
TRANSPOSED = (
    "path: this table lies on its side: its rows are items and its columns students. "
    "Turn it (in a spreadsheet: copy, then paste special, transpose), so that each "
    "student is a row"
)
ONE_ITEM = (
    "item: expected at least 2, got 1. If each assignment is a file of its own, copy "
    "the scores into one table, a row per student, a column per assignment"
)
NO_HEADER = (
    "is the first line no header, but answers? Then add a line above with the names of "
    "the columns"
)


def by_names(names: Sequence[str], key: object) -> str | None:
    """What is wrong with a table that has columns of these ``names``, if it is known.

    ``key`` is what the caller gave: with right answers more can be read.
    """
    plains = {plain(name) for name in names}
    if {"question id", "user answer"} <= plains and not {"correct", "score"} & plains:
        return EDNET
    if key is not None:
        return None
    scored = any(name.endswith("[score]") for name in plains)
    if {"timestamp", "score"} <= plains and not scored and len(plains) > 4:
        return FORMS_SHEET
    responses = {
        name for name in plains if re.fullmatch(r"response \d+|antwort \d+", name)
    }
    rights = {
        name for name in plains if re.match(r"right answer|richtige antwort", name)
    }
    return RESPONSES if responses and not rights else None


def above_header(rows: Sequence[Sequence[str]]) -> str | None:
    """What the ``rows`` above the header tell, if it is known."""
    labels = {plain(row[0]) for row in rows if row}
    return POWERSCHOOL if {"assignment name", "points possible"} <= labels else None


def six_lines(rows: Sequence[Sequence[str]]) -> bool:
    """Whether ``rows`` are those of pyKT: a name and n, then lines of n numbers."""
    if len(rows) < 6 or len(rows[0]) != 2 or not rows[0][1].strip().isdigit():
        return False
    count = int(rows[0][1])
    return count > 0 and {len(row) for row in rows[1:4]} == {count}


ITEM_HEADER = re.compile(
    r"(item|question|task|quiz|test|assignment|exercise|problem|aufgabe|frage|题目?|题号)"
    r"( ?(name|id|no\.?|number|title|nr\.?))?"
)
PERSON = re.compile(r"[^\W\d_][\w'-]+,? [^\W\d_][\w.'-]*")


def may_lie_on_its_side(names: Sequence[str]) -> bool:
    """Whether most ``names`` of columns could be those of people."""
    people = [bool(PERSON.fullmatch(n) and not WORK.search(plain(n))) for n in names]
    return len(names) > 3 and sum(people) > 0.8 * len(names)


def on_its_side(names: Sequence[str], student: str, cells: Sequence[str]) -> bool:
    """Whether the ``cells`` of the column ``student`` are items, but ``names`` not."""
    items = sum(bool(WORK.match(plain(cell))) for cell in cells)
    headers = sum(bool(WORK.match(plain(name))) for name in names)
    said = items > 0.7 * len(cells) or ITEM_HEADER.fullmatch(plain(student))
    return len(cells) > 1 and bool(said) and headers < 0.3 * len(names)
