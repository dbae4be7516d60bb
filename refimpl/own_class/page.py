"""One page about one student: what is known, what is expected, what to ask next.

``items`` are the J items' names, ``bounds`` the lowest and the highest score.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from refimpl.figures import COLORS

SIZE = 7.2, 8.6  # inches
NAMED = 45  # more items than this are not labeled
LONGEST = 28  # letters of an item's name


@dataclass(frozen=True, eq=False)
class Report:
    """What the page shows. No name: the student is a row of the teacher's file."""

    row: int  #: of the teacher's file
    scores: np.ndarray  #: [J], NaN where not answered
    forecast: np.ndarray  #: [J]
    level: float  #: the expected mean over all items
    low: float  #: the lower end of its interval
    high: float  #: the upper end
    ask: Sequence[int]  #: the items to ask next, the best first
    new: bool  #: to the model; only then the interval is promised
    confidence: float = 0.8  #: of the interval, as given to calibrate

    @property
    def interval(self) -> str:
        """What the interval is called."""
        return f"{100 * self.confidence:g} % interval"

    def describe(self, items: Sequence[str]) -> str:
        """The page in words: its alternative text."""
        known = (~np.isnan(self.scores)).sum()
        ask = ", ".join(short(items[j]) for j in self.ask) or "nothing"
        promise = "" if self.new else " (not promised: the model knows this student)"
        return (
            f"The student of row {self.row}: {known} of {len(items)} items answered. "
            f"Expected mean over all items {self.level:.2f}, {self.interval} "
            f"from {self.low:.2f} to {self.high:.2f}{promise}. To ask next: {ask}."
        )


def short(name: str) -> str:
    """An item's ``name`` on one line, cut if it is long."""
    name = " ".join(name.split())
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"


def label(name: str) -> str:
    """The ``name`` for matplotlib, which would take dollar signs for mathematics."""
    return short(name).replace("$", r"\$")


def draw_page(
    figure: Figure,
    report: Report,
    items: Sequence[str],
    levels: np.ndarray,
    bounds: tuple[float, float],
) -> None:
    """Draw ``report`` on an empty ``figure``; ``levels`` [M] are the whole class's."""
    top, main = figure.subplots(2, 1, height_ratios=[1, 5])
    figure.suptitle(f"The student of row {report.row}", fontsize=14)
    margin = 0.04 * (bounds[1] - bounds[0])
    ends = bounds[0] - margin, bounds[1] + margin

    bins = np.linspace(*bounds, 21)
    top.hist(levels, bins, color=COLORS["gray"], alpha=0.45, label="the whole class")
    height = max(1.0, np.histogram(levels, bins)[0].max())
    span = [[report.level - report.low], [report.high - report.level]]
    top.errorbar(
        report.level,
        height / 2,
        xerr=span,
        fmt="o",
        ms=8,
        capsize=5,
        color=COLORS["blue"],
        label=f"this student,\n{report.interval}"
        + ("" if report.new else "\n(not promised)"),
    )
    top.set(xlim=ends, xlabel="expected mean over all items", ylabel="students")
    top.yaxis.get_major_locator().set_params(integer=True)
    top.legend(fontsize=10, loc="upper left", bbox_to_anchor=(1, 1))

    order = np.argsort(-report.forecast, kind="stable")
    place = np.empty(len(order), int)
    place[order] = np.arange(len(order))
    known = ~np.isnan(report.scores)
    line = report.forecast[order].clip(*bounds)
    main.plot(line, range(len(order)), color=COLORS["gray"], label="forecast")
    main.plot(
        report.scores[known],
        place[known],
        "o",
        ms=5 if len(order) <= NAMED else 3,
        color=COLORS["blue"],
        label="answered",
    )
    ask = [*report.ask]
    style = {"ms": 8, "color": COLORS["orange"], "label": "ask next"}
    main.plot(report.forecast[ask].clip(*bounds), place[ask], "D", **style)
    main.set(xlim=ends, xlabel="score", ylim=(len(order) - 0.4, -0.6))
    main.set_ylabel("items, the easiest for this student on top")
    if len(order) <= NAMED:
        main.set_yticks(range(len(order)), [label(items[j]) for j in order], fontsize=8)
        for j in ask:
            main.get_yticklabels()[place[j]].set(color=COLORS["orange"], weight="bold")
    names = "\n".join(f"{n}. {label(items[j])}" for n, j in enumerate(ask, start=1))
    legend = main.legend(fontsize=10, loc="upper left", bbox_to_anchor=(1, 1))
    legend.set_title("To ask next:\n" + names + "\n" if ask else None)
    legend.get_title().set_fontsize(10)


def save_page(
    folder: str | Path,
    report: Report,
    items: Sequence[str],
    levels: np.ndarray,
    bounds: tuple[float, float],
) -> Path:
    """Write a page to ``folder`` as row_<number>.png, whole; as :func:`draw_page`."""
    figure = Figure(figsize=SIZE, layout="constrained")
    draw_page(figure, report, items, levels, bounds)
    path = Path(folder) / f"row_{report.row}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    words = {"Description": report.describe(items)}
    try:
        figure.savefig(temporary, format="png", dpi=130, metadata=words)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path
