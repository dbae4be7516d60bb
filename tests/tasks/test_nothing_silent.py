"""Nothing silently wrong: what a school's table may hide is asked about or said.

Each message says what to do, and none shows a student's name or a score.
"""

# ruff: noqa: RUF001 - signs that pupils and programs type
import csv
import io
import re
import unicodedata
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refimpl.own_class import look
from refimpl.tasks import GradebookTasks

NAMES = [
    f"{first} Quixote" for first in ["Ann", "Zoë", "Cy", "Dee", "Eli", "Fay", "Gus"]
]
NAMES += [
    f"{first} Panza" for first in ["Hal", "Ivy", "Jo", "Kit", "Lou", "Mae", "Ned"]
]
Q = [f"Q{number}" for number in range(1, 9)]
RIGHT = np.random.default_rng(1).integers(0, 2, (len(NAMES), len(Q)))
RIGHT[:, 0] = 1  # so that nobody has nothing but zeros
POINTS = np.random.default_rng(2).integers(0, 11, (len(NAMES), len(Q)))
POINTS[0] = 10


def text_of(rows, separator=","):
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator="\n").writerows(rows)
    return text.getvalue()


def table(scores=RIGHT, names=NAMES, header=Q, **columns):
    """A wide table; ``columns`` are further ones, by name."""
    rows = [["Name", *header, *columns]]
    for i, (name, own) in enumerate(zip(names, scores, strict=True)):
        rows.append([name, *own, *(column[i] for column in columns.values())])
    return rows


def edited(scores, row, column, cell):
    scores = [[*own] for own in scores]
    scores[row][column] = cell
    return scores


def attempt(path, **words):
    """The tasks or else the error, and the warnings; none shows a name."""
    tasks = error = None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            tasks = GradebookTasks(path, **words)
        except ValueError as found:
            error = found
    said = [str(warning.message) for warning in caught]
    assert not leaks([str(error), said])
    return tasks, error, said


@pytest.fixture
def read(tmp_path):
    """Read rows: the tasks and the warnings; an error is raised."""

    def read(rows, separator=",", **words):
        path = tmp_path / "class.csv"
        path.write_text(
            rows if isinstance(rows, str) else text_of(rows, separator),
            encoding="utf-8",
        )
        assert not leaks(look(path))
        tasks, error, said = attempt(path, **{"student": "Name"} | words)
        if error is not None:
            assert error.__context__ is None
            raise error
        return tasks, said

    return read


def leaks(message):
    return [part for n in NAMES for part in n.split() if part in str(message)]


def refuses(read, rows, message, **words):
    with pytest.raises(ValueError, match=message):
        read(rows, **words)


# -------------------------------------------------------------- what is no score


def test_true_and_false_answers_are_not_taken_for_right_and_wrong(read):
    words = [["True" if x else "False" for x in own] for own in RIGHT]
    refuses(read, table(words), "True and False.*maximum=1.*key=")
    tasks, _ = read(table(words), maximum=1)
    np.testing.assert_array_equal(tasks.table(), RIGHT)
    key = {name: ("True" if j % 2 else "False") for j, name in enumerate(Q)}
    tasks, _ = read(table(words), key=key)
    agree = np.where(np.arange(len(Q)) % 2, RIGHT, 1 - RIGHT)
    np.testing.assert_array_equal(tasks.table(), agree)
    with_key = [["Name", *Q], ["Key", *key.values()], *table(words)[1:]]
    tasks, _ = read(with_key, key="Key")
    np.testing.assert_array_equal(tasks.table(), agree)
    assert tasks.rows[0] == 3
    some = [[*own[:2], *points[2:]] for own, points in zip(words, RIGHT, strict=True)]
    refuses(read, table(some), "True and False.*maximum=1.*key=")


def test_true_and_false_of_a_long_table(read):
    rows = [["Name", "question", "reply"]]
    rows += [
        [n, q, bool(x)]
        for n, o in zip(NAMES, RIGHT, strict=True)
        for q, x in zip(Q, o, strict=True)
    ]
    words = {"item": "question", "score": "reply"}
    refuses(read, rows, "True and False may be answers.*maximum=1.*key", **words)
    tasks, _ = read(rows, **words, key=dict.fromkeys(Q, "true"))
    np.testing.assert_array_equal(tasks.table(), RIGHT)
    rows[0][2] = "correct"  # says what they are
    tasks, _ = read(rows, item="question", score="correct")
    np.testing.assert_array_equal(tasks.table(), RIGHT)


def test_right_and_wrong_are_scores(read):
    tasks, _ = read(table([["right" if x else "Wrong" for x in own] for own in RIGHT]))
    np.testing.assert_array_equal(tasks.table(), RIGHT)


def test_a_key_that_nobody_agrees_with_is_told(read):
    letters = [["ABCD"[x] for x in own] for own in RIGHT]
    tasks, said = read(table(letters), key=dict.fromkeys(Q, "A") | {"Q1": "E"})
    assert "Nobody gave the right answer to 1 items: is the key right?" in said
    np.testing.assert_array_equal(tasks.table()[:, 1:], 1 - RIGHT[:, 1:])


@pytest.mark.parametrize(
    ("name", "cells", "kind"),
    [
        ("ID", range(7000, 7014), "1 identifier: 'ID'"),
        ("Submission ID", range(115742079, 115742093), "1 identifier: 'Submission ID'"),
        ("Kennung", range(7000, 7014), r"1 identifier: column 10 \(J\)"),
        ("lfd", range(1, 15), r"1 identifier: column 10 \(J\)"),
        ("Total", range(14), "1 total: 'Total'"),
        ("Sigma", POINTS.sum(axis=1), r"1 total: column 10 \(J\)"),
        ("Mittel", POINTS.mean(axis=1).round(2), r"1 total: column 10 \(J\)"),
        ("Age", [13, 14] * 7, "1 other: 'Age'"),
        ("Note", [1, 2] * 7, "1 total: 'Note'"),
        ("Comment", ["well done"] * 14, "1 text: 'Comment'"),
        ("Submitted", ["2026-03-01 10:11"] * 14, r"1 date: column 10 \(J\)"),
        ("Present", ["P", "A"] * 7, "1 other: 'Present'"),
    ],
)
def test_what_is_no_item_is_left_out_and_said(read, name, cells, kind):
    tasks, said = read(table(POINTS, **{name: [*cells]}), maximum=10)
    assert tasks.items == Q
    assert len([text for text in said if re.search(kind, text)]) == 1
    assert {*said} <= {*tasks.notes}
    everything, said = read(table(POINTS, **{name: [*cells]}), maximum=1e9, items="Q*")
    assert everything.items == Q


@pytest.mark.parametrize(
    ("name", "cells"),
    [("Form", [1, 2] * 7), ("IQ", [98, 103] * 7), ("2026-09-01", [0, 1] * 7)],
)
def test_what_may_be_an_item_is_asked_about(read, name, cells):
    rows = table(POINTS, **{name: cells})
    refuses(read, rows, r"items: not clear.*ignore=\['column 10'\]", maximum=150)
    tasks, _ = read(rows, maximum=10, ignore=["column 10"])
    assert tasks.items == Q
    tasks, _ = read(rows, maximum=150, items=[*Q, name])
    assert tasks.items == [*Q, name]


def test_columns_of_dates_are_no_items_by_themselves(read):
    days = [f"2026-09-{day:02}" for day in range(1, 9)]
    refuses(read, table(header=days), "not clear.*its header is a date")
    tasks, _ = read(table(header=days), items="2026*")
    assert tasks.items == days


# ------------------------------------------------------------------------ scales


def test_one_other_number_among_zeros_and_ones(read):
    rows = table(edited(RIGHT, 3, 2, 11))
    refuses(
        read, rows, r"expected 0 or 1, as nearly all.*maximum=\.\.\..*row 5 .item 'Q3'"
    )


def test_the_largest_value_is_never_the_maximum(read):
    refuses(read, table(POINTS), r"maximum: the file does not say.*maximum=\.\.\.")
    tasks, _ = read(table(POINTS), maximum=20)
    np.testing.assert_allclose(tasks.table(), POINTS / 20, rtol=1e-6)


@pytest.mark.parametrize("cell", [100, 11, 99, 46000])
def test_scores_above_the_maximum(read, cell):
    rows = table(edited(POINTS, 3, 2, cell))
    message = "at most the maximum 10.*gaps.*Extra credit.*row 5 .item 'Q3'"
    refuses(read, rows, message, maximum=10)
    tasks, _ = read(rows, maximum=10, gaps=[str(cell)])
    assert np.isnan(tasks.table()[3, 2])


def test_scores_below_zero(read):
    rows = table(edited(POINTS, 3, 2, -1))
    refuses(read, rows, "expected 0 or more. For a gap.*row 5 .item 'Q3'", maximum=10)
    assert np.isnan(read(rows, maximum=10, gaps=["-1"])[0].table()[3, 2])


def test_items_of_other_maxima(read):
    most = {name: 10.0 if j else 50.0 for j, name in enumerate(Q)}
    tasks, _ = read(table(POINTS), maximum=most)
    np.testing.assert_allclose(tasks.table(), POINTS / [*most.values()], rtol=1e-6)
    rows = [["Name", *Q], ["Max", *most.values()], *table(POINTS)[1:]]
    tasks, _ = read(rows, maximum="Max")
    np.testing.assert_allclose(tasks.table(), POINTS / [*most.values()], rtol=1e-6)
    _, said = read([*rows[:1], ["Max", *[10] * 8], *rows[2:]], maximum=10)
    assert any("Row 2 counts as a student, but its label" in text for text in said)
    refuses(read, table(POINTS), "not for all items.*maximum", maximum={"Q1": 50})
    refuses(
        read, table(POINTS), "maximum: expected one row with the label", maximum="Max"
    )


def test_an_item_out_of_fewer_points_is_told(read):
    scores = 10 * POINTS
    scores[:, 2] = POINTS[:, 2]
    _, said = read(table(scores), maximum=100)
    assert any("In 1 items no score is above a quarter" in text for text in said)


def test_answers_to_a_question_are_not_its_points(read):
    rows = table(POINTS, **{"What is 2 + 2?": [4, 5] * 7})
    refuses(read, rows, "its header is a question: are these answers", maximum=10)


def test_points_and_percentages_of_one_test_are_one_item(read):
    rows = table(POINTS, header=[f"{name} (Real)" for name in Q])
    for row, own in zip(rows[1:], POINTS, strict=True):
        row += [f"{10 * x}.00 %" for x in own]
    rows[0] += [f"{name} (Percentage)" for name in Q]
    tasks, said = read(rows)
    assert tasks.items == [f"{name} (Percentage)" for name in Q]
    np.testing.assert_allclose(tasks.table(), POINTS / 10, rtol=1e-6)
    assert any("8 other columns" in text for text in said)


def test_a_maximum_that_is_too_large_is_told(read):
    _, said = read(table(POINTS), maximum=100)
    assert any("above half of maximum=100" in text for text in said)


@pytest.mark.parametrize("most", [2, 6])
def test_marks_and_codes_begin_at_one(read, most):
    scores = 1 + POINTS % most
    _, said = read(table(scores), maximum=most)
    assert any("marks, of which 1 is the best, or codes" in text for text in said)


def test_thousands_are_not_decimals(read):
    def rows(write):
        return table([[write(100 * int(x) + 1000) for x in own] for own in POINTS])

    exact = (100 * POINTS + 1000) / 2500
    for write in ("{:,.1f}", "{:,.1f}€".replace("€", "")):
        tasks, _ = read(rows(write.format), maximum=2500)
        np.testing.assert_allclose(tasks.table(), exact, rtol=1e-6)
    german = rows(lambda x: f"{x:,.1f}".translate(str.maketrans(",.", ".,")))
    np.testing.assert_allclose(read(german, maximum=2500)[0].table(), exact, rtol=1e-6)
    swiss = rows(lambda x: f"{x:,}".replace(",", "'"))
    np.testing.assert_allclose(read(swiss, maximum=2500)[0].table(), exact, rtol=1e-6)
    for mark in ",.":
        both = rows(lambda x, mark=mark: f"{x:,}".replace(",", mark))
        refuses(read, both, "read in two ways.*Write 1234 or 1.234", maximum=2500)


def test_percentages(read):
    cells = [[f"{10 * x} %" for x in own] for own in POINTS]
    tasks, _ = read(table(cells))
    np.testing.assert_allclose(tasks.table(), POINTS / 10, rtol=1e-6)
    refuses(read, table(edited(cells, 3, 2, "5")), "percentages in all", maximum=10)
    refuses(read, table(edited(cells, 3, 2, "120 %")), "at most the maximum.*row 5")


def test_points_out_of(read):
    cells = [[f"{x} / 10" for x in own] for own in POINTS]
    np.testing.assert_allclose(read(table(cells))[0].table(), POINTS / 10, rtol=1e-6)
    refuses(
        read,
        table(edited(cells, 3, 2, "5 / 12")),
        "one maximum behind the /",
    )


# ---------------------------------------------------------------- cells that are none


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("B+", "found a letter.*export points"),
        ("5. Juni 2026", "found a date or time.*Type it anew"),
        ("2026-06-05", "found a date or time.*Type it anew"),
        ("#REF!", "a spreadsheet's error"),
        ("7*", "before or behind it. Take the unit or the mark away"),
        ("7 pts", "before or behind it. Take the unit or the mark away"),
        ("see Panza", "words or signs.*say gaps="),
        ("7..5", "two ways|words or signs|no number"),
    ],
)
def test_the_message_fits_what_is_no_number(read, cell, message):
    rows = table(edited(POINTS, 3, 2, cell))
    refuses(read, rows, message + ".*row 5 .item 'Q3'", maximum=10)
    with pytest.raises(ValueError, match="score:") as error:
        read(rows, maximum=10)
    assert "ignore" not in str(error.value)


def test_all_that_is_wrong_is_told_at_once(read, tmp_path):
    cells = edited(edited(edited(POINTS, 3, 2, "B+"), 4, 4, "#REF!"), 5, 5, 99)
    message = "(?s)a letter.*row 5 .item 'Q3'.*error.*row 6 .item 'Q5'.*most.*row 7"
    refuses(read, table(cells), message, maximum=10)
    findings = look(tmp_path / "class.csv", maximum=10)
    assert re.search(message, findings.problem)
    assert findings.call is None
    shown = "B 'Q1' to I 'Q8': 8 times item, its cells are scores"
    assert shown in str(findings)


def test_gaps_of_ones_own_and_known_ones(read):
    cells = edited(edited(edited(POINTS, 3, 2, "缺考"), 4, 2, "Ex"), 5, 2, "wandern")
    refuses(read, table(cells), "say gaps=.*row 7 .item 'Q3'", maximum=10)
    tasks, said = read(table(cells), maximum=10, gaps=["Wandern"])
    assert np.isnan(tasks.table()[3:6, 2]).all()
    assert (
        "Counted as no answer, not as wrong: 'Ex' (1), 'wandern' (1), '缺考' (1)."
        in said
    )


def test_a_quiz_with_some_words_is_no_text(read):
    cells = [[*own] for own in POINTS]
    for own in cells[:9]:
        own[2] = "krk"
    refuses(read, table(cells), "say gaps=.*row 2 .item 'Q3'", maximum=10)


# ---------------------------------------------------------------------- students


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("007", "7"),
        ("Ann", "ann"),
        (unicodedata.normalize("NFC", "Zoë"), unicodedata.normalize("NFD", "Zoë")),
        ("Kit", "K\u200bit"),
        ("Ann Lee", "Ann  Lee"),
    ],
)
def test_one_student_written_in_two_ways(read, one, other):
    rows = table(RIGHT, [one, other, *NAMES[2:]])
    _, said = read(rows)
    assert [t for t in said if "rows 2 and 3" in t and "in two ways" in t]
    long = [["Name", "item", "score"]]
    long += [[r[0], q, x] for r in rows[1:] for q, x in zip(Q, r[1:], strict=True)]
    _, said = read(long, item="item", score="score")
    assert [t for t in said if "rows 2 and 10" in t and "in two ways" in t]


def test_a_student_with_nothing_but_zeros(read):
    rows = table(POINTS)
    rows[4][1:] = [0] * len(Q)
    _, said = read(rows, maximum=10)
    assert any("nothing but zeros (rows 5). Were they absent?" in text for text in said)


def test_both_rows_of_a_student_are_named(read):
    rows = table(names=[*NAMES[:-1], NAMES[0]])
    refuses(
        read, rows, "have the same: rows 2, 15. Have two students one name.*attempts="
    )
    last, _ = read(rows, attempts="last")
    np.testing.assert_array_equal(last.table()[0], RIGHT[-1])
    same, said = read([*table(), table()[1]])
    assert "Some rows stand twice, each counts once: rows 2, 16." in said
    np.testing.assert_array_equal(same.table(), RIGHT)


def test_first_and_last_name_together(read):
    rows = table(names=["Sancho"] * len(NAMES), **{"Last name": NAMES})
    refuses(read, rows, "have the same")
    tasks, _ = read(rows, student=["Name", "Last name"])
    np.testing.assert_array_equal(tasks.table(), RIGHT)


def test_few_students_can_be_read_but_not_split(read):
    tasks, _ = read(table(RIGHT[:3], NAMES[:3]), min_answers=1)
    np.testing.assert_array_equal(tasks.table(), RIGHT[:3])
    with pytest.raises(
        ValueError, match="at least 4 students, each with min_answers=1"
    ):
        _ = tasks.splits


# ------------------------------------------------------- files that hide their shape


def test_a_file_without_header_shows_nothing(read):
    rows = table(POINTS)[1:]
    for student in ("Name", "column 1"):
        refuses(read, rows, "is the first line no header", student=student, maximum=10)


def test_a_table_on_its_side_shows_nothing(read):
    rows = [*zip(*table(POINTS), strict=True)]
    refuses(read, rows, "lies on its side.*transpose", maximum=10)
    named = [
        ["Topic", *NAMES],
        *([f"Topic {'abcdefgh'[j]}", *POINTS[:, j]] for j in range(8)),
    ]
    _, said = read(named, student="Topic", maximum=10)
    assert any("Are the columns students, and the rows items?" in text for text in said)


def test_bars_part_cells(read):
    tasks, _ = read(table(), separator="|")
    np.testing.assert_array_equal(tasks.table(), RIGHT)
    cells = edited(POINTS, 3, 2, NAMES[0])
    refuses(read, text_of(table(cells), "|"), "words or signs.*row 5", maximum=10)


def test_a_second_line_of_names(read):
    rows = [["Name", "Unit 1", *[""] * 7], ["", *Q], *table(POINTS)[1:]]
    refuses(read, rows, "Delete a row that is no student.*row 2", maximum=10)


def test_titles_above_the_header_are_said(read):
    rows = [["School", *[""] * 8], ["Class of", "Mr. X", *[""] * 7], *table()]
    tasks, said = read(rows)
    assert tasks.rows[0] == 4
    assert any("stand in row 3; what is above it was left out" in text for text in said)


def test_rows_that_are_no_students(read):
    rows = table(POINTS)
    rows[1:1] = [["Out of", *[10] * 7, 20]]
    rows += [
        ["Average", *POINTS.mean(axis=0).round(2)],
        [""] * 9,
        ["Student, Test", *[""] * 8],
    ]
    tasks, said = read(rows)
    np.testing.assert_allclose(tasks.table(), POINTS / ([10] * 7 + [20]), rtol=1e-6)
    assert any("row 17 (average), row 19 (test student)" in text for text in said)


def test_a_row_of_maxima_is_no_student_whoever_says_the_maximum(read):
    rows = [["Name", *Q], ["Points Possible", *[20] * 8], *table(POINTS)[1:]]
    np.testing.assert_allclose(read(rows)[0].table(), POINTS / 20, rtol=1e-6)
    tasks, said = read(rows, maximum=10)
    np.testing.assert_allclose(tasks.table(), POINTS / 10, rtol=1e-6)
    assert "The file states maxima, but maximum=10 was used." in said
    two = [*rows[:2], ["Out of", *[10] * 8], *rows[2:]]
    refuses(read, two, "rows 2 and 3 look like such. Say the right one's label")
    tasks, said = read(two, maximum="Out of")
    assert any("row 2 (maxima)" in text for text in said)
    np.testing.assert_allclose(tasks.table(), POINTS / 10, rtol=1e-6)


# ----------------------------------------------------------------- a property


@st.composite
def damages(draw):
    """What may happen to a good table, and to the bytes of its file."""
    rows = table(POINTS)
    kind = draw(st.sampled_from(["drop", "double", "mistype", "swap", "nothing"]))
    i, j = draw(st.integers(1, len(NAMES))), draw(st.integers(1, len(Q)))
    if kind == "drop":
        rows[i][j] = ""
    elif kind == "double":
        rows.insert(draw(st.integers(1, len(NAMES))), [*rows[i]])
    elif kind == "mistype":
        typed = [
            "1O",
            "l",
            "7,",
            "7.",
            "77",
            "-7",
            "7 7",
            "7/10",
            "7%",
            "O",
            "x",
            "7:30",
        ]
        rows[i][j] = draw(st.sampled_from([*typed, "1,234", "1e1", "++7", "７", "VII"]))
    elif kind == "swap":
        rows[i][0], rows[i][j] = rows[i][j], rows[i][0]
    code = draw(
        st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252", "mac_roman"])
    )
    text = text_of(rows, draw(st.sampled_from(",;\t|")))
    content = text.encode("utf-8" if "７" in text else code)
    return kind, rows, content, (i - 1, j - 1)


@settings(deadline=None, max_examples=150)
@given(damages())
def test_no_result_differs_without_a_word(tmp_path_factory, damage):
    kind, rows, content, (i, j) = damage
    path = tmp_path_factory.mktemp("damaged") / "class.csv"
    path.write_bytes(content)
    tasks, error, said = attempt(path, student="Name", maximum=10)
    if error is not None:
        assert kind != "nothing"
        return
    exact = POINTS / 10
    if kind == "drop":  # a gap is what the file says; the notes count it
        exact = exact.copy()
        exact[i, j] = np.nan
        assert any("1 cells are empty" in note for note in tasks.notes)
    same = tasks.table().shape == exact.shape and np.allclose(
        tasks.table(), exact, equal_nan=True
    )
    typed = str(rows[i + 1][j + 1])
    plainly = kind == "mistype" and typed in ("7/10", "1e1", "７")
    assert same or said or plainly, typed
