"""Which columns of a wide table are items, and how that is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatch

from refimpl.tasks.table import shapes
from refimpl.tasks.table.files import Table
from refimpl.tasks.table.layouts import Column
from refimpl.tasks.table.notes import Notes
from refimpl.tasks.table.options import NeedsWordError, Options
from refimpl.tasks.table.words import WORK, plain, referred, shown

NOT_SCORES = "total", "identifier", "date", "other", "empty"
PLURAL = {
    "total": "totals",
    "identifier": "identifiers",
    "text": "texts",
    "date": "dates or times",
    "letter": "columns of letters",
    "true/false": "columns of True and False",
    "other": "other columns",
}


def choose(
    columns: list[Column],
    table: Table,
    options: Options,
    keys: Mapping[str, str],
    notes: Notes,
) -> list[Column]:
    """Those of the ``columns`` of ``table`` that are items, as ``options`` say.

    ``keys`` are right answers by column. What is left out goes into ``notes``. Raises
    a ValueError if it is not clear what is an item.
    """
    names = table.names
    if options.items is not None:
        items = _named(columns, names, options, notes)
    elif keys:
        found = {column.name: column for column in columns}
        if isinstance(options.key, Mapping):
            if lost := [name for name in keys if name not in found]:
                raise ValueError(f"key: found no column {lost[0]!r} of an item")
            items = [c for c in columns if c.name in keys]
        else:
            items = [c for c in columns if c.name in keys and c.kind not in NOT_SCORES]
    else:
        items = [column for column in columns if column.kind == "item"]
        _clear(columns, items, names, options)
    for column in items:
        column.item = column.item or column.name
    _say_left_out(columns, items, names, loud=options.items is None, notes=notes)
    if keys and not isinstance(options.key, Mapping):
        for column in items:
            column.maximum = 1.0
    return items


def _named(
    columns: list[Column], names: list[str], options: Options, notes: Notes
) -> list[Column]:
    """The columns that ``items=`` names or that its pattern fits."""
    if isinstance(options.items, str):
        pattern = options.items.casefold()
        items = [c for c in columns if fnmatch(c.name.casefold(), pattern)]
        if not items:
            raise ValueError(f"items: no column fits the pattern {options.items!r}")
    else:
        wanted = [*(options.items or [])]
        there = {column.name for column in columns}
        if lost := [name for name in wanted if name not in there]:
            raise ValueError(f"items: found no column {lost[0]!r}")
        items = [column for column in columns if column.name in wanted]
    if odd := [c for c in items if c.kind in ("total", "identifier")]:
        listed = ", ".join(f"{shown(c.name, names)} ({c.kind})" for c in odd)
        notes.warn(f"Taken as items, since items= says so: {listed}.")
    return items


def _clear(
    columns: list[Column], items: list[Column], names: list[str], options: Options
) -> None:
    """Raise a ValueError if it is not clear what is an item, or nothing is."""
    unclear = [column for column in columns if column.kind == "unclear"]
    if unclear:
        which = ", ".join(f"{shown(c.name, names)} ({c.why})" for c in unclear[:5])
        drop = [*options.ignore, *(referred(c.name, names) for c in unclear)]
        raise NeedsWordError(
            f"items: not clear whether these are items: {which}. Name those that are "
            f"(items=[…], or a pattern, items='Quiz*'), or leave others out, as in "
            + options.call(ignore=drop),
            ignore=drop,
        )
    asked = [c for c in columns if c.kind == "true/false"]
    if items and not any(WORK.search(plain(c.name)) for c in asked):
        return
    kinds = [column.kind for column in columns]
    if not items and kinds.count("letter") > 1:
        raise ValueError(shapes.LETTERS)
    if asked:
        raise NeedsWordError(
            "key: the cells are True and False. If they say whether an answer was "
            f"right, they are scores out of 1: {options.call(maximum=1)}. If they are "
            'the answers, give the right ones: key={"item": "True"}, or the label of '
            "the row that holds them",
            maximum=1,
        )
    raise ValueError(
        "items: found no column of scores besides the student's; there are "
        + (_listed(columns) or "none")
        + ". Each item needs a column of its own; a total says nothing about items"
    )


def _listed(columns: Sequence[Column]) -> str:
    counts: dict[str, int] = {}
    for column in columns:
        counts[column.kind] = counts.get(column.kind, 0) + 1
    return ", ".join(
        f"{n} {PLURAL.get(kind, kind + ' columns') if n > 1 else kind}"
        for kind, n in counts.items()
    )


def _say_left_out(
    columns: list[Column],
    items: list[Column],
    names: list[str],
    loud: bool,
    notes: Notes,
) -> None:
    chosen = {c.name for c in items} | {c.key for c in items}
    out = [c for c in columns if c.name not in chosen]
    empty = [c for c in out if c.kind == "empty"]
    if asked := [c for c in empty if not c.name.startswith("column ")]:
        listed = ", ".join(shown(c.name, names) for c in asked[:20])
        notes.warn(f"left out: {len(asked)} items without answers, {listed}")
    if len(asked) < len(empty):
        notes.say(f"Left out: {len(empty) - len(asked)} empty columns without a name.")
    if rest := [c for c in out if c.kind != "empty"]:
        some = ", ".join(shown(c.name, names) for c in rest[:12])
        more = ", …" if len(rest) > 12 else ""
        text = f"Left out, since they are no items: {_listed(rest)}: {some}{more}."
        (notes.warn if loud else notes.say)(text)
