"""The chapters' self-check questions on paper, from their bank.

``{quiz-sheet}`` prints the questions of all chapters without answers, ``{quiz-key}``
the letters and reasons. (``tools/self_check.py`` puts them into the chapters.)
"""

import string
from pathlib import Path

import yaml
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

BANK = "book/instructors/questions.yml"


def load_bank(path: Path) -> dict[str, list[dict]]:
    """The bank, checked: one right choice a question, a reason for each choice."""
    bank = yaml.safe_load(path.read_text(encoding="utf-8"))
    for chapter, questions in bank.items():
        for number, question in enumerate(questions, start=1):
            where = f"{path.name}: {chapter}, question {number}"
            choices = question["choices"]
            if sum(choice.get("right", False) for choice in choices) != 1:
                raise ValueError(f"{where}: expected exactly one right choice")
            if not all(choice.get("why") and choice.get("text") for choice in choices):
                raise ValueError(
                    f"{where}: expected a text and a reason for each choice"
                )
    return bank


class Quiz(SphinxDirective):
    """What the two have in common: the bank, and Markdown within it."""

    def bank(self) -> dict[str, list[dict]]:
        path = Path(self.env.srcdir, BANK)
        self.env.note_dependency(str(path))
        return load_bank(path)

    def markdown(self, text: str) -> list[nodes.Node]:
        """The nodes of a text of the bank; one paragraph is given by its parts."""
        holder = nodes.Element()
        self.state.nested_parse(StringList([text.strip()], BANK), 0, holder)
        one = len(holder) == 1 and isinstance(holder[0], nodes.paragraph)
        return holder[0].children if one else holder.children

    def question(self, number: int, text: str) -> nodes.Node:
        label = nodes.strong("", f"{number}. ")
        return nodes.paragraph(
            "", "", label, *self.markdown(text), classes=["question"]
        )

    def title(self, docname: str) -> nodes.Node:
        """The chapter's title, as a link that Sphinx resolves."""
        return nodes.rubric("", "", *self.markdown(f"{{doc}}`/notebooks/{docname}`"))


class QuizSheet(Quiz):
    def run(self) -> list[nodes.Node]:
        found: list[nodes.Node] = []
        for docname, questions in self.bank().items():
            found.append(self.title(docname))
            for number, question in enumerate(questions, start=1):
                found.append(self.question(number, question["question"]))
                items = [
                    nodes.list_item(
                        "", nodes.paragraph("", "", *self.markdown(choice["text"]))
                    )
                    for choice in question["choices"]
                ]
                found.append(
                    nodes.enumerated_list(
                        "", *items, enumtype="loweralpha", prefix="(", suffix=")"
                    )
                )
        return found


class QuizKey(Quiz):
    def run(self) -> list[nodes.Node]:
        found: list[nodes.Node] = []
        for docname, questions in self.bank().items():
            found.append(self.title(docname))
            for number, question in enumerate(questions, start=1):
                (right,) = [c for c in question["choices"] if c.get("right")]
                letter = string.ascii_lowercase[question["choices"].index(right)]
                label = nodes.strong("", f"{number} ({letter}) ")
                found.append(
                    nodes.paragraph("", "", label, *self.markdown(right["why"]))
                )
        return found


def setup(app) -> dict:
    app.add_directive("quiz-sheet", QuizSheet)
    app.add_directive("quiz-key", QuizKey)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
