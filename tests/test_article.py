"""Appendix A answers every claim of the article, each with a link to the evidence."""

import re
from pathlib import Path

import nbformat
import pytest

NOTEBOOK = Path(__file__).parent.parent / "notebooks" / "A_article_under_test.ipynb"
VERDICTS = ("right", "imprecise", "unproven", "wrong", "cannot run")
SECTIONS = [
    "1.1",
    "1.2",
    "2.1",
    "2.2",
    "3.1",
    "3.2",
    "4.1",
    "4.2",
    "4.1\N{PRIME}",
    "4.2\N{PRIME}",
]


@pytest.fixture(scope="module")
def text():
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    return "\n".join(c.source for c in cells if c.cell_type == "markdown")


@pytest.fixture(scope="module")
def claims(text):
    rows = [line.strip("|").split(" | ") for line in text.splitlines()]
    return [
        [c.strip() for c in r]
        for r in rows
        if len(r) == 4 and r[0].strip()[:1].isdigit()
    ]


def test_every_section_of_the_article_is_answered(claims):
    named = {re.match(r"[\d.]+\u2032?", claim[0]).group() for claim in claims}
    assert named == {*SECTIONS, "5", "6", "7"}
    lettered = [claim[0] for claim in claims if claim[0][-1] in "abcd"]
    assert len(lettered) == len({*lettered}) == 17


def test_each_has_a_verdict_and_a_link(claims):
    for number, claim, verdict, shown in claims:
        assert verdict.startswith(VERDICTS), (number, claim)
        assert re.search(r"\{(ref|doc)\}`[^<]+ ?<[^>]+>`", shown), (number, claim)


def test_each_fault_of_the_programs_has_a_cell_of_its_own(text, claims):
    linked = {*re.findall(r"<(fault-[a-z-]+)>", " ".join(c[3] for c in claims))}
    labels = re.findall(r"(?m)^\((fault-[a-z-]+)\)=\n### (\d+)\.", text)
    assert linked == {name for name, _ in labels}
    assert [int(number) for _, number in labels] == [*range(1, 15)]
