"""Who may know whom: one framework does not load the other, tasks load neither."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

REFIMPL = Path(__file__).parent.parent / "refimpl"
# Each part of refimpl, and the parts that it may import.
MAY_IMPORT = {
    "checks": set(),
    "tasks": set(),
    "envs": set(),
    "maml": {"tasks"},
    "ppo": set(),
    "baselines": {"envs", "tasks"},
    "context": {"maml", "tasks"},
    "figures": set(),
    "students": {"maml", "tasks"},
    "asking": {"maml"},
    "own_class": {"baselines", "context", "maml", "students", "tasks"},
}


@pytest.mark.parametrize(
    ("module", "foreign"),
    [
        (
            "refimpl.tasks",
            ["torch", "tensorflow", "keras", "pandas", "polars", "statsmodels"],
        ),
        ("refimpl.envs", ["torch", "tensorflow", "keras"]),
        ("refimpl.baselines", ["torch", "tensorflow", "statsmodels"]),
        ("refimpl.figures", ["torch", "tensorflow"]),
        ("refimpl.maml", ["tensorflow", "keras", "gymnasium"]),
        ("refimpl.context", ["tensorflow", "keras", "gymnasium"]),
        ("refimpl.students", ["tensorflow", "keras", "gymnasium"]),
        ("refimpl.own_class", ["tensorflow", "keras", "polars", "pandas"]),
        ("refimpl.ppo", ["torch", "statsmodels", "refimpl.envs"]),
    ],
)
def test_importing_one_thing_does_not_load_another(module, foreign):
    code = f"import sys, {module}; print([m for m in {foreign} if m in sys.modules])"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"


def test_nothing_imports_upward():
    parts = {path.stem for path in REFIMPL.iterdir() if not path.stem.startswith("_")}
    assert parts == MAY_IMPORT.keys(), "a new part of refimpl needs its line here"
    for path in REFIMPL.rglob("*.py"):
        part = path.relative_to(REFIMPL).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            for name in names:
                if name.startswith("refimpl."):
                    other = name.split(".")[1]
                    allowed = MAY_IMPORT[part] | {part, "checks"}
                    assert other in allowed, f"{path} imports {name}"
