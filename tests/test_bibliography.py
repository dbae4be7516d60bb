"""The bibliography: one form for all entries, and no entry without a reader."""

import re
from collections import Counter
from pathlib import Path

import pytest
from pybtex.database import Entry, parse_file

ROOT = Path(__file__).parent.parent
ENTRIES = parse_file(str(ROOT / "book" / "references.bib")).entries
PAGES = [*ROOT.glob("book/**/*.md"), *ROOT.glob("notebooks/*.ipynb")]


def missing(entry: Entry) -> list[str]:
    """What an entry lacks of the form that the head of the file describes."""
    fields, lacks = entry.fields, []
    printed = {"publisher", "address"} <= set(fields)
    if not (printed or {"doi", "eprint", "url"} & set(fields)):
        lacks.append("a DOI, an arXiv number, a URL, or the publisher and its place")
    note = fields.get("note", "").lower()
    if "doi" in note or "arxiv" in note:
        lacks.append("its DOI or arXiv number in a field of its own")
    if entry.type == "article" and not {"journal", "volume"} <= set(fields):
        lacks.append("journal and volume")
    if "eprint" in fields and fields.get("archiveprefix") != "arXiv":
        lacks.append("archivePrefix = {arXiv}")
    return lacks


@pytest.mark.parametrize("key", ENTRIES)
def test_an_entry_has_the_form(key):
    assert not missing(ENTRIES[key])


def test_a_number_hidden_in_a_note_is_found():
    entry = Entry("misc", fields={"title": "T", "note": "doi:10.1/2"})
    assert len(missing(entry)) == 2


def test_every_entry_is_cited_and_none_stands_twice():
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    cited = {
        key
        for keys in re.findall(r"\{cite[^}]*\}`([^`]+)`", text)
        for key in keys.split(",")
    }
    assert [key for key in ENTRIES if key not in cited] == []
    titles = Counter(entry.fields["title"].lower() for entry in ENTRIES.values())
    assert [title for title, count in titles.items() if count > 1] == []
