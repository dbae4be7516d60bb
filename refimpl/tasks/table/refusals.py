"""What is wrong with answers: collected, and told all at once, with rows and items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from refimpl.tasks.table.files import ROW
from refimpl.tasks.table.options import NeedsWordError
from refimpl.tasks.table.wide import ITEM
from refimpl.tasks.table.words import is_known

if TYPE_CHECKING:
    import polars as pl

PLACES = 10  # how many a message names


class Refusals:
    """Called with a mask of wrong answers and what was expected, it remembers both.

    ``coded`` are the answers, ``names`` the items, ``labels`` what messages call those
    of a wide table.
    """

    def __init__(
        self, coded: pl.DataFrame, names: list[str], labels: dict[str, str]
    ) -> None:
        self._places = coded.select(ROW, ITEM)
        self._names, self._labels = names, labels
        self._problems: list[str] = []
        self._words: list[dict[str, Any]] = []

    def __call__(self, wrong: pl.Series, expected: str, **words: Any) -> None:
        """Remember the answers [n] that are ``wrong``, and what was ``expected``.

        ``words`` are keywords that would make them right.
        """
        if not wrong.any():
            return
        found = self._places.filter(wrong).sort(ROW, ITEM)
        places = [self._place(*pair) for pair in found.head(PLACES).rows()]
        more = f" and {len(found) - PLACES} more" if len(found) > PLACES else ""
        self._problems.append(f"{expected}; see {', '.join(places)}{more}")
        self._words.append(words)

    def _place(self, row: int, item: int | None) -> str:
        """A row, with the item if its name is surely no cell of a name."""
        name = None if item is None else self._names[item]
        if name is None:
            return f"row {row}"
        known = f"item {name!r}" if is_known(name) else self._labels.get(name, "")
        return f"row {row} ({known})" if known else f"row {row}"

    def settle(self) -> None:
        """Raise a ValueError with all that was remembered, if there is anything."""
        if not self._problems:
            return
        message = "\n".join(self._problems)
        if not all(self._words):
            raise ValueError(message)
        merged = {name: value for own in self._words for name, value in own.items()}
        raise NeedsWordError(message, **merged)
