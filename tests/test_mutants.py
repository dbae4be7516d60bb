"""What `make mutants` runs exists, and leaves every file as it is."""

import importlib
import inspect
import sys
from pathlib import Path

import pytest

from tools.mutants import TESTS, Mutant, difference

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("module", TESTS)
def test_the_tests_of_a_module_exist(module):
    """Otherwise pytest would end with an error, which counts as killed."""
    assert (ROOT / (module.replace(".", "/") + ".py")).exists()
    for test in TESTS[module]:
        path, _, function = test.partition("::")
        assert f"def {function or 'test_'}" in (ROOT / path).read_text("utf-8")


def test_a_mutant_is_imported_in_place_of_its_file(tmp_path, monkeypatch):
    path = tmp_path / "some_module.py"
    path.write_text("def answer(): return 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    sys.meta_path.insert(0, Mutant("some_module", "def answer(): return 2\n"))
    answer = importlib.import_module("some_module").answer
    assert answer() == 2
    assert inspect.getsource(answer) == "def answer(): return 2\n"
    assert path.read_text() == "def answer(): return 1\n"
    del sys.modules["some_module"]


def test_a_difference_shows_the_changed_lines_alone():
    before = "@decorator\ndef f(a):\n    return a + 1\n"
    after = before.replace("a + 1", "a - 1")
    assert difference(before, after) == "- return a + 1\n+ return a - 1"
    without = before.replace("@decorator\n", "")
    assert difference(before, without) == "- @decorator"
