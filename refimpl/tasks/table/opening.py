"""Open a file, and find in it the columns that the caller names."""

from __future__ import annotations

from typing import Any

from refimpl.tasks.table import shapes
from refimpl.tasks.table.files import Table, open_table
from refimpl.tasks.table.header import clean, refer, seems_data
from refimpl.tasks.table.long import find_long
from refimpl.tasks.table.notes import Notes
from refimpl.tasks.table.options import Options
from refimpl.tasks.table.words import is_known


def open_options(options: Options, notes: Notes) -> tuple[Table, Options]:
    """The opened file, and the options with columns as the file names them.

    A table that plainly has a row per answer gets its item and score. ``options`` are
    the caller's, ``notes`` gets what was decided. Raises a ValueError if a column is
    not there.
    """
    options.check()
    columns = [*options.students, options.item, options.score, options.time]
    wanted = [clean(name) for name in columns if name is not None]
    table = open_table(options.path, wanted, options.sheet, notes)

    def own(value: Any) -> Any:
        if isinstance(value, str):
            return refer(clean(value), table.names)
        return None if value is None else [own(name) for name in value]

    many = "*" in options.items if isinstance(options.items, str) else False
    roles = ("student", "item", "score", "time", "ignore", "items")
    found = {role: own(getattr(options, role)) for role in roles}
    if isinstance(options.items, str):
        found["items"] = clean(options.items) if many else [found["items"]]
    named = options._replace(**found | {"ignore": tuple(found["ignore"])})
    _check_columns(table, named)
    named = find_long(table, named, notes)
    if named.time is not None and named.item is None:
        raise ValueError("item, score: expected both, since time is given")
    return table, named


def _check_columns(table: Table, options: Options) -> None:
    """Raise unless the arguments name columns of the file, and it has a header."""
    roles = {"student": options.students, "ignore": [*options.ignore]}
    roles |= {n: [v] for n in ("item", "score", "time") if (v := getattr(options, n))}
    if not isinstance(options.items, str):
        roles["items"] = [*(options.items or [])]
    for role, names in roles.items():
        for name in names:
            if name not in table.names:
                problem = shapes.by_names(table.names, options.key)
                raise ValueError(
                    problem
                    if problem == shapes.EDNET
                    else f"{role}: found no column {name!r}; there are {_there(table)}"
                )
            if name in table.doubled and role != "ignore":
                raise ValueError(
                    f"{role}: expected one column with this name, but several have it"
                )
    if seems_data(table.names):
        raise ValueError(f"path: {shapes.NO_HEADER}")


def _there(table: Table) -> str:
    """The columns that there are, as far as their names are surely no cells."""
    known = [own for own in table.names if is_known(own)]
    hidden = len(table.names) - len(known)
    text = ", ".join(map(repr, known[:20])) or "others"
    text += f", and {hidden} not shown" if hidden else ""
    return text if known and hidden < len(known) else f"{text}: {shapes.NO_HEADER}"
