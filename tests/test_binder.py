"""Binder's own tool, repo2docker, reads .binder/ as we mean it; nothing is built."""

import inspect
import json
import os
import re
from pathlib import Path

import pytest

from tools.check_binder import BASE

ROOT = Path(__file__).parent.parent


@pytest.fixture
def pack(monkeypatch):
    """The build pack that repo2docker chooses: the first to say that it can."""
    reason = "needs jupyter-repo2docker"
    app = pytest.importorskip("repo2docker.app", reason=reason).Repo2Docker()
    monkeypatch.chdir(ROOT)
    packs = [kind(base_image=app.base_image) for kind in app.buildpacks]
    found = next(pack for pack in packs if pack.detect())
    found.platform = "linux/amd64"
    return found


def base_environment(pack):
    """The versions that Binder's image brings, by name, from repo2docker's lock."""
    lock = next(f for f in pack.get_build_script_files() if f.endswith(".lock"))
    folder = Path(inspect.getfile(type(pack))).parents[1]
    text = (folder / lock).read_text(encoding="utf-8")  # addresses, one a line
    return dict(re.findall(r"/([a-z0-9_.-]+)-(\d[^-/]*)-[^-/]+\.(?:conda|tar)", text))


def test_the_python_pack_builds_the_book(pack):
    assert type(pack).__name__ == "PythonBuildPack"


def test_binder_takes_the_python_of_runtime_txt(pack):
    base = base_environment(pack)  # raises for a Python that Binder does not have
    assert pack.python_version == "3.11"
    assert base["python"].startswith("3.11.")


def test_binder_installs_its_own_requirements_and_nothing_else(pack):
    """Before the repository is copied, so that a changed chapter installs nothing."""
    ((_, script),) = pack.get_preassemble_scripts()
    assert script.endswith('install --no-cache-dir -r ".binder/requirements.txt"')
    assert list(pack.get_preassemble_script_files()) == [".binder/requirements.txt"]
    assert pack.get_assemble_scripts() == []


def test_binder_installs_refimpl_once_its_files_are_there(pack):
    assert pack.get_post_build_scripts() == [".binder/postBuild"]
    dockerfile = pack.render()
    assert dockerfile.index("COPY --chown=1000:1000 src/ ") < dockerfile.index(
        "RUN ./.binder/postBuild"
    )


def test_we_check_with_the_jupyter_that_binder_brings(pack):
    base = base_environment(pack)
    for name, version in (pin.split("==") for pin in BASE):
        assert base[name] == version, f"BASE of tools/check_binder.py: {name}"


def test_the_container_holds_what_binder_does():
    text = (ROOT / "Containerfile").read_text(encoding="utf-8")
    steps = re.findall(r"^([A-Z]+) (.*)$", text, re.M)
    runtime = (ROOT / ".binder" / "runtime.txt").read_text(encoding="utf-8").strip()
    assert f"python:{runtime.removeprefix('python-')}-slim" in dict(steps)["FROM"]
    runs = [what for step, what in steps if step == "RUN"]
    pin = re.search(r"^jupyterlab==\S+", (ROOT / "requirements.txt").read_text(), re.M)
    install = "pip install --no-cache-dir -r .binder/requirements.txt"
    assert runs[1:] == [
        f"{install} {pin[0]}",
        ".binder/postBuild && chown -R reader: .",
    ]
    for source in (what.split()[0] for step, what in steps if step == "COPY"):
        assert (ROOT / source).exists()
    folder = ROOT / ".devcontainer"
    build = json.loads((folder / "devcontainer.json").read_text("utf-8"))["build"]
    assert (folder / build["dockerfile"]).resolve() == ROOT / "Containerfile"
    assert (folder / build["context"]).resolve() == ROOT


def test_a_chapter_needs_no_step_by_hand():
    """It finds its kernel, and installs nothing."""
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        assert notebook["metadata"]["kernelspec"]["name"] == "python3"
        code = [c["source"] for c in notebook["cells"] if c["cell_type"] == "code"]
        assert not re.search(r"^\s*[!%]", "".join(map("".join, code)), re.M), path.name


def test_post_build_can_be_executed():
    path = ROOT / ".binder" / "postBuild"
    assert os.access(path, os.X_OK)
    assert path.read_text(encoding="utf-8").startswith("#!/usr/bin/env bash\n")
