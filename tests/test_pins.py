"""One version of everything: requirements, lock, Binder and package metadata agree."""

import importlib.metadata
import re
import tomllib
from pathlib import Path

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


def test_what_is_installed_is_what_is_locked():
    for name, version in pins("requirements.txt").items():
        installed = importlib.metadata.version(name).split("+")[0]
        assert installed == version, f"{name}: make clean, then make test"


def test_the_lock_names_no_local_build():
    assert "+" not in (ROOT / "constraints.txt").read_text(encoding="utf-8")
