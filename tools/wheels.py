"""For which Pythons and systems are our pins ready to install? (some GB pass by)

    python -m tools.wheels

Asks pip what it would install of each line of requirements.txt, with the index that it
is set up for, and writes tools/wheels.csv: the Pythons that a package's pinned version
has a wheel for, on "every" system or on each. From this table follows what README.md,
book/how_to_use.md, pyproject.toml, Makefile and tools/check_environment.py say; a test
compares them.
"""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tqdm import tqdm

ROOT = Path(__file__).parent.parent
TABLE = ROOT / "tools" / "wheels.csv"
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
SYSTEMS = {  # what a wheel may be made for, to be installed there
    "Linux": [f"manylinux_2_{n}_x86_64" for n in range(17, 29)]
    + ["manylinux2014_x86_64"],
    "macOS 15, Apple silicon": ["macosx_15_0_arm64"],
    "macOS 15, Intel": ["macosx_15_0_x86_64"],
    "Windows": ["win_amd64"],
}


def has_wheel(name: str, version: str, python: str, platforms: list[str]) -> bool:
    """Whether ``name`` == ``version`` has a wheel for one of the ``platforms``."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-deps"]
        command += ["--no-cache-dir", f"--target={folder}", "--only-binary=:all:"]
        command += [f"--python-version={python}", f"{name}=={version}"]
        command += [f"--platform={platform}" for platform in platforms]
        # A lock of this machine says nothing about others.
        quiet = os.environ | {"PIP_CONSTRAINT": os.devnull}
        done = subprocess.run(command, env=quiet, capture_output=True, text=True)
    if done.returncode and "No matching distribution" not in done.stderr:
        raise RuntimeError(f"{name}: pip could not tell\n{done.stderr}")
    return done.returncode == 0


def rows(name: str, version: str) -> list[tuple[str, str, str, str]]:
    """The lines of the table for one package: name, version, system, its Pythons."""
    found = [p for p in PYTHONS if has_wheel(name, version, p, ["any"])]
    if found:
        return [(name, version, "every", " ".join(found))]
    return [
        (name, version, system, " ".join(own))
        for system, platforms in SYSTEMS.items()
        for own in [[p for p in PYTHONS if has_wheel(name, version, p, platforms)]]
    ]


def main() -> None:
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    pins = re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE)
    table = [row for pin in tqdm(pins) for row in rows(*pin)]
    temporary = TABLE.with_suffix(".tmp")
    with temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["package", "version", "system", "pythons"])
        writer.writerows(table)
    os.replace(temporary, TABLE)


if __name__ == "__main__":
    main()
