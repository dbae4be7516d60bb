"""Links to the API reference: `maml.adapt` in a chapter, ``adapt`` in a docstring.

A name is known by its full path or by any unambiguous end of it: ``refimpl.maml.inner
.adapt`` is also ``maml.adapt``, the path that readers import it from.
"""

import importlib
from functools import cache

from docutils import nodes
from sphinx.domains.python import PythonDomain
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.nodes import make_refnode

KINDS = {"function", "class", "method", "data", "attribute", "property"}

THEIRS = "meta_train"  # the article has a function of this name, too


def short_names(domain: PythonDomain) -> dict[str, str | None]:
    """Every short form of a documented name, with the name; None if it is ambiguous.

    A field may share its name with a function, which then has it.
    """
    fields: dict[str, str | None] = {}
    others: dict[str, str | None] = {}
    for name, entry in domain.objects.items():
        found = fields if entry.objtype == "attribute" else others
        for short in {name, *ends(name)} if entry.objtype in KINDS else ():
            found[short] = None if short in found else name
    return fields | others


def ends(name: str) -> list[str]:
    """``refimpl.maml.inner.adapt``: inner.adapt, adapt, and where it is exported."""
    parts = name.split(".")
    shorts = [".".join(parts[i:]) for i in range(1, len(parts))]
    package, last = ".".join(parts[:2]), parts[-1]
    if len(parts) == 4 and last in exports(package):
        shorts += [f"{package}.{last}", f"{parts[1]}.{last}"]
    return shorts


@cache
def exports(package: str) -> tuple[str, ...]:
    return tuple(getattr(importlib.import_module(package), "__all__", ()))


def resolve(app, env, node, contnode):
    """In docstrings, a name of ours may be written without its path."""
    if node.get("refdomain") != "py":
        return None
    # In a type, a word in lower case is a word.
    if node["reftype"] == "class" and node["reftarget"].islower():
        return None
    domain = env.get_domain("py")
    name = short_names(domain).get(node["reftarget"])
    return name and link(app, node["refdoc"], domain, name, contnode)


def link(app, docname, domain, name, child):
    entry = domain.objects[name]
    return make_refnode(app.builder, docname, entry.docname, entry.node_id, child, name)


class LinkLiterals(SphinxPostTransform):
    """In chapters, `` `package.function` `` and unmistakable names become links."""

    default_priority = 5

    def run(self, **kwargs) -> None:
        docname = self.env.docname
        if docname.startswith(("book/api", "book/index")):
            return
        domain = self.env.get_domain("py")
        shorts = short_names(domain)
        for literal in list(self.document.findall(nodes.literal)):
            written = literal.astext().partition("(")[0]
            unmistakable = "." in written or ("_" in written and written != THEIRS)
            name = shorts.get(written) if unmistakable else None
            if name and not isinstance(literal.parent, nodes.reference | nodes.title):
                reference = link(self.app, docname, domain, name, literal.deepcopy())
                literal.replace_self(reference)


def setup(app) -> dict:
    app.connect("missing-reference", resolve)
    app.add_post_transform(LinkLiterals)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
