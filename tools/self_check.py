"""Write the self-check questions of the bank into the chapters.

    python -m tools.self_check

Each chapter has a cell *Check yourself* before its exercises; it is Markdown, so it
reads in JupyterLab as in the book. Edit book/instructors/questions.yml, not the cells:
a test compares the two.
"""

import os
import string
from pathlib import Path

import nbformat

from book._ext.quiz import BANK, load_bank

ROOT = Path(__file__).parent.parent
TAG = "self-check"


def section(questions: list[dict]) -> str:
    """The Markdown of a chapter's questions; answers are folded."""
    parts = [
        "## Check yourself",
        "Choose first, then unfold: behind each choice stands what speaks for or "
        "against it.",
    ]
    for number, question in enumerate(questions, start=1):
        parts.append(f"**{number}.** {question['question'].strip()}")
        letters = zip(string.ascii_lowercase, question["choices"], strict=False)
        for letter, choice in letters:
            verdict = "Right." if choice.get("right") else "No."
            title = " ".join(choice["text"].split())
            parts.append(
                f"```{{dropdown}} ({letter}) {title}\n"
                f"**{verdict}** {choice['why'].strip()}\n```"
            )
    return "\n\n".join(parts)


def main() -> None:
    for chapter, questions in load_bank(ROOT / BANK).items():
        path = ROOT / "notebooks" / f"{chapter}.ipynb"
        notebook = nbformat.read(path, as_version=4)
        (cell,) = [c for c in notebook.cells if TAG in c.metadata.get("tags", [])]
        if cell.source != section(questions):
            cell.source = section(questions)
            temporary = path.with_suffix(".tmp")
            nbformat.write(notebook, temporary)
            os.replace(temporary, path)
            print(f"{path.name}: {len(questions)} questions")


if __name__ == "__main__":
    main()
