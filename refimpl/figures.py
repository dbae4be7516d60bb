"""The house style of the book's figures, step-through figures, and source code.

A long module, for it holds all three kinds of what a chapter shows, and nothing else.
"""

from __future__ import annotations

import ast
import base64
import html
import inspect
import io
import logging
import textwrap
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib.pyplot as plt
from IPython import get_ipython
from IPython.display import HTML, Markdown
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Okabe & Ito's palette, told apart by color-blind readers. On dark pages the
# book's style sheet turns figures round: white to black, hues kept.
COLORS = {
    "black": "#222222",
    "gray": "#8a8a8a",
    "blue": "#0072b2",
    "orange": "#d55e00",
    "green": "#009e73",
    "purple": "#aa4499",
    "yellow": "#e69f00",
}

STYLE: Any = {
    "axes.edgecolor": COLORS["gray"],
    "axes.grid": True,
    "axes.labelcolor": COLORS["black"],
    "axes.prop_cycle": plt.cycler(
        color=[COLORS[c] for c in ("blue", "orange", "green", "purple", "yellow")]
    ),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.constrained_layout.use": True,
    "figure.figsize": (6.4, 3.8),
    "font.size": 13,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "lines.linewidth": 2,
    "xtick.color": COLORS["black"],
    "ytick.color": COLORS["black"],
}

# For the names in a class's own table: where DejaVu lacks a letter, such as all of
# Chinese, Japanese and Korean, the first of these that the machine has is asked.
FONTS = [
    *["Noto Sans CJK SC", "Noto Sans CJK JP", "Source Han Sans SC", "SimHei"],
    *["Microsoft YaHei", "PingFang SC", "PingFang HK", "Hiragino Sans GB"],
    *["Droid Sans Fallback", "WenQuanYi Micro Hei", "Arial Unicode MS"],
]


def use_house_style() -> None:
    """Draw all following figures in the book's style, sharp on any screen."""
    plt.rcParams.update(STYLE)
    there = set(font_manager.get_font_names())
    fallback = [font for font in FONTS if font in there]
    # That such a font has no bold face is said at each figure otherwise.
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    plt.rcParams["font.family"] = ["DejaVu Sans", *fallback]
    if get_ipython() is not None:
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("retina")


def step_through(
    draw: Callable[[Axes, int], Any],
    captions: Sequence[str],
    title: str,
    size: tuple[float, float] = (6.4, 3.8),
) -> HTML:
    """Show a process frame by frame, in a static page: a slider steps through it.

    The frames are pictures inside the page, the slider is the browser's own
    (arrow keys work), and nothing moves by itself. Without JavaScript, and in
    print, the last frame stands alone.

    Parameters
    ----------
    draw : (axes, i) -> None
        Draws frame i on empty axes. Fix the axes' limits, or frames will jump.
    captions : sequence of str
        One sentence for each frame: what is to be seen. Shown under the frame,
        and its alternative text.
    title : str
        What the slider steps through, for screen readers.
    size : (float, float)
        Width and height of a frame in inches.

    Returns
    -------
    IPython.display.HTML

    Raises
    ------
    ValueError
        If there are fewer than two captions.
    """
    if len(captions) < 2:
        raise ValueError(
            f"captions: expected one for each of two or more frames, got "
            f"{len(captions)}"
        )
    last = len(captions) - 1
    images = [
        f'<img src="data:image/webp;base64,{_frame(draw, i, size)}" '
        f'alt="{html.escape(caption)}"{"" if i == last else " hidden"}>'
        for i, caption in enumerate(captions)
    ]
    step = (
        "const f = this.closest('figure'), m = f.querySelectorAll('img');"
        "const s = +this.value;"
        "m.forEach((e, i) => e.hidden = i !== s);"
        "f.querySelector('figcaption').textContent = m[s].alt;"
        "this.setAttribute('aria-valuetext', m[s].alt)"
    )
    return HTML(
        f'<figure class="step-through">{"".join(images)}'
        f'<figcaption aria-live="polite">{html.escape(captions[last])}</figcaption>'
        f'<input type="range" min="0" max="{last}" value="{last}" step="1" '
        f'aria-label="{html.escape(title)}" '
        f'aria-valuetext="{html.escape(captions[last])}" oninput="{step}"></figure>'
    )


def show_source(*functions: Callable[..., Any]) -> Markdown:
    """Show the functions' own source, without docstrings, as highlighted code.

    What the chapter shows is so what runs; ``help(function)`` has the rest.
    """
    return Markdown("```python\n" + "\n\n".join(map(_source, functions)) + "\n```")


def _source(function: Callable[..., Any]) -> str:
    source = textwrap.dedent(inspect.getsource(function))
    definition = ast.parse(source).body[0]
    assert isinstance(definition, ast.FunctionDef | ast.ClassDef)
    lines = source.splitlines()
    if ast.get_docstring(definition) is not None:
        docstring = definition.body[0]
        del lines[docstring.lineno - 1 : docstring.end_lineno]
    return "\n".join(lines)


def _frame(draw: Callable[[Axes, int], Any], i: int, size: tuple[float, float]) -> str:
    """Frame i as a base64 WebP picture, drawn at twice the screen's resolution."""
    figure = Figure(figsize=size, layout="constrained")
    draw(figure.subplots(), i)
    picture = io.BytesIO()
    figure.savefig(
        picture, format="webp", dpi=200, pil_kwargs={"lossless": True, "method": 6}
    )
    return base64.b64encode(picture.getvalue()).decode()
