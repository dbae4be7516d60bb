"""The two commands fail when they should: what a green run is worth."""

import html
import os
import re
import shutil
import subprocess
import sys
import urllib.parse
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parent.parent
MAKE = shutil.which("make")
ALONE = "WORKERS=0"  # each worker takes seconds to start
pytestmark = pytest.mark.skipif(
    MAKE is None or not (ROOT / ".venv" / "installed").exists(),
    reason="needs make and the environment that make sets up",
)


@pytest.fixture
def small_book(tmp_path):
    """This book's machinery around one small chapter."""
    for name in (
        "Makefile",
        "_config.yml",
        "pyproject.toml",
        "requirements.txt",
        "constraints.txt",
    ):
        shutil.copy2(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "tools", tmp_path / "tools")
    shutil.copytree(ROOT / "book", tmp_path / "book")
    for name in ("tests", "notebooks", "refimpl"):
        (tmp_path / name).mkdir()
    (tmp_path / "refimpl" / "part.py").write_text("")
    (tmp_path / "tests" / "test_nothing.py").write_text("def test_nothing(): pass\n")
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: notebooks/chapter\n")
    return tmp_path


def write_chapter(book, *sources):
    """A chapter of one title and code cells; ``(source, output)`` stores an output."""
    cells = [nbformat.v4.new_markdown_cell("# A chapter")]
    for given in sources:
        source, stored = given if isinstance(given, tuple) else (given, None)
        cell = nbformat.v4.new_code_cell(source)
        if stored is not None:
            cell.execution_count = 1
            cell.outputs = [nbformat.v4.new_output("stream", text=stored)]
        cells.append(cell)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.write(notebook, book / "notebooks" / "chapter.ipynb")


def make(book, target, *variables, **addresses):
    """Call make with our environment, which must not be installed anew from there."""
    venv = ROOT / ".venv"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    environment |= addresses
    return subprocess.run(
        [MAKE, target, f"VENV={venv}", f"--old-file={venv / 'installed'}", *variables],
        cwd=book,
        env=environment,
        capture_output=True,
        text=True,
    )


def test_a_sound_chapter_builds_and_passes(small_book):
    write_chapter(small_book, ("# NBVAL_CHECK_OUTPUT\nprint(1 + 1)", "2\n"))
    book, test = make(small_book, "book"), make(small_book, "test")
    assert book.returncode == 0, book.stdout + book.stderr
    assert test.returncode == 0, test.stdout + test.stderr
    assert (small_book / "_build" / "html" / "index.html").exists()


@pytest.fixture
def sparing_book(small_book):
    """A small book whose tests do not execute again what ``make book`` executed."""
    shutil.copy(ROOT / "tests" / "executed.py", small_book / "tests")
    hook = (
        "from tests.executed import spare_executed as pytest_collection_modifyitems\n"
    )
    (small_book / "tests" / "conftest.py").write_text(hook)
    return small_book


def test_what_the_book_has_executed_is_compared_and_not_executed_again(sparing_book):
    count = sparing_book / "count"
    source = f"# NBVAL_CHECK_OUTPUT\nprint('run', file=open(r'{count}', 'a'))\nprint(2)"
    write_chapter(sparing_book, (source, "3\n"))
    assert make(sparing_book, "book").returncode == 0
    test = make(sparing_book, "test", ALONE)
    assert test.returncode != 0
    assert "Cell outputs differ" in test.stdout
    assert count.read_text() == "run\n"
    write_chapter(sparing_book, (source, "2\n"))
    (sparing_book / "refimpl" / "part.py").write_text("# changed\n")
    test = make(sparing_book, "test", ALONE)
    assert test.returncode == 0, test.stdout + test.stderr
    assert count.read_text() == "run\nrun\n"


def test_an_exception_fails_both_commands(small_book):
    write_chapter(small_book, "raise RuntimeError('planted')")
    book, test = make(small_book, "book"), make(small_book, "test", ALONE)
    assert book.returncode != 0
    assert test.returncode != 0
    assert "planted" in test.stdout


def test_a_wrong_marked_output_fails_the_test(small_book):
    write_chapter(small_book, ("# NBVAL_CHECK_OUTPUT\nprint(1 + 1)", "3\n"))
    test = make(small_book, "test", ALONE)
    assert test.returncode != 0
    assert "Cell outputs differ" in test.stdout


def test_a_broken_reference_fails_the_book(small_book):
    write_chapter(small_book, "1 + 1")
    path = small_book / "notebooks" / "chapter.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[0].source += "\n\n{term}`nonsense`"
    nbformat.write(notebook, path)
    book = make(small_book, "book")
    assert book.returncode != 0
    assert "nonsense" in book.stderr


def test_notebooks_run_again_when_and_only_when_refimpl_changes(small_book):
    count = small_book / "count"
    write_chapter(small_book, f"print('run', file=open(r'{count}', 'a'))")
    runs, said = [], []
    for change in ("", "# another page\n", "# changed\n"):
        if "page" in change:
            (small_book / "book" / "_static" / "house.css").write_text("a {}")
        elif change:
            (small_book / "refimpl" / "part.py").write_text(change)
        book = make(small_book, "book")
        assert book.returncode == 0
        runs.append(len(count.read_text().splitlines()))
        said.append(book.stdout)
        assert "cuda" not in (book.stdout + book.stderr).lower()
        assert "oneDNN" not in book.stdout + book.stderr
        assert re.search(r"the book took \d+ min \d+ s\n.*Open it: ", book.stdout, re.S)
    assert runs == [1, 1, 2]
    for n, line in enumerate((r"\d+ s", "from the cache", r"\d+ s")):
        assert re.search(rf"^ 1 of 1  chapter +{line}$", said[n], re.M), said[n]


def test_launch_buttons_lead_to_known_addresses_only(small_book):
    write_chapter(small_book, "1 + 1")
    page = small_book / "_build" / "html" / "notebooks" / "chapter.html"
    make(small_book, "book", REPOSITORY="")
    without = page.read_text()
    assert "mybinder.org" not in without
    assert "git-pull" not in without
    assert 'title="Suggest edit"' not in without
    shutil.rmtree(small_book / "_build")
    repository = "https://github.com/owner/name"
    make(small_book, "book", REPOSITORY=repository, JUPYTERHUB="https://hub.school")
    links = urllib.parse.unquote(html.unescape(page.read_text()))
    chapter = "notebooks/chapter.ipynb"
    assert f"mybinder.org/v2/gh/owner/name/main?urlpath=lab/tree/{chapter}" in links
    assert f"https://hub.school/hub/user-redirect/git-pull?repo={repository}" in links
    assert f"urlpath=lab/tree/name/{chapter}&branch=main" in links
    assert f"{repository}/edit/main/{chapter}" in links


def test_pages_change_with_the_style_sheet(small_book):
    write_chapter(small_book, "1 + 1")
    for text in ("a {}", "b {}"):
        (small_book / "book" / "_static" / "house.css").write_text(text)
        assert make(small_book, "book").returncode == 0
        built = small_book / "_build" / "html" / "_static" / "house.css"
        assert built.read_text() == text


def other_python(path, version):
    """A program that says that it is a Python of this version, and does nothing."""
    path.write_text(
        f"#!{sys.executable}\nimport sys\nsys.version_info = {version!r}\n"
        f"if sys.argv[1] == '--version': print('Python', *{version!r}, sep='.')\n"
        "else: exec(sys.argv[2])\n"
    )
    path.chmod(0o755)


@pytest.mark.parametrize("version", [(3, 10, 4), (3, 14, 0)])
def test_a_python_that_does_not_fit_is_told_so(small_book, tmp_path, version):
    other_python(tmp_path / "other", version)
    run = subprocess.run(
        [MAKE, "book", f"PYTHON={tmp_path / 'other'}", "VENV=none"],
        cwd=small_book,
        capture_output=True,
        text=True,
    )
    assert run.returncode != 0
    assert "needs Python 3.11, 3.12 or 3.13" in run.stdout
    assert ".".join(map(str, version)) in run.stdout
    for way in ("apt install", "uv python install", "pyenv", "PYTHON="):
        assert way in run.stdout


@pytest.mark.parametrize(
    ("found", "taken"),
    [
        ({"python3": (3, 12, 1), "python3.13": (3, 13, 0)}, "python3"),
        ({"python3": (3, 14, 0), "python3.12": (3, 12, 1)}, "python3.12"),
        ({"python3": (3, 14, 0)}, "python3"),  # which is then told so
    ],
)
def test_make_takes_the_first_python_that_fits(tmp_path, found, taken):
    for name, version in found.items():
        other_python(tmp_path / name, version)
    for tool in ("sh", "make"):
        (tmp_path / tool).symlink_to(shutil.which(tool))
    shutil.copy(ROOT / "Makefile", tmp_path)
    run = subprocess.run(
        [tmp_path / "make", "--eval=ask: ; $(info $(PYTHON))", "ask"],
        cwd=tmp_path,
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert run.stdout.splitlines()[0] == taken, run.stderr


def test_a_missing_venv_module_is_told_so(small_book, tmp_path):
    bare = tmp_path / "bare-python"
    bare.write_text(
        f'#!/bin/sh\ncase "$2" in *venv*) exit 1;; esac\nexec {sys.executable} "$@"\n'
    )
    bare.chmod(0o755)
    run = subprocess.run(
        [MAKE, "book", f"PYTHON={bare}", "VENV=none"],
        cwd=small_book,
        capture_output=True,
        text=True,
    )
    assert run.returncode != 0
    assert "venv module is missing" in run.stdout
