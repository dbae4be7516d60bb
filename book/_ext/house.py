"""What the book needs of Sphinx beyond _config.yml: a small local extension.

- MathJax is served from the book itself, and Thebe is left out, so that no page
  asks another host. Of the icons' two forms only the fonts are kept, not the script.
- Buttons that lead to the repository (Binder, its source, its editor) appear only
  when its address is known: from the environment variable REPOSITORY, or from git;
  a button to a JupyterHub, when JUPYTERHUB names it.
- Each chapter's footer says with which versions it ran, and where its slides are.
"""

import datetime
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

import sphinx_codeautolink.extension
from docutils import nodes
from sphinx.pycode import ModuleAnalyzer
from sphinx_codeautolink.extension.block import CodeBlockAnalyser

# Which chapters a deck of slides is about, by the beginning of their names.
DECKS = {
    "1_why_and_what": ("01", "02"),
    "2_maml": ("03_1", "04_1", "05_1"),
    "3_ppo": ("03_2", "04_2", "05_2"),
    "4_new_student": ("06_1", "06_2", "06_3", "06_4", "07", "08"),
}


def repository_address(root: Path) -> str | None:
    """The repository's web address, or None where only a local path is known."""
    address = os.environ.get("REPOSITORY")
    if address is None:
        git = ["git", "-C", str(root), "remote", "get-url", "origin"]
        try:
            address = subprocess.run(git, capture_output=True, text=True).stdout.strip()
        except FileNotFoundError:  # git is not installed
            return None
    address = re.sub(r"^(?:ssh://)?git@([^:/]+)[:/]", r"https://\1/", address)
    known = re.match(
        r"https://(?:github|gitlab)\.com/[^/]+/[^/]+?(?=\.git$|/?$)", address
    )
    return known[0] if known else None


def configure(app, config) -> None:
    """Set what depends on where the book is built."""
    config.mathjax_path = "mathjax/tex-chtml.js"
    # Without a default the theme logs an error on every page.
    config.html_context["default_mode"] = "auto"
    # Nodes drawn as HTML are so in the single page, too, from which the PDF is made.
    handlers = app.registry.translation_handlers
    handlers["singlehtml"] = handlers["html"] | handlers.get("singlehtml", {})
    config.html_theme_options["logo"] = {"text": config.html_title}
    if address := repository_address(Path(app.srcdir)):
        config.html_theme_options |= {
            "repository_url": address,
            "repository_branch": "main",
            "use_repository_button": True,
            "use_edit_page_button": True,
            "launch_buttons": {
                "binderhub_url": "https://mybinder.org",
                "notebook_interface": "jupyterlab",
            },
        }
        if hub := os.environ.get("JUPYTERHUB"):
            config.html_theme_options["launch_buttons"]["jupyterhub_url"] = hub


def leave_out_thebe(app, config) -> None:
    """Jupyter Book always loads Thebe, which asks another host; we do not use it."""
    for listeners in app.events.listeners.values():
        for listener in list(listeners):
            if listener.handler.__module__.startswith("sphinx_thebe"):
                app.disconnect(listener.id)
    style = "sphinx-thebe.css"
    app.registry.css_files = [f for f in app.registry.css_files if f[0] != style]


def mend_body(app, pagename, templatename, context, doctree) -> None:
    """What screen readers stumble over: docutils' deprecated roles in the
    bibliography, and sphinx-codeautolink's links within what folds and unfolds."""
    body = context.get("body", "")
    body = body.replace('role="doc-biblioentry"', 'role="listitem"')
    context["body"] = re.sub(
        r"<summary>Expand for references to <a [^>]*>.*?([^.>]+)</span>.*?</a>",
        r"<summary>Where the chapters use <code>\1</code>",
        body,
    )


def lighten_title_page(app, pagename, templatename, context, doctree) -> None:
    """The title page has no formulas; Sphinx gives it MathJax for its chapters'."""
    if pagename == app.config.root_doc and app.builder.name == "html":
        files = context["script_files"]
        context["script_files"] = [f for f in files if "mathjax" not in str(f)]


def say_versions(app, pagename, templatename, context, doctree) -> None:
    """The footer of a chapter: when it ran, for how long, and with what."""
    run = app.env.nb_metadata.get(pagename, {}).get("exec_data")
    if run is not None:
        day = datetime.date.fromtimestamp(run["mtime"])
        names = {"torch": "PyTorch", "tensorflow": "TensorFlow", "numpy": "NumPy"}
        found = [
            f"{name} {importlib.metadata.version(package).split('+')[0]}"
            for package, name in names.items()
        ]
        versions = ", ".join([f"Python {platform.python_version()}", *found])
        took = f" in {run['runtime']:.0f} s" if run["runtime"] else ""
        context["theme_extra_footer"] = (
            f"<p>Last executed on {day}{took}, with {versions}.</p>"
        )
        for deck, chapters in DECKS.items():
            if pagename.removeprefix("notebooks/").startswith(chapters):
                context["theme_extra_footer"] += (
                    f'<p>To teach it: <a href="../slides/{deck}.html">slides</a>, '
                    '<a href="../book/instructors/chapters.html">notes</a>.</p>'
                )


class TolerantAnalyser(CodeBlockAnalyser):
    """sphinx-codeautolink expects a title in every section, and nowhere else; an
    exercise's content is a section without one, a box has one without a section."""

    def visit_title(self, node) -> None:
        if isinstance(node.parent, nodes.section):
            super().visit_title(node)

    def depart_section(self, node) -> None:
        if any(isinstance(child, nodes.title) for child in node.children):
            super().depart_section(node)


def skip_unwritten(app, what, name, obj, skip, options) -> bool | None:
    """In the API reference, leave a tuple's field out unless a ``#:`` tells of it."""
    if not str(getattr(obj, "__doc__", "")).startswith("Alias for field number"):
        return None
    place = [app.env.temp_data.get(f"autodoc:{part}") for part in ("module", "class")]
    comments = ModuleAnalyzer.for_module(place[0]).find_attr_docs()
    return None if (place[1], name) in comments else True


def finish_static(app, exception) -> None:
    """Copy the part of MathJax that the pages load, one script and its fonts; empty
    the script that draws the icons which the theme's fonts draw already (1.5 MB)."""
    if exception or app.builder.format != "html":
        return
    for script in Path(app.outdir, "_static", "vendor").glob("**/js/all.min.js"):
        script.write_text("")
    # A font asked for before its style sheet is refused to a page opened from disk.
    for path in Path(app.outdir).rglob("*.html"):
        page = path.read_text(encoding="utf-8")
        light = re.sub(r'<link [^>]*\.woff2"[^>]*>\n?', "", page)
        if light != page:
            path.write_text(light, encoding="utf-8")
    package = importlib.metadata.distribution("sphinx-mathjax-offline")
    source = Path(package.locate_file("sphinx-mathjax-offline/static/mathjax"))
    target = Path(app.outdir) / "_static" / "mathjax"
    target.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source / "tex-chtml.js", target)
    fonts = "output/chtml/fonts/woff-v2"
    shutil.copytree(source / fonts, target / fonts, dirs_exist_ok=True)


def setup(app) -> dict:
    app.connect("config-inited", configure)
    app.connect("config-inited", leave_out_thebe)
    sphinx_codeautolink.extension.CodeBlockAnalyser = TolerantAnalyser
    app.connect("html-page-context", mend_body)
    app.connect("html-page-context", say_versions)
    app.connect("html-page-context", lighten_title_page, priority=900)
    app.connect("autodoc-skip-member", skip_unwritten)
    app.connect("build-finished", finish_static)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
