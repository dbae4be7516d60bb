"""What is in a teacher's file, and the call that reads it: a report of all findings.

It shows no cell, and no header that could be one: such a column is called by its place.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from refimpl.tasks.table.answers import code, find_cells
from refimpl.tasks.table.files import Table, open_table
from refimpl.tasks.table.layouts import Column
from refimpl.tasks.table.notes import Notes
from refimpl.tasks.table.opening import open_options
from refimpl.tasks.table.options import UNKNOWN, NeedsWordError, Options
from refimpl.tasks.table.shapes import ONE_ITEM
from refimpl.tasks.table.students import candidates
from refimpl.tasks.table.words import letter, referred, shown

TRIES = 6  # words that a call may need


@dataclass
class Findings:
    """What :func:`look` found; ``str()`` is the report."""

    path: str
    how: str = ""  #: how the file was read
    students: list[str] = field(default_factory=list)  #: columns that may name them
    columns: list[str] = field(default_factory=list)  #: a line for each
    notes: list[str] = field(default_factory=list)  #: as of ``GradebookTasks``
    size: str = ""  #: students, items and answers, if the table can be read
    problem: str | None = None  #: why it cannot be read
    asks: list[str] = field(default_factory=list)  #: what the words are for
    call: str | None = None  #: to copy; ``...`` is for the teacher to fill in

    def __str__(self) -> str:
        parts = [f"{self.path}: {self.how}" if self.how else self.path, self.size]
        if self.students:
            parts.append("Columns that may name the student:")
            parts += [f"  {line}" for line in self.students]
        if self.columns:
            parts += ["Columns:", *(f"  {line}" for line in self.columns)]
        if self.notes:
            parts += ["To know:", *(f"  {line}" for line in self.notes)]
        if self.asks:
            parts += ["Asked for:", *(f"  {line}" for line in self.asks)]
        if self.problem:
            parts.append(f"It cannot be read as it is. {self.problem}")
        if self.call:
            fill = ", with your own value for the ..." if "..." in self.call else ""
            parts += [f"The call to copy{fill}:", f"  {self.call}"]
        return "\n".join(part for part in parts if part)


def look(path: str | Path, student: Any = None, **keywords: Any) -> Findings:
    """What each column of the file at ``path`` is taken for, what is left out and why.

    ``student`` and ``keywords`` are those of ``GradebookTasks``; what is not given is
    guessed. The findings' ``call`` reads the table, unless its ``problem`` says why it
    cannot be read. Raises a FileNotFoundError if there is no such file, and otherwise
    nothing that is wrong with the table.
    """
    findings = Findings(str(path))
    options = Options(path, "" if student is None else student, **keywords)
    try:
        table, options = _open(options, findings)
        tries = [student] if student is not None else candidates(table)
    except FileNotFoundError:
        raise
    except (ValueError, TypeError) as error:
        findings.problem = str(error)
        return findings
    if student is None:
        findings.students = [repr(own) for own in tries]
    trials = []
    for own in tries:
        trial = replace(findings, asks=[*findings.asks])
        _read(options._replace(student=own), table, trial)
        if trial.problem is None:
            return trial
        trials.append(trial)
    return trials[0]


def _open(options: Options, findings: Findings) -> tuple[Table, Options]:
    """The opened table, and the options with a sheet if one is asked for."""
    wanted = [name for name in options.students if name]
    try:
        table = open_table(options.path, wanted, options.sheet, Notes())
    except NeedsWordError as ask:
        findings.asks.append(str(ask))
        return _open(options._replace(**ask.words), findings)
    findings.how = f"{table.how}; the columns' names in row {table.header}."
    return table, options


def _read(options: Options, table: Table, findings: Findings) -> None:
    """Read with ``options``, adding a word whenever one is asked for."""
    for _ in range(TRIES):
        notes, unknown = Notes(), options.maximum is ...
        named = options._replace(maximum=UNKNOWN) if unknown else options
        try:
            own, named = open_options(named, notes)
            answers = code(find_cells(own, named, notes), own, named, notes)
        except NeedsWordError as ask:
            findings.asks.append(str(ask))
            options = options._replace(**ask.words)
            continue
        except (ValueError, TypeError) as error:
            findings.problem = str(error)
        else:
            findings.size = (
                f"{len(answers.order)} students, {len(answers.items)} items, "
                f"{len(answers.score)} answers."
            )
            few = len(answers.items) < 2
            findings.problem = ONE_ITEM if few else None
            findings.call = None if few else options.call()
        findings.columns = _lines(notes.columns, table.names, named)
        findings.notes = [*notes]
        return
    findings.problem = findings.asks[-1]


def _lines(columns: list[Column], names: list[str], options: Options) -> list[str]:
    """A line for each column of a wide table, or for those of a long one."""
    if options.item is not None:
        roles = {"item": options.item, "score": options.score, "time": options.time}
        return [f"{role}: {shown(n, names)}" for role, n in roles.items() if n in names]
    lines = []
    for (kind, most, why), alike in groupby(columns, key=_taken_for):
        named = [
            f"{letter(names.index(c.name))} {referred(c.name, names)!r}" for c in alike
        ]
        which = named[0] if len(named) == 1 else f"{named[0]} to {named[-1]}"
        taken = kind if len(named) == 1 else f"{len(named)} times {kind}"
        lines.append(f"{which}: {taken}{most}, {why}")
    return lines


def _taken_for(column: Column) -> tuple[str, str, str]:
    """What neighbors must have in common to share a line."""
    stated = column.kind == "item" and column.maximum
    return column.kind, f" out of {column.maximum:g}" if stated else "", column.why
