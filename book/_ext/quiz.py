"""The chapters' self-check questions on paper, from their bank.

``{quiz-sheet}`` prints the questions of all chapters without answers, ``{quiz-key}``
the letters and reasons. (``tools.self_check`` puts them into the chapters.)
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

    def run(self) -> list[nodes.Node]:
        path = Path(self.env.srcdir, BANK)
        self.env.note_dependency(str(path))
        found: list[nodes.Node] = []
        for docname, questions in load_bank(path).items():
            title = self.markdown(f"{{doc}}`/notebooks/{docname}`")
            found.append(nodes.rubric("", "", *title))
            for number, question in enumerate(questions, start=1):
                found += self.entry(number, question)
        return found

    def markdown(self, text: str) -> list[nodes.Node]:
        """The nodes of a text of the bank; one paragraph is given by its parts."""
        holder = nodes.Element()
        self.state.nested_parse(StringList([text.strip()], BANK), 0, holder)
        one = len(holder) == 1 and isinstance(holder[0], nodes.paragraph)
        return holder[0].children if one else holder.children

    def paragraph(self, label: str, text: str) -> nodes.Node:
        return nodes.paragraph("", "", nodes.strong("", label), *self.markdown(text))


class QuizSheet(Quiz):
    def entry(self, number: int, question: dict) -> list[nodes.Node]:
        items = [
            nodes.list_item("", nodes.paragraph("", "", *self.markdown(choice["text"])))
            for choice in question["choices"]
        ]
        letters = {"enumtype": "loweralpha", "prefix": "(", "suffix": ")"}
        return [
            self.paragraph(f"{number}. ", question["question"]),
            nodes.enumerated_list("", *items, **letters),
        ]


class QuizKey(Quiz):
    def entry(self, number: int, question: dict) -> list[nodes.Node]:
        (right,) = [c for c in question["choices"] if c.get("right")]
        letter = string.ascii_lowercase[question["choices"].index(right)]
        return [self.paragraph(f"{number} ({letter}) ", right["why"])]


def setup(app) -> dict:
    app.add_directive("quiz-sheet", QuizSheet)
    app.add_directive("quiz-key", QuizKey)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
