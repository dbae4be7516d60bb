"""What the README shows and names is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def test_its_pictures_and_files_are_in_the_repository():
    pictures = re.findall(r'<img src="([^"]+)"[^>]* alt="(.{40,}?)"', README)
    assert len(pictures) == README.count("<img") >= 5
    links = re.findall(r"\]\((?!https?:)([^)]+)\)", README)
    assert len(links) >= 4
    folders = re.findall(r"`([a-z]+/)`", README)
    for name in (*(src for src, _ in pictures), *links, *folders):
        assert (ROOT / name).exists(), name


def test_its_commands_are_in_the_makefile():
    targets = set(re.findall(r"^([a-z]+):", MAKEFILE, re.M))
    named = set(re.findall(r"\bmake ([a-z]+)\b", README)) - {"help"}
    assert {"book", "test"} <= named <= targets


@pytest.mark.parametrize("file", ["pyproject.toml", "CITATION.cff"])
def test_the_version_is_the_newest_of_the_changelog(file):
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## (\S+?),", changelog, re.M).group(1)
    given = re.search(r'^version\W+([\d.]+)"?$', (ROOT / file).read_text(), re.M)
    assert given.group(1) == newest
