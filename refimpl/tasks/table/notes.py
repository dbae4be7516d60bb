"""What reading has decided or left out, in full sentences."""

from __future__ import annotations

from refimpl.tasks.table.layouts import Column


class Notes(list):
    """Sentences in the order in which they came up; :attr:`loud` ones are warnings."""

    def __init__(self) -> None:
        super().__init__()
        self.loud: list[str] = []
        self.columns: list[Column] = []  # what those of a wide table are

    def say(self, text: str) -> None:
        """Note ``text``, which the reader may want to know."""
        if text not in self:
            self.append(text)

    def warn(self, text: str) -> None:
        """Note ``text``, which the reader must know."""
        if text not in self:
            self.append(text)
            self.loud.append(text)
