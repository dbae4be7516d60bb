"""What the README shows and names is there."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def test_its_pictures_and_files_are_in_the_repository():
    pictures = re.findall(r'<img src="([^"]+)"[^>]* alt="(.{40,}?)"', README)
    assert len(pictures) == README.count("<img") >= 5
    # Relative to the README's own page, so that the badge needs no address.
    elsewhere = r"\((\.\./\.\./actions/workflows/(\w+\.yml)[^)]*)\)"
    for _, workflow in re.findall(elsewhere, README):
        assert (ROOT / ".github" / "workflows" / workflow).exists()
    links = re.findall(r"\]\((?!https?:)([^)]+)\)", re.sub(elsewhere, "", README))
    assert len(links) >= 4
    folders = re.findall(r"`([a-z]+/)`", README)
    for name in (*(src for src, _ in pictures), *links, *folders):
        assert (ROOT / name).exists(), name


def test_its_commands_are_in_the_makefile():
    targets = set(re.findall(r"^([a-z]+):", MAKEFILE, re.M))
    named = set(re.findall(r"\bmake ([a-z]+)\b", README)) - {"help"}
    assert {"book", "test"} <= named <= targets


def test_on_windows_the_workflow_runs_the_commands_of_the_readme():
    """What needs no make, one line each: it sets up, builds the book, tests."""
    text = (ROOT / ".github" / "workflows" / "book.yml").read_text(encoding="utf-8")
    steps = yaml.safe_load(text)["jobs"]["systems"]["steps"]
    run = [" ".join(step["run"].split()) for step in steps if "run" in step]
    block = README.split("## Without make")[1].split("\n## ")[0]
    commands = [
        line.split(" # ")[0].strip()
        for shell in re.findall(r"```console\n(.*?)```", block, re.S)
        for line in shell.splitlines()
    ]
    install, build, test = run
    assert {install, build} <= {*commands}
    assert commands[-1].removesuffix(" tests notebooks") in test
    for path in test.split()[test.split().index("--nbval-cell-timeout=3600") + 1 :]:
        assert (ROOT / path).exists()


@pytest.mark.parametrize("file", ["pyproject.toml", "CITATION.cff"])
def test_the_version_is_the_newest_of_the_changelog(file):
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## (\S+?),", changelog, re.M).group(1)
    given = re.search(r'^version\W+([\d.]+)"?$', (ROOT / file).read_text(), re.M)
    assert given.group(1) == newest
