"""What teachers rely on: times add up, every chapter is there, the bank is sound."""

import re
from pathlib import Path

import nbformat
import pytest
import yaml

from book._ext import quiz
from tools import self_check

ROOT = Path(__file__).parent.parent
GUIDE = ROOT / "book" / "instructors"
CHAPTERS = [path.stem for path in sorted((ROOT / "notebooks").glob("*.ipynb"))]


def test_the_plans_times_add_up():
    text = (GUIDE / "plans.md").read_text(encoding="utf-8")
    tables = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert len(tables) == 4
    for table in tables:
        minutes = [int(n) for n in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)]
        (total,) = re.findall(r"^\| \*\*(\d+)\*\* \|", table, re.MULTILINE)
        assert sum(minutes) == int(total)


def test_at_home_the_parts_add_up():
    text = (GUIDE / "plans.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| (.*at home.*?) \|", text, re.MULTILINE)
    assert len(rows) == 4
    for total, what in rows:
        assert sum(int(n) for n in re.findall(r"\((\d+)\)", what)) == int(total)


def test_the_guide_has_every_chapter_and_every_part():
    text = (GUIDE / "chapters.md").read_text(encoding="utf-8")
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    assert len(sections) == len(CHAPTERS)
    for chapter, section in zip(CHAPTERS, sections, strict=True):
        number = ".".join(re.findall(r"[A-Z0-9]", chapter.rsplit("_", 1)[0][:4]))
        assert section.startswith(number.removeprefix("0.")), chapter
        for part in ("Hard", "Misconceptions", "To open", "Draw", "Skip"):
            assert f"**{part}.**" in section, f"{chapter}: {part}"


@pytest.fixture(scope="module")
def bank():
    return quiz.load_bank(GUIDE / "questions.yml")


def test_three_to_five_questions_for_each_chapter(bank):
    assert list(bank) == CHAPTERS
    for chapter, questions in bank.items():
        assert 3 <= len(questions) <= 5, chapter
        for question in questions:
            assert 3 <= len(question["choices"]) <= 4


def test_neither_place_nor_length_gives_the_answer_away(bank):
    questions = [q for chapter in bank.values() for q in chapter]
    places, longest = [], 0
    for question in questions:
        choices = question["choices"]
        (place,) = [i for i, c in enumerate(choices) if c.get("right")]
        places.append(place)
        longest += len(choices[place]["text"]) == max(len(c["text"]) for c in choices)
    for place in range(3):
        assert places.count(place) > len(questions) / 6
    assert longest < len(questions) / 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda q: q["choices"][0].update(right=True), "exactly one right choice"),
        (lambda q: q["choices"][0].pop("why"), "a text and a reason"),
    ],
)
def test_a_bad_question_is_told(tmp_path, change, message):
    choices = [
        {"text": "a", "why": "b"},
        {"text": "c", "why": "d", "right": True},
    ]
    question = {"question": "?", "choices": choices}
    change(question)
    path = tmp_path / "questions.yml"
    path.write_text(yaml.safe_dump({"01_background": [question]}))
    with pytest.raises(ValueError, match=f"01_background, question 1.*{message}"):
        quiz.load_bank(path)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_each_chapter_shows_its_questions(bank, chapter):
    notebook = nbformat.read(ROOT / "notebooks" / f"{chapter}.ipynb", as_version=4)
    (cell,) = [c for c in notebook.cells if "self-check" in c.metadata.get("tags", [])]
    current = self_check.section(bank[chapter])
    assert cell.source == current, "python -m tools.self_check"
