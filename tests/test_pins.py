"""One version of everything: requirements, lock, Binder and package metadata agree."""

import ast
import importlib.metadata
import re
import sys
import tomllib
from functools import cache
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from packaging.specifiers import SpecifierSet

from tools import check_environment

ROOT = Path(__file__).parent.parent


def pins(name):
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    matches = [re.match(r"([A-Za-z0-9._-]+)==(\S+)", line) for line in lines]
    return {canonical(m[1]): m[2] for m in matches if m}


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_requirement_is_pinned_and_has_a_reason():
    for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith(("#", "-e")):
            assert re.fullmatch(r"[A-Za-z0-9._-]+==\S+ +# .{5,}", line), line


def test_the_lock_contains_the_requirements():
    lock = pins("constraints.txt")
    for name, version in pins("requirements.txt").items():
        assert lock.get(name) == version, name


def test_binder_has_the_same_versions():
    lock, binder = pins("requirements.txt"), pins(".binder/requirements.txt")
    assert "torch" in binder
    for name, version in binder.items():
        assert lock.get(name) == version, name


def test_binder_has_all_that_refimpl_needs():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    needed = {canonical(name) for name in project["project"]["dependencies"]}
    assert needed <= pins(".binder/requirements.txt").keys()
    assert needed <= pins("requirements.txt").keys()


distributions = cache(importlib.metadata.packages_distributions)  # reads all of them


def imported(code):
    """The distributions that a program imports; Python's own and ours left out."""
    names = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module.split(".")[0])
    kernel = {"IPython", "matplotlib_inline"}  # come with every notebook
    names -= {*sys.stdlib_module_names, "refimpl", *kernel}
    found = distributions()
    return {canonical(found[name][0]) for name in names}


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")))
def test_binder_has_all_that_the_chapters_import(path):
    cells = nbformat.read(path, as_version=4).cells
    code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    assert imported(code) <= pins(".binder/requirements.txt").keys()


def test_the_package_names_all_that_it_imports():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    needed = {canonical(name) for name in project["project"]["dependencies"]}
    for path in (ROOT / "refimpl").rglob("*.py"):
        assert imported(path.read_text(encoding="utf-8")) <= needed | {"keras"}, path


def test_everything_that_names_a_python_names_those_that_have_wheels():
    """tools/wheels.csv is what the index answered; five places follow from it."""
    table = pd.read_csv(ROOT / "tools" / "wheels.csv", dtype=str).fillna("")
    assert dict(
        zip(table["package"].map(canonical), table["version"], strict=True)
    ) == (pins("requirements.txt"))
    fits = {"3.11", "3.12", "3.13", "3.14"}
    for row in table[table["system"] != "macOS 15, Intel"].itertuples():
        fits &= {*row.pythons.split()}
    assert fits == {"3.11", "3.12", "3.13"}
    intel = table[table["system"] == "macOS 15, Intel"].set_index("package")["pythons"]
    assert intel["tensorflow"] == intel["torch"] == ""

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = SpecifierSet(project["project"]["requires-python"])
    assert {*wanted.filter(f"3.{minor}" for minor in range(9, 20))} == fits
    assert {*check_environment.PYTHONS} == fits
    for name in ("README.md", "book/how_to_use.md", "Makefile"):
        text = (ROOT / name).read_text(encoding="utf-8")
        for said in re.findall(r"needs? (?:is \()?Python ([\d., or]+\d)", text):
            assert re.findall(r"\d\.\d+", said) == sorted(fits), name
        assert re.search(r"Python 3\.11, 3\.12 or 3\.13", text), name


def test_what_is_installed_is_what_is_locked():
    for name, version in pins("requirements.txt").items():
        installed = importlib.metadata.version(name).split("+")[0]
        assert installed == version, f"{name}: make clean, then make test"


def test_the_lock_names_no_local_build():
    assert "+" not in (ROOT / "constraints.txt").read_text(encoding="utf-8")
