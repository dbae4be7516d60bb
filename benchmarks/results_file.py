"""Results files: CSV, written whole, with the command and versions on top."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

RESULTS = Path(__file__).parent / "results"


def kept(
    path: Path | None, make: Callable[[], dict[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    """What ``make`` returns, from the file ``path`` if it is there, else kept there."""
    if path and path.exists():
        return dict(np.load(path))
    made = make()
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp.npz")
        np.savez(temporary, **made)
        os.replace(temporary, path)
    return made


def write_table(
    path: Path,
    table: pd.DataFrame,
    command: str,
    packages: Sequence[str] = ("torch", "numpy", "statsmodels"),
) -> None:
    """Write ``table``; readers use ``pd.read_csv(path, comment="#")``.

    ``packages`` are those whose versions matter; one not installed is left out.
    """
    found = []
    for package in packages:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found.append(f"{package} {importlib.metadata.version(package)}")
    versions = ", ".join(found)
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
