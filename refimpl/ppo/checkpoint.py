"""Checkpoints without pickle: .npz files, written whole."""

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np


def save_arrays(path: str | Path, arrays: dict[str, Any], note: dict[str, Any]) -> None:
    """Write named ``arrays`` [...] and a ``note`` to an .npz file, whole or not."""
    path = Path(path)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    text = np.array(json.dumps(note, sort_keys=True))
    try:  # an interruption leaves either the old file or the new one
        with temporary.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, note=text, **arrays)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def load_arrays(path: str | Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read what :func:`save_arrays` wrote: the arrays, each [...], and the note.

    Raises a ValueError if another program wrote the file.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        note = json.loads(str(arrays.pop("note")))
    except (EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile):
        raise ValueError(f"path: {path} was not written by save_arrays") from None
    return arrays, note
