"""Assignments: students see no answer, and nbgrader gives the points that are due."""

import ast
import copy
import os
import re
import shutil
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from subprocess import Popen, run

import nbformat
import pytest
from nbgrader.api import Gradebook
from nbgrader.apps.nbgraderapp import NbGraderApp
from nbgrader.converters import Autograde, GenerateAssignment
from traitlets.config import Config

from tools import assignments
from tools.forked import processes

pytestmark = pytest.mark.filterwarnings("ignore:.*not in session")  # nbgrader's own
ROOT = Path(__file__).parent.parent
MARKS = ("SOLUTION", "HIDDEN TESTS")


@dataclass(frozen=True)
class Course:
    """One assignment in a course of its own: for the teacher, and for students."""

    root: Path
    name: str
    source: nbformat.NotebookNode
    release: nbformat.NotebookNode

    def submit(self, student, answers):
        """Hand in the release with these answers, by their cells' grade_id."""
        notebook = copy.deepcopy(self.release)
        places = {c.metadata.nbgrader["grade_id"]: c for c in graded(notebook)}
        for grade_id, text in answers.items():
            assert is_answer(places[grade_id]), grade_id
            places[grade_id].source = text
        folder = self.root / "submitted" / student / self.name
        folder.mkdir(parents=True)
        nbformat.write(notebook, folder / f"{self.name}.ipynb")

    def autograde(self, extra=None):
        """Every student's points by tests; nbgrader's own runs must succeed.

        Two runs at a time, with half of the students each: they take the most time.
        """
        second = shutil.copytree(self.root, self.root.with_name(f"{self.root.name}_2"))
        halves = (self.root, second)
        for n, folder in enumerate(sorted((self.root / "submitted").iterdir())):
            shutil.rmtree(halves[n % 2] / "submitted" / folder.name)
        points = {}
        with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
            grade = partial(assignments.convert, Autograde, name=self.name, extra=extra)
            for half, done in zip(halves, pool.map(grade, halves), strict=True):
                assert done["success"], done
                with Gradebook(f"sqlite:///{half / 'gradebook.db'}") as book:
                    submissions = book.assignment_submissions(self.name)
                    points |= {s.student.id: s.score for s in submissions}
        return points


def graded(notebook):
    return [cell for cell in notebook.cells if "nbgrader" in cell.metadata]


def is_answer(cell):
    return cell.metadata.get("nbgrader", {}).get("solution", False)


def reference(course):
    """The teacher's answers, by grade_id."""
    cells = [cell for cell in course.source.cells if is_answer(cell)]
    return {cell.metadata.nbgrader["grade_id"]: cell.source for cell in cells}


def points_by_tests(notebook):
    cells = [cell.metadata.nbgrader for cell in graded(notebook) if not is_answer(cell)]
    return sum(cell["points"] for cell in cells if cell["grade"])


def wrong_solutions(name):
    path = assignments.ASSIGNMENTS / "wrong" / f"{name}.py"
    namespace = {}
    exec(compile(path.read_text(encoding="utf-8"), path, "exec"), namespace)
    return namespace["WRONG"]


def by_audience(notebook):
    """The lines for everybody, those of solutions, and those of hidden tests.

    nbgrader clears a solution cell wholly if no mark says which part of it.
    """
    lines = {"public": [], "SOLUTION": [], "HIDDEN TESTS": []}
    for cell in notebook.cells:
        whole = is_answer(cell) and "BEGIN SOLUTION" not in cell.source
        audience = "SOLUTION" if whole else "public"
        for line in cell.source.split("\n"):
            mark = next((mark for mark in MARKS if mark in line), None)
            if mark:
                audience = mark if "BEGIN" in line else "public"
            else:
                lines[audience].append(line.strip())
    return lines


def make_course(root, name):
    assignments.copy_course(root, [name])
    done = assignments.convert(GenerateAssignment, root, name)
    assert done["success"], done
    source, release = (
        nbformat.read(root / step / name / f"{name}.ipynb", as_version=4)
        for step in ("source", "release")
    )
    return Course(root, name, source, release)


@pytest.fixture(autouse=True)
def only_errors(caplog):
    """Not that test cells have changed: nbgrader puts hidden tests back into them."""
    caplog.set_level("ERROR", logger="traitlets")


@pytest.fixture(scope="module", params=assignments.NAMES)
def course(request, tmp_path_factory):
    return make_course(tmp_path_factory.mktemp("course"), request.param)


def test_a_student_sees_no_solution_no_hidden_test_and_no_rubric(course):
    lines = by_audience(course.source)
    secret = {*lines["SOLUTION"], *lines["HIDDEN TESTS"]} - {*lines["public"]}
    secret |= {line for line in lines["SOLUTION"] if len(line) > 40}
    assert len(secret) > 20  # or the marks have been lost
    shown = "\n".join(cell.source for cell in course.release.cells)
    assert not secret & {line.strip() for line in shown.split("\n")}
    for path in (course.root / "release").rglob("*.*"):
        text = path.read_text(encoding="utf-8")
        assert not any(mark in text for mark in MARKS), path.name
        assert "rubric" not in text.lower(), path.name
        text = text.replace('\\"', '"')
        leaked = [line for line in secret if len(line) > 25 and line in text]
        assert not leaked, f"{path.name}: {leaked}"


def test_the_points_are_20_and_no_cell_gives_some_for_nothing(course):
    cells = [cell for cell in graded(course.source) if cell.metadata.nbgrader["grade"]]
    by_hand = [cell for cell in cells if is_answer(cell)]
    assert sum(c.metadata.nbgrader["points"] for c in cells) == 20
    assert 4 <= sum(c.metadata.nbgrader["points"] for c in by_hand) <= 6
    for cell in by_hand:
        answer = by_audience(nbformat.v4.new_notebook(cells=[cell]))["SOLUTION"]
        # The rubric comes with the model answer, and says what earns the points.
        assert re.search(r"\bpoints?\b", "\n".join(answer)), cell.source[:80]
    for cell in cells:
        assert not cell.get("outputs"), "outputs may hold answers"
        if cell.cell_type == "code":  # nbgrader reads a last value as points
            assert not isinstance(ast.parse(cell.source).body[-1], ast.Expr)


def all_points(course, submissions):
    """Every student's points by tests, each in a process that has imported already.

    nbgrader starts a kernel for each, which takes longer than most of the cells.
    """
    cells = [cell for cell in course.source.cells if cell.cell_type == "code"]
    grade = partial(assignments.points_of, course.root / "source" / course.name)
    written = []
    for answers in submissions.values():
        written.append([])
        for cell in cells:
            own = cell.metadata.get("nbgrader", {})
            tested = own.get("grade", False) and not is_answer(cell)
            text = answers[own["grade_id"]] if is_answer(cell) else cell.source
            written[-1].append((text, own["points"] if tested else 0))
    with processes(2) as pool:
        return dict(zip(submissions, pool.map(grade, written), strict=True))


def test_every_submission_gets_the_points_it_deserves(course):
    answers, wrong = reference(course), wrong_solutions(course.name)
    assert len(wrong) >= 5
    full = points_by_tests(course.source)
    expected, submissions = {"reference": full}, {"reference": answers}
    for solution in wrong:
        student = re.sub(r"\W+", "_", solution["name"])
        submissions[student] = answers | solution["cells"]
        assert solution["points"] < full, student
        expected[student] = solution["points"]
    assert all_points(course, submissions) == expected

    graded_too = [*expected][:3]  # by nbgrader itself
    for student in graded_too:
        course.submit(student, submissions[student])
    course.submit("empty", {})
    theirs = {student: expected[student] for student in graded_too}
    assert course.autograde() == theirs | {"empty": 0}


def test_a_loop_and_a_crash_cost_their_own_points_and_nothing_else(tmp_path):
    course = make_course(tmp_path, "1_tasks")
    answers, full = reference(course), points_by_tests(course.source)
    for student, body in {
        "a_loop": "while True: pass",
        "b_loop_that_will_not_stop": """
    while True:
        try:
            while True: pass
        except BaseException: pass""",
        "c_crash": "import os; os._exit(1)",
        "d_exit": "exit()",
        "e_error": "raise MemoryError",
    }.items():
        course.submit(student, answers | {"q1": f"def cut(*args, **kwargs): {body}"})
    course.submit("f_crash_at_once", answers | {"q1": "import os; os._exit(1)"})
    course.submit("g_syntax", answers | {"q1": "def cut(:"})
    first, *rest = answers["q1"].split("\n")
    warn = "    import warnings; warnings.warn('a warning is not an error')"
    course.submit("h_warning", answers | {"q1": "\n".join([first, warn, *rest])})
    course.submit("i_others", answers)
    limits = {"processor_seconds": 10, "iopub_timeout": 3}
    points = course.autograde(Config(Execute=limits))
    assert len(points) == 9
    assert points.pop("h_warning") == points.pop("i_others") == full
    assert {*points.values()} == {full - 2}  # the first question's points


def test_the_clock_takes_no_points_and_a_person_decides_what_is_open(tmp_path):
    course = make_course(tmp_path, "1_tasks")
    answers, full = reference(course), points_by_tests(course.source)
    first, *rest = answers["q1"].split("\n")
    for student, seconds in {"patient": 8, "waits": 10**6}.items():
        wait = f"    import time; time.sleep({seconds})"
        body = "\n".join(rest)
        course.submit(student, answers | {"q1": "\n".join([first, wait, body])})
    course.submit("loop", answers | {"q1": f"{first}\n    while True: pass"})
    config = tmp_path / "nbgrader_config.py"
    limits = "c.Execute.processor_seconds = 6\nc.Execute.clock_seconds = 60\n"
    config.write_text(config.read_text("utf-8") + limits, "utf-8")

    command = [sys.executable, "-m", "nbgrader", "autograde", "1_tasks"]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    busy = [Popen([sys.executable, "-c", "while True: pass"]) for _ in range(4)]
    try:
        environment = os.environ | {"PATH": path}
        done = run(command, cwd=tmp_path, env=environment, capture_output=True)
    finally:
        for process in busy:
            process.kill()
    assert done.returncode == 0, done.stderr
    said = done.stdout.decode().splitlines()[-1]
    assert said.endswith("waited for too long: waits/1_tasks"), said
    with Gradebook(f"sqlite:///{tmp_path / 'gradebook.db'}") as book:
        points, left = {}, {}
        for submission in book.assignment_submissions("1_tasks"):
            grades = submission.notebooks[0].grades
            left[submission.student.id] = sum(
                g.max_score
                for g in grades
                if g.cell.cell_type == "code" and g.needs_manual_grade
            )
            points[submission.student.id] = submission.score
    assert points == {"patient": full, "waits": full - 2, "loop": full - 2}
    assert left == {"patient": 0, "waits": 2, "loop": 0}


def test_make_assignments_says_what_it_made_and_what_it_could_not(
    tmp_path, monkeypatch, capsys
):
    source = assignments.ASSIGNMENTS
    before = {path: path.stat().st_mtime_ns for path in source.rglob("*")}
    copied = tmp_path / "assignments"
    shutil.copytree(source / "source" / "1_tasks", copied / "source" / "1_tasks")
    shutil.copy(source / "nbgrader_config.py", copied)
    monkeypatch.setattr(assignments, "ASSIGNMENTS", copied)
    monkeypatch.setattr(assignments, "COURSE", tmp_path / "course")
    monkeypatch.setattr(assignments, "NAMES", ["1_tasks"])
    environment = dict(os.environ)
    assert assignments.main() == 0
    assert dict(os.environ) == environment
    line = r"1_tasks +20 points, 15 by tests and 5 by hand, for 8 questions"
    assert re.match(line, capsys.readouterr().out)
    assert before == {path: path.stat().st_mtime_ns for path in source.rglob("*")}

    path = copied / "source" / "1_tasks" / "1_tasks.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[0].source += "\n### BEGIN SOLUTION\nin a text cell\n### END SOLUTION"
    nbformat.write(notebook, path)
    assert assignments.main() == 1
    assert "1_tasks         FAILED" in capsys.readouterr().out
    assert not (tmp_path / "course" / "release" / "1_tasks").exists()


def test_the_commands_of_the_page_exist():
    page = (ROOT / "book/instructors/assignments.md").read_text(encoding="utf-8")
    named = set(re.findall(r"(?:^|`)nbgrader ([a-z_]+)", page, re.M))
    assert {"autograde", "export"} <= named <= set(NbGraderApp().subcommands)
