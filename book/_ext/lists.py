"""Drawings within the page, tables of results, and a list of all exercises.

``{drawing} name.svg`` puts an SVG file into the page itself, so that it follows
the page's colors; a link ``href="doc:notebooks/01_background"`` in it leads to
that page. ``{results-table} name.csv`` shows columns of a file that a benchmark wrote.
``{exercise-list}`` lists every exercise, chapter by chapter.
"""

import re
from pathlib import Path

import pandas as pd
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx import addnodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective
from sphinx_exercise.nodes import exercise_subtitle


class Drawing(SphinxDirective):
    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        _, path = self.env.relfn2path(self.arguments[0])
        self.env.note_dependency(path)
        return [nodes.raw("", Path(path).read_text(encoding="utf-8"), format="html")]


class ResolveDrawingLinks(SphinxPostTransform):
    default_priority = 5

    def run(self, **kwargs) -> None:
        def address(match: re.Match) -> str:
            if match[1] not in self.env.all_docs:
                raise ValueError(f"drawing: no page {match[1]} to link to")
            builder = self.app.builder
            return f'href="{builder.get_relative_uri(self.env.docname, match[1])}"'

        for raw in self.document.findall(nodes.raw):
            if 'href="doc:' in raw.astext():
                raw[:] = [nodes.Text(re.sub(r'href="doc:([^"]+)"', address, raw[0]))]


class ResultsTable(SphinxDirective):
    required_arguments = 1
    option_spec = {  # noqa: RUF012, as docutils has it
        "columns": directives.unchanged_required,
        "headings": directives.unchanged_required,
    }

    def run(self) -> list[nodes.Node]:
        path = Path(self.env.srcdir, "benchmarks", "results", self.arguments[0])
        self.env.note_dependency(str(path))
        columns = re.split(r",\s*", self.options["columns"])
        found = pd.read_csv(path, comment="#")[columns]
        body = nodes.tbody()
        for values in found.itertuples(index=False):
            body += self.row(values)
        head = nodes.thead("", self.row(re.split(r",\s*", self.options["headings"])))
        specs = [nodes.colspec(colwidth=1) for _ in columns]
        group = nodes.tgroup("", *specs, head, body, cols=len(columns))
        return [nodes.table("", group)]

    @staticmethod
    def row(values) -> nodes.Node:
        cells = [nodes.entry("", nodes.paragraph("", str(value))) for value in values]
        return nodes.row("", *cells)


class exercise_list(nodes.General, nodes.Element):  # noqa: N801
    """Where the list is to stand."""


class ExerciseList(SphinxDirective):
    def run(self) -> list[nodes.Node]:
        return [exercise_list()]


class FillExerciseList(SphinxPostTransform):
    """Before references are resolved, so that those in the exercises are, too."""

    default_priority = 4

    def run(self, **kwargs) -> None:
        for place in list(self.document.findall(exercise_list)):
            # The list repeats the exercises' formulas: the page needs MathJax.
            self.env.get_domain("math").data["has_equations"][self.env.docname] = True
            place.replace_self(list(self.chapters()))

    def chapters(self):
        order = list(self.env.toctree_includes.get(self.config.root_doc, []))
        for docname in order:
            exercises = [
                (label, entry["node"])
                for label, entry in self.env.sphinx_exercise_registry.items()
                if entry["docname"] == docname and "exercise" in entry["type"]
            ]
            if exercises:
                yield nodes.rubric("", self.env.titles[docname].astext())
                yield nodes.definition_list(
                    "", *[self.item(docname, *exercise) for exercise in exercises]
                )

    def item(self, docname: str, label: str, exercise: nodes.Element) -> nodes.Node:
        """The exercise's number and name, linked, and the start of its text."""
        numbers = self.env.toc_fignumbers[docname]["exercise"]
        number = ".".join(map(str, numbers[label]))
        address = self.app.builder.get_relative_uri(self.env.docname, docname)
        name = next(exercise.findall(exercise_subtitle)).astext()
        link = nodes.reference(
            "", f"Exercise {number}: {name}", internal=True, refuri=f"{address}#{label}"
        )
        first = next(exercise.findall(nodes.paragraph), nodes.paragraph()).deepcopy()
        for reference in first.findall(addnodes.pending_xref):
            reference["refdoc"] = self.env.docname
        term = nodes.term("", "", link)
        return nodes.definition_list_item("", term, nodes.definition("", first))


def setup(app) -> dict:
    app.add_node(exercise_list)
    app.add_directive("drawing", Drawing)
    app.add_directive("results-table", ResultsTable)
    app.add_directive("exercise-list", ExerciseList)
    app.add_post_transform(FillExerciseList)
    app.add_post_transform(ResolveDrawingLinks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
