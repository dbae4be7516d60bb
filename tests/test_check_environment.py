"""A student is told in one line what is wrong, and how to mend it."""

import os
import subprocess
import sys
from pathlib import Path

from tools import check_environment as check


def test_nothing_is_wrong_here():
    run = subprocess.run(
        [sys.executable, check.__file__], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout == "All is well: the chapters will run here.\n"


def test_it_needs_nothing_but_python():
    """Without any package it says what is missing, in place of failing itself."""
    run = subprocess.run(
        [sys.executable, "-I", "-S", check.__file__], capture_output=True, text=True
    )
    assert run.returncode == 1
    assert "missing: numpy, torch" in run.stdout
    assert "refimpl is not installed" in run.stdout
    assert run.stderr == ""
    assert all(line.startswith("WRONG") for line in run.stdout.splitlines())


def test_python():
    assert check.check_python((3, 11, 0)) is check.check_python((3, 13, 9)) is None
    for version in ((3, 10, 4), (3, 14, 0), (4, 0, 0)):
        found = ".".join(map(str, version))
        said = f"Python {found} does not fit: install 3.13, and start anew."
        assert check.check_python(version) == said


def test_packages():
    assert check.check_packages({"numpy": check.wanted_packages()["numpy"]}) is None
    answer = check.check_packages({"numpy": "0.1", "no-such-package": "1.0"})
    assert "missing: no-such-package" in answer
    assert "(tested: 0.1)" in answer
    assert "pip install -r requirements.txt" in answer


def test_own_environment(tmp_path):
    assert check.check_environment(tmp_path / "none") is None
    assert check.check_environment(tmp_path, prefix=str(tmp_path)) is None
    answer = check.check_environment(tmp_path, prefix=str(tmp_path.parent))
    assert "is not active: " in answer
    assert str(tmp_path) in answer


def test_the_packages_are_those_of_binder():
    assert {"torch", "tensorflow", "numpy"} <= check.wanted_packages().keys()


def test_memory():
    assert check.check_memory(8.0) is None
    assert check.check_memory(None) is None  # unknown: no false alarm
    assert "Only 0.7 GB of memory" in check.check_memory(0.7)
    assert check.available_memory() > 0


def test_disk(monkeypatch):
    usage = type("Usage", (), {"free": 1e8})
    monkeypatch.setattr(check.shutil, "disk_usage", lambda folder: usage)
    assert "Only 0.1 GB of disk" in check.check_disk(Path("."))


def test_writing(tmp_path):
    assert check.check_writing(tmp_path) is None
    assert os.listdir(tmp_path) == []
    assert "cannot be written to" in check.check_writing(tmp_path / "absent")
