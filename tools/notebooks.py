"""Execute notebooks and store clean outputs: what `make notebooks` runs.

Progress bars and timings are removed; a hash of the code cells is stored, by
which a test sees that the outputs belong to the code.
"""

import hashlib
import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient


def code_hash(notebook: nbformat.NotebookNode) -> str:
    """A hash of the notebook's code cells, in order."""
    digest = hashlib.sha256()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            digest.update(cell.source.encode() + b"\0")
    return digest.hexdigest()[:16]


def execute(path: Path) -> None:
    """Execute one notebook in its own folder and write it back whole."""
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(path.parent)}}
    NotebookClient(
        notebook,
        timeout=3600,  # an endless cell ends; a slow machine is no failure
        kernel_name="python3",
        resources=resources,
        coalesce_streams=True,  # prints of one cell stay one output
    ).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr"]
    notebook.metadata = {
        "kernelspec": {
            "display_name": "Python 3",
            "language": "python",
            "name": "python3",
        },
        "language_info": {"name": "python"},
        "code_hash": code_hash(notebook),
    }
    temporary = path.with_suffix(".tmp")
    nbformat.write(notebook, temporary)
    os.replace(temporary, path)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(f"executing {name}", flush=True)
        execute(Path(name))
