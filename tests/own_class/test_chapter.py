"""Chapter B and the command on other files: nobody is named, and both say the same."""

import csv
import json
import re
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import pytest
import torch

from refimpl.own_class.__main__ import main

ROOT = Path(__file__).parents[2]
CHAPTER = ROOT / "notebooks" / "B_your_own_class.ipynb"
EXPORTS = Path(__file__).parent / "exports"
PRIVATE = ("Secretname", "Zoë", "Privateremark")


def sources():
    cells = nbformat.read(CHAPTER, as_version=4).cells
    return [cell.source for cell in cells if cell.cell_type == "code"]


@pytest.fixture
def execute(monkeypatch):
    """Run the whole chapter; what holds for its own example alone, it skips."""
    monkeypatch.chdir(CHAPTER.parent)
    threads, style = torch.get_num_threads(), plt.rcParams.copy()
    plt.switch_backend("agg")

    def execute(settings):
        names = {}
        for source in sources():
            own = settings if source.startswith("path = ") else source
            exec(compile(own, "chapter B", "exec"), names)
            plt.close("all")
        assert not names["example"]
        return names

    yield execute
    torch.set_num_threads(threads)
    plt.rcParams.update(style)


def export(path, students, items, scores, share=0.5):
    """A long table with gaps, semicolons and decimal commas."""
    rng = np.random.default_rng(7)
    logit = rng.normal(size=(students, 1)) + rng.normal(size=items)
    there = rng.random(logit.shape) < share
    there[:, 0] = True
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(["Name", "Task", "Points", "Remark"])
        for i, j in rng.permutation(np.argwhere(there)):
            score = scores(logit[i, j], rng)
            writer.writerow([f"Secretname {i}, Zoë", f"$T_{j}", score, "Privateremark"])


def points(logit, rng):
    """0 to 10 in halves, with a decimal comma."""
    raw = 5 + 2 * logit + 1.5 * rng.normal()
    return str(np.clip(np.round(2 * raw) / 2, 0, 10)).replace(".", ",")


def right(logit, rng):
    return int(rng.random() < 1 / (1 + np.exp(-logit)))


@pytest.mark.filterwarnings("ignore")
def test_points_of_a_class(tmp_path, execute, capsys):
    path, page = tmp_path / "export.csv", tmp_path / "report.html"
    export(path, 30, 25, points)
    columns = {"student": "Name", "item": "Task", "score": "Points", "maximum": 10}
    names = execute(f"path = {str(path)!r}\ncolumns = {columns}\npage = {str(page)!r}")
    assert not names["tasks"].binary
    table = names["table"]
    assert len(table) == 30
    inside = (table["from"] <= table["mean"]) & (table["mean"] <= table["to"])
    assert inside.all()
    assert table["mean"].between(0, 1).all()
    shown = capsys.readouterr().out + str(table) + page.read_text(encoding="utf-8")
    for private in PRIVATE:
        assert private not in shown
        kept = (n for n in names.values() if isinstance(n, list | dict | pd.DataFrame))
        assert all(private not in str(value) for value in kept)
    assert "$T_3" in page.read_text(encoding="utf-8")


@pytest.mark.filterwarnings("ignore")
def test_a_short_quiz_that_most_have_completed(tmp_path, execute):
    path = tmp_path / "quiz.csv"
    export(path, 9, 6, right, share=0.9)
    columns = {"student": "Name", "item": "Task", "score": "Points"}
    names = execute(f"path = {str(path)!r}\ncolumns = {columns}\npage = None")
    complete = names["table"]["answered"] == 6
    assert complete.mean() > 0.5
    own = names["table"][complete]
    assert (own["from"] == own["to"]).all()
    told = [s.describe(names["made"].items) for s in names["made"].students]
    assert sum("Nothing is left to forecast" in t for t in told) == complete.sum()


@pytest.mark.filterwarnings("ignore")
def test_the_command_writes_what_the_chapter_makes(tmp_path, execute, capsys):
    path, page = tmp_path / "class.csv", tmp_path / "page.html"
    export(path, 12, 10, right)
    told = ["--student", "Name", "--item", "Task", "--score", "Points"]
    assert main([str(path), *told]) == 0
    columns = {"student": "Name", "item": "Task", "score": "Points"}
    execute(f"path = {str(path)!r}\ncolumns = {columns}\npage = {str(page)!r}")
    texts = [
        re.sub(r"<(title|h1)>[^<]*", "", file.read_text(encoding="utf-8"))
        for file in (tmp_path / "class.html", page)
    ]
    assert texts[0] == texts[1]
    # It refuses to overwrite, and says so in one line; nothing shows a name.
    assert main([str(path), *told]) == 1
    shown = capsys.readouterr()
    assert "out: expected a new file" in shown.err
    assert not any(private in shown.out + shown.err for private in PRIVATE)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("canvas.csv", ["--student", "Student"]),
        ("moodle_de.csv", ["--student", "ID-Nummer", "--maximum", "10"]),
        ("class.xlsx", ["--student", "Pupil", "--maximum", "10"]),
        ("gradescope.csv", ["--student", "SID"]),
        ("irw.csv", ["--student", "id"]),
    ],
)
def test_the_command_reads_what_programs_export(tmp_path, file, words):
    out = tmp_path / "report.html"
    assert main([str(EXPORTS / file), *words, "--out", str(out)]) == 0
    assert "What was read" in out.read_text(encoding="utf-8")


def test_the_command_without_a_student_says_what_it_sees(capsys):
    assert main([str(EXPORTS / "canvas.csv")]) == 2
    shown = capsys.readouterr().out
    assert "The call to copy" in shown
    assert "--student" in shown
    assert not (EXPORTS / "canvas.html").exists()


def test_maxima_of_single_items_can_be_typed(tmp_path):
    words = ["--student", "Pupil", "--maximum"]
    maxima = {f"Question {n}": 10 for n in range(1, 15)}
    for n, told in enumerate(("10", json.dumps(maxima))):
        out = ["--out", str(tmp_path / f"{n}.html")]
        assert main([str(EXPORTS / "class.xlsx"), *words, told, *out]) == 0
    pages = [p.read_text(encoding="utf-8") for p in tmp_path.glob("*.html")]
    assert pages[0] == pages[1]


def test_the_command_tells_what_is_wrong_in_one_line(tmp_path, capsys):
    assert main([str(tmp_path / "nothing.csv"), "--student", "Name"]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    letters = EXPORTS / "moodle_letter.csv"
    assert main([str(letters), "--student", "ID number"]) == 1
    told = capsys.readouterr().err
    assert "letters" in told
    assert "--maximum 10" in told
