"""The slides: four decks, one per part of the book, made with sphinx-revealjs.

All that a slide needs is in the build: reveal.js comes with sphinx-revealjs, MathJax
is copied as for the book, figures and code come from the chapters and refimpl.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "slides" / "_ext"), str(ROOT / "book" / "_ext")]

project = "Every Student Is a Task"
author = "The authors of Every Student Is a Task"
copyright = "2026"

extensions = ["myst_parser", "sphinx_revealjs", "chapter_figures"]
myst_enable_extensions = ["colon_fence", "dollarmath"]
pygments_style = "a11y-high-contrast-light"  # the book's
html_copy_source = False
html_favicon = str(ROOT / "book" / "_static" / "favicon.svg")

mathjax_path = "mathjax/tex-chtml.js"
# A hidden slide has no height to match, and its formulas would come out smaller.
mathjax3_config = {"chtml": {"matchFontHeight": False}}

revealjs_html_theme = "revealjs-simple"
revealjs_style_theme = "white"
revealjs_static_path = ["_static"]
revealjs_css_files = ["pygments.css", "slides.css"]
revealjs_js_files = ["slides.js"]
revealjs_use_section_ids = True  # so that a slide can be linked to by its title
revealjs_script_plugins = [
    {"name": "RevealNotes", "src": "revealjs/plugin/notes/notes.js"}
]
revealjs_script_conf = {
    "width": 960,
    "height": 700,
    "margin": 0.04,
    "maxScale": 4,
    "center": False,
    "display": "flex",
    "hash": True,
    "slideNumber": "c/t",
    "transition": "none",  # nothing moves by itself
    "backgroundTransition": "none",
    "controlsTutorial": False,
    "pdfMaxPagesPerSlide": 1,
    "pdfSeparateFragments": False,
}


# Of the reveal.js that sphinx-revealjs brings, what the decks load; 4 MB are not.
LOADED = (
    "LICENSE",
    "dist/reveal.css",
    "dist/reveal.js",
    "dist/theme/white.css",
    "dist/theme/fonts/source-sans-pro/*",
    "plugin/notes/notes.js",
)


def lighten(app, exception) -> None:
    folder = Path(app.outdir, "_static", "revealjs")
    kept = {path for pattern in LOADED for path in folder.glob(pattern)}
    for path in folder.rglob("*"):
        if path.is_file() and path not in kept:
            path.unlink()


def setup(app) -> None:
    from house import finish_static

    app.connect("build-finished", finish_static)
    app.connect("build-finished", lighten)
