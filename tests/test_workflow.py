"""What the workflow names exists, and only what is tested is published."""

import re
import subprocess
import tomllib
from pathlib import Path

import yaml
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / ".github" / "workflows" / "book.yml").read_text(encoding="utf-8")
JOBS = yaml.safe_load(TEXT)["jobs"]
STEPS = [step for job in JOBS.values() for step in job["steps"]]
PYTHONS = JOBS["test"]["strategy"]["matrix"]["python"]


def test_every_make_target_is_in_the_makefile():
    lines = [line.split() for s in STEPS for line in s.get("run", "").splitlines()]
    called = {word for first, *words in lines if first == "make" for word in words}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert {"lint", "book", "test"} <= called
    assert called <= set(re.findall(r"^([a-z]+):", makefile, re.M))


def test_every_action_is_of_one_major_version():
    for name in [step["uses"] for step in STEPS if "uses" in step]:
        assert re.fullmatch(r"[\w-]+/[\w-]+@v\d+", name), name


def test_what_is_said_of_one_python_is_said_of_one_that_is_tested():
    """Otherwise no site would ever be uploaded, and nothing would fail."""
    assert all(isinstance(python, str) for python in PYTHONS), "3.10 unquoted is 3.1"
    named = set(re.findall(r"matrix\.python == '(.*?)'", TEXT))
    assert named
    assert named <= set(PYTHONS)


def test_the_pythons_that_we_promise_are_tested():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    promised = SpecifierSet(project["project"]["requires-python"])
    tried = {f"3.{minor}" for minor in range(9, 20)}
    assert {*PYTHONS} == {*promised.filter(tried)}
    binder = (ROOT / ".binder" / "runtime.txt").read_text(encoding="utf-8").strip()
    assert binder.removeprefix("python-") in PYTHONS


def test_the_newest_of_everything_is_tried_each_week():
    assert "schedule" in JOBS["newest"]["if"]
    assert JOBS["newest"]["steps"][-1]["run"] == "make newest"
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    requirements = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    (program,) = re.findall(r"sed -E '(.*?)' requirements.txt", makefile)
    held = re.search(r"^HELD = (.*)", makefile, re.M)[1]
    said = subprocess.run(
        ["sed", "-E", program.replace("$(HELD)", held)],
        input=requirements,
        capture_output=True,
        text=True,
    ).stdout
    kept = re.findall(r"^([\w.-]+)==", said, re.M)
    assert kept == held.split("|")
    assert "\ntorch  " in said


def test_only_what_is_tested_on_main_is_published():
    main = "github.ref == 'refs/heads/main'"
    upload = next(s for s in STEPS if "upload-pages-artifact" in s.get("uses", ""))
    assert JOBS["publish"]["needs"] == "test"
    assert "continue-on-error" not in JOBS["test"]
    assert main in JOBS["publish"]["if"]
    assert main in upload["if"]


def test_the_token_can_write_pages_and_nothing_else():
    assert "secrets." not in TEXT
    assert yaml.safe_load(TEXT)["permissions"] == {}
    for name, job in JOBS.items():
        written = {what for what, may in job["permissions"].items() if may == "write"}
        assert written == ({"pages", "id-token"} if name == "publish" else set()), name


def test_a_newer_push_cancels_all_but_publishing():
    groups = {name: job["concurrency"]["group"] for name, job in JOBS.items()}
    assert len(set(groups.values())) == len(groups)
    assert "matrix.python" in groups["test"]  # or its runs would cancel each other
    for name, job in JOBS.items():
        assert "github.ref" in groups[name]
        assert job["concurrency"]["cancel-in-progress"] is (name != "publish")
