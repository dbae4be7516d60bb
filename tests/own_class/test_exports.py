"""What schools' programs export: each file of exports/ gives what its README says.

Words are what the teacher types: the path, the student's column, at most one more.
"""

import warnings
from pathlib import Path

import numpy as np
import pytest

from refimpl.own_class import look
from refimpl.tasks import GradebookTasks

ROOT = Path(__file__).parents[2]
EXPORTS = Path(__file__).parent / "exports"
NAMES = ["Abel", "Brand", "Ada", "ada@", "李", "Stu_0", "stu1", "70000"]  # of students
TEN = {"maximum": 10}
FIRST = {"attempts": "first"}
# file: the student's column, one more word, what is said
READ = {
    "canvas.csv": (
        "Student",
        {},
        ["Row 3 holds", "row 34 (test student)", "22 totals"],
    ),
    "canvas_analysis.csv": ("name", {}, ["3 totals"]),
    "moodle.csv": ("Email address", TEN, ["1 total", "'Course total (Real)'"]),
    "moodle_de.csv": ("E-Mail-Adresse", TEN, ["'Kurs gesamt (Punkte)'"]),
    "moodle_pct.csv": ("Email address", {}, ["'Course total (Percentage)'"]),
    "moodle_quiz.csv": ("Email address", {}, ["row 32 (average)", "'Grade/10.00'"]),
    "moodle_resp.csv": ("Email address", {}, ["agrees with the right one"]),
    "gforms.csv": ("Username", {}, ["1 total", "'-- / …'", "1 items without answers"]),
    "gradescope.csv": ("SID", {}, ["2 students, with 0 answers", "'Submission ID'"]),
    "blackboard.xls": (
        "Username",
        {},
        ["read as UTF-16", "'In Progress' (1)", "(…)' (1)"],
    ),
    "blackboard_utf8.csv": ("Username", {}, ["'In Progress' (1)", "2 totals"]),
    "excel_de_cp1252.csv": ("Schüler", TEN, ["read as Windows-1252"]),
    "excel_de_utf8.csv": ("Schüler", TEN, []),
    "excel_unicode_text.txt": ("Schüler", TEN, ["read as UTF-16"]),
    "excel_gbk.csv": ("姓名", TEN, ["read as GBK", "'缺考' (1)", "'总分'"]),
    "zh_utf8.csv": ("学号", TEN, ["'缺考' (1)", "'总分'"]),
    "excel_trailing.csv": ("Name", TEN, ["2 empty columns without a name"]),
    "class.xlsx": ("Pupil", TEN, ["1 total: 'Total'"]),
    "r_rownames.csv": ("column 1", TEN, []),
    "nbgrader.csv": ("student_id", {}, ["'max_score'", "61 rows without a timestamp"]),
    "msforms.csv": ("Name", {}, ["1 total"]),
    "irw.csv": ("id", {}, ["items from the column 'item'"]),
    "assistments.csv": (
        "user_id",
        {"maximum": 1},
        ["118 answers stand", "Windows-1252"],
    ),
    "assistments_utf8.csv": ("user_id", {"maximum": 1}, ["118 answers stand"]),
    "junyi.csv": ("user_id", FIRST, ["580 repeated answers were left out"]),
    "datashop.txt": (
        "Anon Student Id",
        FIRST,
        ["'HINT' (127)", "117 repeated answers"],
    ),
}
IMPOSSIBLE = {
    "moodle_letter.csv": ("Email address", "letters are no scores.*Real or Percentage"),
    "gforms_sheet.csv": ("Name", "no score for each question.*Download responses"),
    "powerschool.csv": ("Student Name", "one assignment.*Join several"),
    "ednet_u1.csv": ("user_id", "EdNet.*not whether it was right.*Join"),
    "pykt.txt": ("0", "pyKT.*six lines.*a row for each answer instead"),
}


def read(name, student, **words):
    """The tasks, and the texts of all warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        tasks = GradebookTasks(EXPORTS / name, student, **words)
    return tasks, [str(warning.message) for warning in caught]


def check_expected(tasks, name):
    path = EXPORTS / "expected" / f"{name}.csv"
    if path.exists():
        table = np.genfromtxt(path, delimiter=",")
        table = table[~np.isnan(table).all(axis=1)]  # who has no answer is no row
        np.testing.assert_allclose(tasks.table(), table, rtol=1e-6, atol=5e-7)


def test_every_file_is_tested():
    files = {path.name for path in EXPORTS.iterdir() if path.is_file()} - {"README.md"}
    assert files == {*READ, *IMPOSSIBLE}


@pytest.mark.parametrize("name", READ)
def test_an_export_gives_what_it_should(name):
    student, words, said = READ[name]
    assert 2 + len(words) <= 3
    tasks, caught = read(name, student, **words)
    check_expected(tasks, name)
    for text in said:
        assert any(text in note for note in tasks.notes), text
    assert {*caught} <= {*tasks.notes}
    assert not [n for n in NAMES for note in tasks.notes if n in note]


@pytest.mark.parametrize("name", READ)
def test_the_call_that_look_proposes_reads_the_file(name):
    findings = look(EXPORTS / name)
    assert findings.problem is None
    assert f"  {findings.call}" in str(findings).splitlines()
    assert findings.call.count("...") == ("maximum=..." in findings.call)
    assert not [n for n in NAMES if n in str(findings)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tasks = eval(findings.call.replace("...", "10"))
    check_expected(tasks, name)


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_what_cannot_be_read_is_told(name):
    student, message = IMPOSSIBLE[name]
    with pytest.raises(ValueError, match=message) as error:
        GradebookTasks(EXPORTS / name, student)
    findings = look(EXPORTS / name)
    assert findings.call is None
    assert findings.problem in str(findings)
    for text in (str(error.value), str(findings)):
        assert not [n for n in NAMES if n in text]


def test_the_class_of_chapter_b():
    findings = look(ROOT / "examples" / "class.csv")
    assert findings.call.endswith("examples/class.csv', 'student')")
    assert findings.size == "27 students, 20 items, 351 answers."


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        look(tmp_path / "class.csv")


def test_answers_of_google_forms_with_a_key():
    questions = ["What is 1/2 + 1/3?", "Name a prime.", "Slope of y=3x", "Odds"]
    key = dict.fromkeys(questions, "5/6")
    tasks, _ = read("gforms_sheet.csv", "Name", key=key)
    assert tasks.items == questions
    # Ada, Bo and Cy, by hand: 5/6 is right, 2/5 is wrong, empty is a gap.
    first = [[1, 0, 1, 1], [1, 0, 1, 1], [np.nan, 0, 1, 0]]
    np.testing.assert_array_equal(tasks.table()[:3], first)


def test_the_whole_log_is_there():
    tasks, _ = read("assistments.csv", "user_id", maximum=1)
    assert len(tasks.rows) == 60
    assert (~np.isnan(tasks.table())).sum() == 720
    tasks, _ = read("junyi.csv", "user_id", attempts="first")
    assert (~np.isnan(tasks.table())).sum() == 420
    times, _ = read("junyi.csv", "user_id", time="time_done")
    assert len(times._score) == 1000


def test_repeated_attempts_are_asked_about():
    with pytest.raises(
        ValueError, match="'first', 'last' or 'best', or time='time_done"
    ):
        GradebookTasks(EXPORTS / "junyi.csv", "user_id")


def test_a_hint_can_be_left_out():
    tasks, _ = read("datashop.txt", "Anon Student Id", attempts="first", gaps=["hint"])
    assert not any("Counted as wrong" in note for note in tasks.notes)
    assert (~np.isnan(tasks.table())).sum() < 300
