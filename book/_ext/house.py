"""What the book needs of Sphinx beyond _config.yml: a small local extension.

- MathJax is served from the book itself, and Thebe is left out, so that no page
  asks another host.
- Buttons that lead to the repository (Binder, its source) appear only when its
  address is known: from the environment variable REPOSITORY, or from git.
"""

import importlib.metadata
import os
import re
import shutil
import subprocess
from pathlib import Path


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
    if address := repository_address(Path(app.srcdir)):
        config.html_theme_options |= {
            "repository_url": address,
            "repository_branch": "main",
            "use_repository_button": True,
            "launch_buttons": {
                "binderhub_url": "https://mybinder.org",
                "notebook_interface": "jupyterlab",
            },
        }


def leave_out_thebe(app, config) -> None:
    """Jupyter Book always loads Thebe, which asks another host; we do not use it."""
    for listeners in app.events.listeners.values():
        for listener in list(listeners):
            if listener.handler.__module__.startswith("sphinx_thebe"):
                app.disconnect(listener.id)


def mend_citation_roles(app, pagename, templatename, context, doctree) -> None:
    """Docutils puts deprecated roles into the bibliography's list; screen readers
    need list items."""
    if "body" in context:
        old, new = 'role="doc-biblioentry"', 'role="listitem"'
        context["body"] = context["body"].replace(old, new)


def copy_mathjax(app, exception) -> None:
    """Copy the part of MathJax that the pages load: one script and its fonts."""
    if exception or app.builder.format != "html":
        return
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
    app.connect("html-page-context", mend_citation_roles)
    app.connect("build-finished", copy_mathjax)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
