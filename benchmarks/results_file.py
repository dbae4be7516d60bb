"""Results files: CSV, written whole, with the command and versions on top."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path

import pandas as pd

RESULTS = Path(__file__).parent / "results"


def write_table(path: Path, table: pd.DataFrame, command: str) -> None:
    """Write ``table``; readers use ``pd.read_csv(path, comment="#")``."""
    packages = ("torch", "numpy", "statsmodels")
    versions = ", ".join(f"{p} {importlib.metadata.version(p)}" for p in packages)
    head = (
        f"# {command}\n"
        f"# Python {platform.python_version()} on {platform.machine()}, {versions}\n"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(
        head + table.to_csv(index=False, float_format="%.5g"), encoding="utf-8"
    )
    os.replace(temporary, path)
