"""A report about a class, from a teacher's own file.

    python -m refimpl.own_class FILE --student NAME [--maximum 10] [...]

First says what it takes each column for; with --student it then writes one HTML page
that needs no other file: the class, a part for each student, what to ask next, what was
left out and why. Nothing leaves the machine, and no file is overwritten.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from pathlib import Path
from typing import Any

from tqdm import tqdm

from refimpl.own_class.look import look
from refimpl.own_class.report import class_report
from refimpl.tasks import GradebookTasks

HINT = "Here a word such as maximum=10 is typed as --maximum 10."


def words() -> argparse.ArgumentParser:
    """The command's words; those of ``GradebookTasks`` are passed on to it."""
    parser = argparse.ArgumentParser(
        prog="python -m refimpl.own_class",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("file", type=Path, help="CSV, Parquet, Excel or LibreOffice")
    add("--student", nargs="+", help="the column, or columns, that name a student")
    add("--item", help="of a table with a row per answer: the item's column")
    add("--score", help="likewise: the score's column")
    add("--time", help="likewise: the column that orders answers")
    add("--items", nargs="+", help="columns that are items, or one pattern: 'Q*'")
    add("--ignore", nargs="+", help="columns that are none")
    add("--maximum", type=maximum, help="points at most, or the row that says so")
    add("--key", help="the row that holds the right answers")
    add("--attempts", choices=["first", "last", "best"], help="of repeated answers")
    add("--gaps", nargs="+", help="words that stand for a gap")
    add("--sheet", help="of a spreadsheet")
    add("--min-answers", type=int, default=1, help="leave out students with fewer")
    add("--out", type=Path, help="the page to write (default: FILE with .html)")
    return parser


def maximum(text: str) -> Any:
    """``text`` as a number, as JSON such as {"Q1": 5, "Q2": 10}, or a row's label."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def arguments(given: argparse.Namespace) -> dict:
    """Of what was ``given``, what ``GradebookTasks`` is to be told, beside the file."""
    told = {k: v for k, v in vars(given).items() if v is not None}
    for name in ("file", "out"):
        told.pop(name, None)
    for name in ("student", "items"):
        if len(told.get(name, ())) == 1:
            told[name] = told[name][0]
    return told


def main(argv: list[str] | None = None) -> int:
    """Run the command on ``argv``; its exit status. Errors are told in a line."""
    given = words().parse_args(argv)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # look and the page say it
            return run(given)
    except OSError as problem:
        print(problem, file=sys.stderr)
    except (TypeError, ValueError) as problem:
        print(f"{problem}\n{HINT}", file=sys.stderr)
    return 1


def run(given: argparse.Namespace) -> int:
    """Look, and write the report that ``given`` asks for; the exit status."""
    told = arguments(given)
    least = told.pop("min_answers")
    print(look(given.file, **told))
    if given.student is None:
        print("To get a report, name the student's column: --student NAME")
        return 2
    out = given.out or given.file.with_suffix(".html")
    if out.exists():
        raise FileExistsError(
            f"out: expected a new file, {out} exists; delete it, or name another"
        )
    tasks = GradebookTasks(given.file, min_answers=least, **told)
    made = class_report(
        tasks.table(), tasks.items, tasks.rows, tasks.notes, progress=tqdm
    )
    made.save(out, f"Report about {given.file.name}")
    print(f"written: {out}")
    return 0


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    sys.exit(main())
