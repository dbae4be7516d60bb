"""The notation page has every letter of the formulas, and every name is in the code."""

import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "book" / "notation.md").read_text(encoding="utf-8")
ROWS = [r.strip("| \n").split(" | ") for r in PAGE.splitlines() if r.startswith("| ")]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
CELLS = {p.stem: nbformat.read(p, as_version=4).cells for p in NOTEBOOKS}
GREEK = (
    "alpha beta gamma delta epsilon varepsilon zeta eta theta kappa lambda mu nu xi pi "
    "rho sigma tau phi varphi chi psi omega ell "
    "Gamma Delta Theta Lambda Sigma Phi Omega"
)
FORMULA = re.compile(
    r"\$\$(.+?)\$\$|```\{math\}(.+?)```|(?<![\\$\w])\$([^$]+?)\$(?![\d$])", re.DOTALL
)


def letters(tex):
    """The Greek and Latin letters of a formula; words and commands are none."""
    tex = re.sub(r":label:.*", "", tex)
    tex = re.sub(r"\\(text|operatorname|tag)\w*\{[^}]*\}", " ", tex)
    found = {c for c in re.findall(r"\\([a-zA-Z]+)", tex) if c in GREEK.split()}
    return found | set(re.findall(r"[A-Za-z]", re.sub(r"\\[a-zA-Z]+", " ", tex)))


def formulas(text):
    text = re.sub(r"`[^`\n]+`", "", text)
    return ["".join(parts) for parts in FORMULA.findall(text)]


KNOWN = {x for row in ROWS for f in formulas(row[0]) for x in letters(f)}


def test_letters_are_found():
    tex = r"\theta_i' = \text{so} - \alpha\nabla L"
    assert letters(tex) == {"theta", "i", "alpha", "L"}
    assert len(KNOWN) > 40


@pytest.mark.parametrize("chapter", CELLS)
def test_every_letter_of_a_chapter_is_on_the_page(chapter):
    cells = [c for c in CELLS[chapter] if c.cell_type == "markdown"]
    unknown = {
        (letter, formula.strip()[:40])
        for cell in cells
        for formula in formulas(cell.source)
        for letter in letters(formula) - KNOWN
    }
    assert not unknown


def test_every_name_on_the_page_is_in_the_code():
    files = [p.read_text(encoding="utf-8") for p in ROOT.glob("refimpl/**/*.py")]
    cells = [c.source for cs in CELLS.values() for c in cs if c.cell_type == "code"]
    code = set(re.findall(r"\w+", "\n".join(files + cells)))
    names = [
        name
        for row in ROWS
        for quoted in re.findall(r"`([^`]+)`", row[-1])
        for name in re.findall(r"[A-Za-z]\w*", quoted)
        if "…" not in quoted
    ]
    assert len(names) > 60
    assert {n for n in names if n not in code} == set()
