"""The committed notebooks are current, clean, described, and readable as they stand."""

import re
from pathlib import Path

import nbformat
import pytest

from tools.notebooks import code_hash

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
FOLDED = {"hide-cell", "remove-cell", "hide-input"}


def tags(cell):
    return set(cell.metadata.get("tags", []))


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return nbformat.read(request.param, as_version=4)


@pytest.fixture
def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_there_are_notebooks():
    assert NOTEBOOKS


def test_outputs_belong_to_the_code(notebook):
    assert notebook.metadata["code_hash"] == code_hash(notebook), (
        "the code was changed after it ran: make notebooks"
    )


def test_every_cell_ran_in_order(code):
    assert [cell.execution_count for cell in code] == [*range(1, len(code) + 1)]


def test_outputs_are_clean(code):
    for cell in code:
        for output in cell.outputs:
            assert output.output_type != "error"
            assert output.get("name") != "stderr"
            text = str(output.get("text", "")) + str(output.get("data", {}))
            assert not re.search(r"/(home|root|work|tmp|Users)/", text)
            assert not re.search(r" at 0x[0-9a-f]{6,}", text)
            assert "it/s]" not in text


def test_every_figure_is_described(code):
    for cell in code:
        pictures = [o for o in cell.outputs if "image/png" in o.get("data", {})]
        if pictures:
            alt = cell.metadata["mystnb"]["image"]["alt"]
            assert len(alt.split()) >= 8, f"say what it shows: {alt!r}"
            assert not re.search(r"\.(png|svg)|^(figure|image|plot)\b", alt.lower())
            figure = cell.metadata["mystnb"]["figure"]
            assert figure["name"].startswith("fig-")
            assert len(figure["caption"].split()) >= 8, "say what to see"
        for output in cell.outputs:
            markup = str(output.get("data", {}).get("text/html", ""))
            for image in re.findall(r"<img [^>]*>", markup):
                assert re.search(r'alt="[^"]{30,}"', image)
            assert len(markup) <= 400_000, "a step-through figure of over 400 kB"


def test_no_code_without_a_sentence_between(notebook):
    previous = None
    for cell in notebook.cells:
        if (
            previous is not None
            and cell.cell_type == previous.cell_type == "code"
            and not tags(cell) & FOLDED
        ):
            pytest.fail(f"two cells in a row: {cell.source[:60]!r}")
        previous = cell


def test_code_lines_fit_the_page(code):
    for cell in code:
        for line in cell.source.splitlines():
            assert len(line) <= 78, line


def test_five_exercises_with_folded_solutions(notebook):
    text = "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
    exercises = re.findall(r"```\{exercise\}.*\n:label: (\S+)", text)
    solutions = re.findall(r"```\{solution(?:-start)?\} (\S+)\n:class: dropdown", text)
    assert len(exercises) >= 5
    assert exercises == solutions


def reading_minutes(notebook):
    """200 words and 20 lines of open code a minute, as how_to_use.md says."""
    words, lines = 0, 0
    for cell in notebook.cells:
        if cell.cell_type == "code":
            lines += 0 if tags(cell) & FOLDED else len(cell.source.splitlines())
            continue
        text, *end = re.split(r"(?m)^## What to remember", cell.source)
        text = re.sub(r"(?s)\$\$.*?\$\$|```\{math\}.*?```", "", text)
        words += len(re.findall(r"[^\W\d_][\w'-]*", re.sub(r"\{\w+\}`", "", text)))
        if end:
            return words / 200 + lines / 20
    raise AssertionError("no section What to remember")


def test_the_reading_time_is_counted(notebook):
    text = " ".join(" ".join(cell.source for cell in notebook.cells).split())
    stated = int(re.search(r"\*Reading time\* (\d+) minutes", text).group(1))
    minutes = reading_minutes(notebook)
    assert abs(stated - minutes) <= 3, f"it takes {minutes:.1f} minutes"


def test_every_fence_is_closed(notebook):
    """What follows an open one is swallowed, and nothing complains."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for fence in ("```", ":::"):
                count = len(re.findall(rf"(?m)^{fence}", cell.source))
                assert count % 2 == 0, cell.source
