"""A report about a class: what it says, what it never says, and that it is whole."""

import os
from html.parser import HTMLParser

import numpy as np
import pytest

from refimpl.own_class import Student, class_report
from refimpl.own_class.rivals import MANY, readers

NAN = np.nan
ITEMS = ["addition", "<b>bold</b> & more", "第三题", "fractions", "last one", "five"]


def student(**changes):
    own = {
        "row": 7,
        "scores": np.array([1.0, NAN, 0.0, NAN, NAN, 1]),
        "forecast": np.array([1.0, 0.8, 0.0, 0.5, 0.2, 1]),
        "level": 0.58,
        "low": 0.42,
        "high": 0.75,
        "ask": [3, 4],
    }
    return Student(**(own | changes))


def scores(students=12, items=6, seed=0):
    rng = np.random.default_rng(seed)
    level, easiness = rng.normal(size=(students, 1)), rng.normal(size=items)
    right = rng.random((students, items)) < 1 / (1 + np.exp(-level - easiness))
    made = np.where(rng.random(right.shape) < 0.6, right, NAN).astype(np.float32)
    made[0] = right[0]
    return made


@pytest.fixture(scope="module")
def made():
    return class_report(
        scores(), ITEMS, [*range(2, 14)], ["One column was left out: <total>."]
    )


class Text(HTMLParser):
    """The page's text, and which elements are open at its end."""

    def __init__(self, page):
        super().__init__()
        self.text, self.open, self.wrong = "", [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data):
        self.text += data


def test_a_student_in_words():
    assert student().describe(ITEMS) == (
        "3 of 6 answered. Expected mean over all items 0.58, 80 % interval from 0.42 "
        "to 0.75. To ask next: fractions; last one."
    )
    told = student(ask=[], low=NAN, high=NAN).describe(ITEMS)
    assert told == (
        "3 of 6 answered. Expected mean over all items 0.58. "
        "What to ask next, these answers cannot tell."
    )
    complete = student(scores=np.array([1.0, 1, 0, 1, 0, 1]), level=4 / 6, ask=[])
    told = "All 6 answered, mean 0.67. Nothing is left to forecast."
    assert complete.describe(ITEMS) == told


def test_the_easiest_items_come_first():
    assert student().order == [0, 5, 1, 3, 4, 2]


def test_every_student_is_there_once_in_the_files_order(made):
    assert [s.row for s in made.students] == [*range(2, 14)]
    assert made.students[0].known == 6
    for s in made.students:
        assert 0 <= s.low <= s.level <= s.high <= 1
        assert all(np.isnan(s.scores[j]) for j in s.ask)
    assert [*made.losses] == [*readers(12, True)]
    assert made.chosen in made.losses


def test_the_hardest_items_come_first_and_their_means_are_those_of_the_table(made):
    rows = made.item_rows()
    expected = [row.expected for row in rows]
    assert expected == sorted(expected)
    table = scores()
    for row in rows:
        own = table[:, ITEMS.index(row.name)]
        assert row.answered == (~np.isnan(own)).sum()
        assert abs(row.mean - np.nanmean(own)) < 1e-6


def test_a_complete_class_is_said_to_leave_nothing_to_forecast():
    table = np.nan_to_num(scores())
    page = class_report(table, ITEMS, range(2, 14)).html()
    assert "Nothing is left to forecast" in page
    assert page.count("<td>complete</td>") == 12
    assert "four in five" in page


def test_the_page_is_whole_and_needs_nothing_else(made):
    page = made.html("A class & its report")
    text = Text(page)
    assert (text.open, text.wrong) == ([], [])
    assert "<b>bold" not in page
    assert "<b>bold</b> & more" in text.text
    assert "第三题" in text.text
    assert "One column was left out: <total>." in text.text
    assert "A class & its report" in text.text
    assert "http" not in page
    assert "<script" not in page
    assert page.count('<section id="row-') == 12
    assert page == made.html("A class & its report")


def test_the_same_class_gives_the_same_report(made):
    again = class_report(scores(), ITEMS, [*range(2, 14)], made.notes)
    assert again.html() == made.html()


def test_a_large_class_has_pages_of_those_of_whom_least_is_known(monkeypatch):
    monkeypatch.setattr("refimpl.own_class.report.PAGES", 3)
    table = scores(students=20)
    made = class_report(table, ITEMS, range(2, 22))
    known = (~np.isnan(table)).sum(axis=1)
    with_page = [s.known for s in made.students if s.page]
    assert sorted(with_page) == sorted(known)[:3]
    assert made.html().count("<section") == 3
    assert not any(s.ask for s in made.students if not s.page)


@pytest.mark.parametrize("items", [2, 4])
def test_few_items_have_forecasts_and_no_interval(items):
    made = class_report(scores()[:, :items], ITEMS[:items], range(2, 14))
    assert made.intervals == ""
    assert "too few items for intervals" in made.html()
    for s in made.students:
        assert np.isnan(s.low) == (s.known < items)


def test_points_are_no_right_or_wrong():
    made = class_report(scores() * 0.5, ITEMS, range(2, 14))
    assert [*made.losses] == ["class model", "shrunken mean"]


def test_from_a_hundred_students_on_the_student_model_is_tried():
    made = class_report(scores(MANY), ITEMS, range(2, MANY + 2))
    assert "student model" in made.losses
    assert "own hidden answers" in made.intervals or made.chosen == "class model"


def test_it_is_written_whole_and_never_over_another(tmp_path, made, monkeypatch):
    path = made.save(tmp_path / "report.html", "Mine")
    assert path.read_text(encoding="utf-8") == made.html("Mine")
    with pytest.raises(FileExistsError, match="out: expected a new file"):
        made.save(path)

    def fail(*args):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        made.save(tmp_path / "second.html")
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (scores()[:4], r"\[12 rows, 6 items\], got \[4, 6\]"),
        (scores()[:, :1], r"\[12 rows, 6 items\]"),
        (scores() * 10, "numbers from 0 to 1, or NaN"),
        (np.full((12, 6), NAN), "a student with two answers or more"),
    ],
)
def test_what_is_no_class_is_refused(table, told):
    with pytest.raises(ValueError, match=f"scores: expected {told}"):
        class_report(table, ITEMS, range(2, 14))


def test_a_class_of_four_is_too_small():
    with pytest.raises(ValueError, match="5 students or more and 2 items or more"):
        class_report(scores()[:4], ITEMS, range(4))
