"""Make the student versions of the assignments: what `make assignments` runs.

_build/assignments becomes an nbgrader course: a copy of assignments/source, the
configuration, and in release/ what students get, without solutions, hidden tests
and rubrics. A gradebook that is already there is kept.
"""

import os
import shutil
import sys
import warnings
from contextlib import suppress
from pathlib import Path
from unittest.mock import patch

import nbformat
from nbgrader.converters import GenerateAssignment
from nbgrader.converters.base import BaseConverter
from nbgrader.coursedir import CourseDirectory
from nbgrader.utils import capture_log
from traitlets.config import Config, PyFileConfigLoader

ROOT = Path(__file__).parent.parent
ASSIGNMENTS = ROOT / "assignments"
COURSE = ROOT / "_build" / "assignments"
NAMES = sorted(path.parent.name for path in ASSIGNMENTS.glob("source/*/*.ipynb"))


def copy_course(course: Path, names: list[str]) -> None:
    """Put configuration and sources of the assignments where nbgrader shall work."""
    course.mkdir(parents=True, exist_ok=True)
    shutil.copy(ASSIGNMENTS / "nbgrader_config.py", course)
    for folder in ("source", "release"):
        shutil.rmtree(course / folder, ignore_errors=True)
    ignore = shutil.ignore_patterns(".*", "__pycache__")
    for name in names:
        source, copy = ASSIGNMENTS / "source" / name, course / "source" / name
        shutil.copytree(source, copy, ignore=ignore)


def convert(
    step: type[BaseConverter], course: Path, name: str, extra: Config | None = None
) -> dict:
    """Run a step of nbgrader's: its "success" (bool), and its "log"."""
    loader = PyFileConfigLoader("nbgrader_config.py", path=str(course))
    config = loader.load_config()
    config.merge(extra or {})
    config.CourseDirectory.root = str(course)
    config.CourseDirectory.assignment_id = name
    converter = step(coursedir=CourseDirectory(config=config), config=config)
    converter.force = True
    here = Path(sys.executable).parent  # nbgrader calls `alembic` by its bare name
    path = f"{here}{os.pathsep}{os.environ.get('PATH', '')}"
    with patch.dict(os.environ, PATH=path), warnings.catch_warnings():
        # nbgrader's own: its setenv loses the old PATH, and its tables grumble.
        warnings.filterwarnings("ignore", message=".*not in session")
        return capture_log(converter)


def points_of(folder: Path, cells: list[tuple[str, float]]) -> float:
    """What ``cells``, (text, points of its tests), give when executed in ``folder``.

    As nbgrader counts, but in this process: a cell gives its points unless it raises.
    """
    os.chdir(folder)
    namespace: dict = {"__name__": "__main__"}
    points = 0.0
    for text, worth in cells:
        with suppress(Exception):
            exec(text, namespace)
            points += worth
    return points


def summary(notebook: nbformat.NotebookNode) -> str:
    """How many points a notebook gives for what, and for how many questions."""
    cells = [cell.metadata.get("nbgrader", {}) for cell in notebook.cells]
    answers = [cell for cell in cells if cell.get("solution")]
    by_hand = sum(cell["points"] for cell in answers if cell["grade"])
    points = sum(cell["points"] for cell in cells if cell.get("grade"))
    return (
        f"{points:g} points, {points - by_hand:g} by tests and {by_hand:g} by hand, "
        f"for {len(answers)} questions"
    )


def main() -> int:
    copy_course(COURSE, NAMES)
    failed = 0
    for name in NAMES:
        done = convert(GenerateAssignment, COURSE, name)
        if done["success"]:
            path = COURSE / "release" / name / f"{name}.ipynb"
            print(f"{name:15} {summary(nbformat.read(path, as_version=4))}")
        else:
            failed += 1
            print(f"{name:15} FAILED\n{done.get('log', '')}\n{done['error']}")
    print(f"The student versions are in {os.path.relpath(COURSE / 'release')}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
