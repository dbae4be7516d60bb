"""Links the first mention of each glossary term on a page, and fills the index.

A term is best linked where it is introduced, in bold. Where a page does not
introduce it, its first plain mention is linked, unless it is an everyday word.
"""

import re
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform

GLOSSARY = "book/glossary"

# Words that are mostly not meant as terms: linked only where they are in bold.
EVERYDAY = {
    "ability", "action", "adaptation", "advantage", "bandit", "baseline", "bias",
    "body", "calibration", "context", "easiness", "exposure", "fold", "head", "mask",
    "mastery", "prior", "return", "reward", "shift", "shots", "slope", "state", "task",
    "trial", "trust", "value", "variance", "worth",
}  # fmt: skip

# In these a link would be wrong, or there is one already.
CLOSED = (
    nodes.title, nodes.reference, addnodes.pending_xref, nodes.literal, nodes.raw,
    nodes.literal_block, nodes.math, nodes.math_block, nodes.strong, nodes.term,
    nodes.caption,
)  # fmt: skip


def forms(term: str) -> set[str]:
    """How a term is written in text: ``policy`` gives policy and policies."""
    term = re.sub(r" \([A-Z]+\)$", "", term)
    plural = re.sub(r"y$", "ie", term) if re.search(r"[^aeiou]y$", term) else term
    return {term, f"{plural}s"}


def glossary_terms(path: Path) -> dict[str, str]:
    """Every written form, in lower case, with the term as the glossary has it."""
    source = path.read_text(encoding="utf-8").partition("```{glossary}")[2]
    terms = re.findall(r"^(\S.*)\n  ", source, re.MULTILINE)
    return {form.lower(): term for term in terms for form in forms(term)}


class LinkTerms(SphinxTransform):
    """Before Sphinx collects the index and resolves references."""

    default_priority = 700

    def apply(self, **kwargs) -> None:
        docname = self.env.docname
        if not docname.startswith("notebooks/") or GLOSSARY not in self.env.found_docs:
            return
        glossary = Path(self.env.doc2path(GLOSSARY))
        self.env.note_dependency(str(glossary))
        terms = glossary_terms(glossary)
        chapter = next(self.document.findall(nodes.title)).astext()
        linked: set[str] = set()
        for strong in list(self.document.findall(nodes.strong)):
            term = terms.get(strong.astext().lower())
            if term and term not in linked and not inside(strong, CLOSED):
                linked.add(term)
                link = link_to(term, docname, *strong.children)
                strong.children = []
                strong += link
                strong.parent.insert(strong.parent.index(strong), index(term, chapter))
        plain = {form: term for form, term in terms.items() if term not in EVERYDAY}
        longest_first = sorted(plain, key=len, reverse=True)
        pattern = re.compile(
            rf"(?<![\w-])({'|'.join(map(re.escape, longest_first))})(?![\w-])",
            re.IGNORECASE,
        )
        for text in list(self.document.findall(nodes.Text)):
            if inside(text, CLOSED) or not inside(text, (nodes.paragraph,)):
                continue
            parts: list[nodes.Node] = []
            for i, piece in enumerate(pattern.split(text.astext())):
                term = plain[piece.lower()] if i % 2 else None
                if term and term not in linked:
                    linked.add(term)
                    parts += [index(term, chapter)]
                    parts += [link_to(term, docname, nodes.Text(piece))]
                elif piece:
                    parts.append(nodes.Text(piece))
            if len(parts) > 1:
                text.parent.replace(text, parts)


def inside(node: nodes.Node, kinds: tuple[type, ...]) -> bool:
    """Whether an ancestor of the node is of one of these kinds."""
    while node := node.parent:
        if isinstance(node, kinds):
            return True
    return False


def link_to(term: str, docname: str, *children: nodes.Node) -> nodes.Node:
    """A reference to the term in the glossary, resolved and checked by Sphinx."""
    link = addnodes.pending_xref(
        refdomain="std", reftype="term", reftarget=term, refdoc=docname, refwarn=True,
        refexplicit=True,
    )  # fmt: skip
    link += nodes.inline("", "", *children, classes=["xref", "std", "std-term"])
    return link


def index(term: str, chapter: str) -> nodes.Node:
    """An anchor in the text, and its entry in the index: term, then chapter."""
    anchor = "use-" + nodes.make_id(term)  # "term-" are the glossary's own
    entry = ("single", f"{term}; {chapter}", anchor, "", None)
    group = nodes.inline("", "", ids=[anchor])
    group += addnodes.index(entries=[entry])
    return group


def setup(app) -> dict:
    app.add_transform(LinkTerms)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
