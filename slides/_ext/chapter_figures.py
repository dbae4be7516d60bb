"""What the chapters' own code made and what refimpl runs, on slides: no copies.

``{chapter-figure} fig-31-start``
    The stored picture of the code cell of that figure name, with its alternative
    text; the directive's content, if any, is the caption.
``{chapter-step} 03_1_maml_steps Inner steps on one wave``
    The step-through figure whose slider has this title, as it is stored.
``{chapter-output} 03_1_maml_steps cell-013``
    What the cell printed (``lines: 1-2`` for some of it), or its table.
``{chapter-code} 05_1_maml_pytorch adapt`` and ``{refimpl-code} maml/inner.py adapt``
    A function, from a chapter's cells or from refimpl, without its docstring;
    ``start-at`` and ``end-at`` name the first and the last line to show.
``{chapter}`Predict <03_1_maml_steps#ex-31-predict>```
    A link into the built book. Without a text of its own it is the chapter's title.

A name that does not exist, or exists twice, fails the build.
"""

import ast
import base64
import html
import json
import os
import re
import textwrap
from functools import cache
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.errors import ExtensionError
from sphinx.util import parselinenos
from sphinx.util.docutils import SphinxDirective, SphinxRole
from sphinx.writers.html5 import HTML5Translator
from sphinx_revealjs.writers import RevealjsSlideTranslator

ROOT = Path(__file__).parent.parent.parent
NOTEBOOKS = ROOT / "notebooks"


@cache
def cells(notebook: str) -> list[dict]:
    path = NOTEBOOKS / f"{notebook}.ipynb"
    if not path.exists():
        raise ExtensionError(f"slides: there is no notebook {notebook}")
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def source(cell: dict) -> str:
    return "".join(cell["source"])


def outputs(cell: dict, kind: str) -> list[str]:
    """The cell's stored outputs of a MIME type; ``text`` is what it printed."""
    if cell["cell_type"] != "code":
        return []
    if kind == "text":
        return ["".join(o["text"]) for o in cell["outputs"] if "text" in o]
    return [
        "".join(o["data"][kind])
        for o in cell["outputs"]
        if kind in o.get("data", {})
    ]  # fmt: skip


def only(found: list, what: str):
    if len(found) != 1:
        raise ExtensionError(f"slides: {what} exists {len(found)} times, not once")
    return found[0]


def figure_of(name: str) -> tuple[str, dict]:
    """The notebook and the cell that drew the figure of this name."""
    found = [
        (path.stem, cell)
        for path in sorted(NOTEBOOKS.glob("*.ipynb"))
        for cell in cells(path.stem)
        if cell["metadata"].get("mystnb", {}).get("figure", {}).get("name") == name
    ]
    return only(found, f"figure {name}")


def picture_of(name: str) -> tuple[str, bytes, str]:
    """The figure's notebook, its PNG, and its alternative text."""
    notebook, cell = figure_of(name)
    png = only(outputs(cell, "image/png"), f"the stored picture of {name}")
    alt = cell["metadata"]["mystnb"].get("image", {}).get("alt", "")
    if not alt:
        raise ExtensionError(f"slides: figure {name} has no alternative text")
    return notebook, base64.b64decode(png), alt


def step_of(notebook: str, title: str) -> str:
    """The HTML of the step-through figure with this slider."""
    label = f'aria-label="{html.escape(title)}"'
    found = [
        output
        for cell in cells(notebook)
        for output in outputs(cell, "text/html")
        if 'class="step-through"' in output and label in output
    ]
    return only(found, f"step-through figure {title!r} in {notebook}")


def function_in(text: str, name: str) -> str | None:
    """A function's or method's source, without docstring; None if it is not there."""
    *classes, last = name.split(".")
    body = ast.parse(text).body
    for outer in classes:
        body = [n for c in body if getattr(c, "name", "") == outer for n in c.body]
    kinds = ast.FunctionDef | ast.ClassDef
    found = [n for n in body if isinstance(n, kinds) and n.name == last]
    if not found:
        return None
    node = only(found, name)
    lines = text.splitlines()[: node.end_lineno]
    if ast.get_docstring(node) is not None:
        docstring = node.body[0]
        del lines[docstring.lineno - 1 : docstring.end_lineno]
    return textwrap.dedent("\n".join(lines[node.lineno - 1 :])).rstrip()


class FromChapter(SphinxDirective):
    has_content = True
    required_arguments = 1
    optional_arguments = 1
    final_argument_whitespace = True

    def depend(self, path: Path) -> None:
        """Read the deck again when this file changes."""
        if not path.exists():
            raise ExtensionError(f"slides: there is no {path.name}")
        self.env.note_dependency(str(path))

    def raw(self, text: str, *classes: str) -> list[nodes.Node]:
        around = nodes.container("", nodes.raw("", text, format="html"))
        around["classes"] += classes
        return [around]

    def block(self, lines: list[str], language: str) -> list[nodes.Node]:
        """The lines in a box that knows how long the longest is."""
        text, columns = "\n".join(lines), max(map(len, lines))
        start = f'<div class="listing" style="--columns: {columns}">'
        return [
            nodes.raw("", start, format="html"),
            nodes.literal_block(text, text, language=language),
            nodes.raw("", "</div>", format="html"),
        ]


class ChapterFigure(FromChapter):
    optional_arguments = 0

    def run(self) -> list[nodes.Node]:
        (name,) = self.arguments
        notebook, png, alt = picture_of(name)
        self.depend(NOTEBOOKS / f"{notebook}.ipynb")
        # Sphinx copies pictures into the build; it wants to find them in a file.
        file = Path(self.env.doctreedir, "pictures", f"{name}.png")
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(png)
        uri = Path(os.path.relpath(file, self.env.srcdir)).as_posix()
        figure = nodes.figure("", nodes.image(uri=uri, alt=alt))
        figure["classes"].append("chapter-figure")
        if self.content:
            text, _ = self.state.inline_text(" ".join(self.content), self.lineno)
            figure += nodes.caption("", "", *text)
        return [figure]


class ChapterStep(FromChapter):
    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        notebook, title = self.arguments
        self.depend(NOTEBOOKS / f"{notebook}.ipynb")
        return self.raw(step_of(notebook, title), "chapter-step")


class ChapterOutput(FromChapter):
    option_spec = {"lines": directives.unchanged_required}  # noqa: RUF012, as docutils

    def run(self) -> list[nodes.Node]:
        notebook, name = self.arguments
        self.depend(NOTEBOOKS / f"{notebook}.ipynb")
        found = [c for c in cells(notebook) if c.get("id") == name]
        cell = only(found, f"cell {name} in {notebook}")
        if tables := outputs(cell, "text/html"):
            table = re.sub(r"<style.*?</style>", "", tables[0], flags=re.DOTALL)
            return self.raw(table, "chapter-table")
        lines = "".join(outputs(cell, "text")).rstrip().splitlines()
        if not lines:
            raise ExtensionError(f"slides: cell {name} in {notebook} printed nothing")
        if wanted := self.options.get("lines"):
            lines = [lines[i] for i in parselinenos(wanted, len(lines))]
        return self.block(lines, "none")


class Code(FromChapter):
    option_spec = {  # noqa: RUF012, as docutils has it
        "start-at": directives.unchanged_required,
        "end-at": directives.unchanged_required,
    }

    def show(self, texts: list[str], name: str, where: str) -> list[nodes.Node]:
        found = [found for t in texts if (found := function_in(t, name)) is not None]
        lines = only(found, f"{name} in {where}").splitlines()

        def place(start: str) -> int:
            at = [i for i, s in enumerate(lines) if s.strip().startswith(start)]
            return only(at, f"in {name}, a line that starts with {start!r},")

        first, last = 0, len(lines) - 1
        if "start-at" in self.options:
            first = place(self.options["start-at"])
        if "end-at" in self.options:
            last = place(self.options["end-at"])
        part = textwrap.dedent("\n".join(lines[first : last + 1]))
        return self.block(part.splitlines(), "python")


class ChapterCode(Code):
    def run(self) -> list[nodes.Node]:
        notebook, name = self.arguments
        self.depend(NOTEBOOKS / f"{notebook}.ipynb")
        texts = [
            source(cell)
            for cell in cells(notebook)
            if cell["cell_type"] == "code" and name.split(".")[0] in source(cell)
        ]
        return self.show(texts, name, notebook)


class RefimplCode(Code):
    def run(self) -> list[nodes.Node]:
        file, name = self.arguments
        path = ROOT / "refimpl" / file
        self.depend(path)
        return self.show([path.read_text(encoding="utf-8")], name, file)


class ChapterLink(SphinxRole):
    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        given = re.fullmatch(r"(?:(.*?)\s*<)?([^<>#]+)(?:#([^<>]+))?>?", self.text)
        if given is None:
            raise ExtensionError(f"slides: no chapter named by {self.text!r}")
        text, notebook, anchor = given.groups()
        written = "\n".join(
            source(c) for c in cells(notebook) if c["cell_type"] == "markdown"
        )
        if anchor:
            label = re.escape(anchor)
            once = re.findall(rf"^(?:\({label}\)=|:label: {label})$", written, re.M)
            only(once, f"label {anchor} in {notebook}")
        if text is None:
            text = written.splitlines()[0].removeprefix("# ")
        self.env.note_dependency(str(NOTEBOOKS / f"{notebook}.ipynb"))
        uri = f"../notebooks/{notebook}.html" + (f"#{anchor}" if anchor else "")
        return [nodes.reference("", text, refuri=uri, internal=True)], []


class SlideTranslator(RevealjsSlideTranslator):
    """Code is colored in the build, as in the book, and notes keep their paragraphs."""

    visit_literal_block = HTML5Translator.visit_literal_block
    depart_literal_block = HTML5Translator.depart_literal_block

    def visit_revealjs_notes(self, node) -> None:
        self.body.append('<aside class="notes">')

    def depart_revealjs_notes(self, node) -> None:
        self.body.append("</aside>\n")


def forget(app, env, docnames) -> None:
    cells.cache_clear()


def notes_as_written(app, config) -> None:
    """sphinx-revealjs writes notes as one plain text; ours is asked first."""
    handlers = app.registry.translation_handlers["revealjs"]
    handlers["revealjs_notes"] = (
        SlideTranslator.visit_revealjs_notes,
        SlideTranslator.depart_revealjs_notes,
    )


def setup(app) -> dict:
    app.add_directive("chapter-figure", ChapterFigure)
    app.add_directive("chapter-step", ChapterStep)
    app.add_directive("chapter-output", ChapterOutput)
    app.add_directive("chapter-code", ChapterCode)
    app.add_directive("refimpl-code", RefimplCode)
    app.add_role("chapter", ChapterLink())
    app.set_translator("revealjs", SlideTranslator)
    app.connect("config-inited", notes_as_written)
    app.connect("env-before-read-docs", forget)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
