"""Chapter B on another file: only its settings are changed, and nobody is named."""

import csv
import re
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import pytest
import torch

ROOT = Path(__file__).parents[2]
CHAPTER = ROOT / "notebooks" / "B_your_own_class.ipynb"


def run(source, names):
    exec(compile(source, "chapter B", "exec"), names)
    plt.close("all")


def sources():
    cells = nbformat.read(CHAPTER, as_version=4).cells
    return [cell.source for cell in cells if cell.cell_type == "code"]


@pytest.fixture(scope="module")
def sat():
    """What the cell about another test leaves: it stands on the imports alone."""
    names = {}
    first, *others = sources()
    (own,) = (source for source in others if source.startswith("sat = "))
    with plt.rc_context():
        run(first, names)
        run(own, names)
    return names


@pytest.fixture
def execute(monkeypatch, sat):
    """Run the whole chapter; what holds for its own example alone, it skips."""
    monkeypatch.chdir(CHAPTER.parent)
    threads, style = torch.get_num_threads(), plt.rcParams.copy()
    plt.switch_backend("agg")

    def execute(settings, pages=None):
        names = {}
        for source in sources():
            if source.startswith("sat = "):
                names.update(sat)
                continue
            if source.startswith("path = "):
                source = settings
            if source.startswith("if pages is not None") and pages is not None:
                # Two pages stand for all: a page takes about a second.
                source = source.replace("range(len(everyone))", f"range({pages})")
            run(source, names)
        assert not names["example"]
        return names

    yield execute
    torch.set_num_threads(threads)
    plt.rcParams.update(style)


def export(path, students, items, scores, separator=",", share=0.5):
    """A long table with gaps; some students have too few answers."""
    rng = np.random.default_rng(7)
    logit = rng.normal(size=(students, 1)) + rng.normal(size=items)
    there = rng.random(logit.shape) < share
    there[:3] = False
    there[:3, :4] = True
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, delimiter=separator)
        writer.writerow(["Name", "Task", "Points", "Remark"])
        for i, j in rng.permutation(np.argwhere(there)):
            score = scores(logit[i, j], rng)
            writer.writerow([f"Secretname {i}, Zoë", f"$T_{j}", score, "Privateremark"])


def points(logit, rng):
    """0 to 10 in halves, with a decimal comma."""
    raw = 5 + 2 * logit + 1.5 * rng.normal()
    return str(np.clip(np.round(2 * raw) / 2, 0, 10)).replace(".", ",")


@pytest.mark.filterwarnings("ignore:left out")
def test_a_real_export_of_points(tmp_path, execute, capsys):
    path, pages = tmp_path / "export.csv", tmp_path / "pages"
    export(path, 400, 300, points, ";")
    columns = {"student": "Name", "item": "Task", "score": "Points"}
    settings = f"path = {str(path)!r}\ncolumns = {columns}\npages = {str(pages)!r}"
    names = execute(settings, pages=2)

    assert not names["tasks"].binary
    assert names["tasks"].left_out == {"students": 3, "answers": 12}
    report = names["report"]
    assert len(report) == 397
    inside = (report["from"] <= report["mastery"]) & (report["mastery"] <= report["to"])
    assert inside.all()
    assert report["mastery"].between(0, 10).all()
    assert names["seen"][names["chosen"]].mean() < names["seen"]["item mean"].mean()
    assert names["check"]["inside"].between(0.6, 0.95).all()
    # About half is open, the level is known to some tenths of ten points.
    assert (report["to"] - report["from"]).between(0.01, 1.0).all()
    for i in (0, 5, 396):
        assert np.isnan(names["everyone"][i, names["next_items"](i)]).all()
        assert len({*names["next_items"](i)}) == 3

    # Nobody is named: not in a page or its name, not in what is printed.
    made = sorted(pages.iterdir())
    rows = {int(re.fullmatch(r"row_(\d+)\.png", page.name)[1]) for page in made}
    assert rows == {*report.index} & rows
    assert len(rows) == 2
    shown = capsys.readouterr().out + str(report) + str(names["page_of"](0))
    for private in ("Secretname", "Zoë", "Privateremark"):
        assert private not in shown
        assert all(private.encode() not in page.read_bytes() for page in made)
        kept = (n for n in names.values() if isinstance(n, list | dict | pd.DataFrame))
        assert all(private not in str(value) for value in kept)


@pytest.mark.filterwarnings("ignore:left out")
def test_one_class_of_thirty(tmp_path, execute):
    """Few students: it still runs, and its intervals are wide, not wrong."""
    path = tmp_path / "class.csv"
    export(path, 30, 20, lambda z, rng: int(rng.random() < 1 / (1 + np.exp(-z))))
    columns = {"student": "Name", "item": "Task", "score": "Points"}
    names = execute(f"path = {str(path)!r}\ncolumns = {columns}\npages = None")
    report = names["report"]
    assert len(report) == 27
    assert (report["from"] <= report["to"]).all()
    assert report[["from", "mastery", "to"]].stack().between(0, 1).all()
    assert report["new"].sum() == len(names["test"])


@pytest.mark.filterwarnings("ignore:left out")
def test_a_short_quiz_that_most_have_completed(tmp_path, execute, capsys):
    """Nothing is left to ask of most, and nobody has five answers and five others."""
    path, pages = tmp_path / "quiz.csv", tmp_path / "pages"

    def right(logit, rng):
        return int(rng.random() < 1 / (1 + np.exp(-logit)))

    export(path, 60, 9, right, share=0.95)
    columns = {"student": "Name", "item": "Task", "score": "Points"}
    settings = f"path = {str(path)!r}\ncolumns = {columns}\npages = {str(pages)!r}"
    names = execute(settings, pages=3)
    assert "no interval" in capsys.readouterr().out
    report = names["report"]
    complete = report["known"] == 9
    assert complete.mean() > 0.5
    assert (report["from"] == report["to"])[complete].all()
    # Without a calibration an interval goes as far as the open answers can.
    width = (report["to"] - report["from"])[~complete]
    np.testing.assert_allclose(width, (9 - report["known"][~complete]) / 9, atol=1e-6)
    assert len([*pages.iterdir()]) == 3
