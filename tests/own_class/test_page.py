"""A student's page: in words, written whole, every answer in its place."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from refimpl.own_class import Report, draw_page, save_page
from refimpl.own_class.page import short


def report(items, row=17, new=True):
    scores = np.where(np.arange(items) % 3 == 0, 1.0, np.nan)
    forecast = np.linspace(0.9, 0.1, items)
    return Report(row, scores, forecast, 0.61, 0.5, 0.72, [4, 1], new)


def names(items):
    return [f"item {j}" for j in range(items)]


def test_the_page_in_words():
    assert report(6).describe(names(6)) == (
        "The student of row 17: 2 of 6 items answered. Expected mean over all items "
        "0.61, 80 % interval from 0.50 to 0.72. To ask next: item 4, item 1."
    )


def test_a_page_says_for_whom_its_interval_is_not_promised():
    for new in (True, False):
        page = report(6, new=new)
        figure = Figure(layout="constrained")
        draw_page(figure, page, names(6), np.zeros(3), (0, 1))
        legend = figure.axes[0].get_legend().get_texts()
        assert ("not promised" in legend[1].get_text()) is not new
        assert ("not promised" in page.describe(names(6))) is not new


def test_a_page_says_how_sure_its_interval_is():
    page = replace(report(6), confidence=0.95)
    assert ", 95 % interval from" in page.describe(names(6))
    figure = Figure(layout="constrained")
    draw_page(figure, page, names(6), np.zeros(3), (0, 1))
    assert "95 % interval" in figure.axes[0].get_legend().get_texts()[1].get_text()


@pytest.mark.parametrize("items", [6, 45, 300])
def test_a_page_is_saved_whole(tmp_path, items):
    levels = np.linspace(0, 1, 30)
    path = save_page(tmp_path / "pages", report(items), names(items), levels, (0, 1))
    assert [p.name for p in path.parent.iterdir()] == ["row_17.png"]
    with Image.open(path) as picture:
        assert picture.text["Description"] == report(items).describe(names(items))


def test_names_of_items_are_text_and_no_mathematics():
    strange = ["$x^2", "a_b \\frac{", "100 $ and 50 $", "  two\nlines ", "x" * 500, ""]
    assert len(short(strange[4])) == 28
    figure = Figure(layout="constrained")
    draw_page(figure, report(6), strange, np.zeros(3), (0, 10))
    figure.canvas.draw()
    assert r"\$" not in report(6).describe(strange)
    labels = [label.get_text() for label in figure.axes[1].get_yticklabels()]
    assert labels[3] == "two lines"


def test_asked_items_stand_out_and_answers_are_where_they_belong():
    figure = Figure(layout="constrained")
    draw_page(figure, report(6), names(6), np.zeros(3), (0, 1))
    forecast, answered, ask = figure.axes[1].get_lines()
    assert (np.diff(forecast.get_xdata()) <= 0).all()  # the easiest on top
    np.testing.assert_array_equal(answered.get_ydata(), [0, 3])
    np.testing.assert_array_equal(answered.get_xdata(), [1, 1])
    np.testing.assert_array_equal(ask.get_ydata(), [4, 1])
    assert "4" in figure.axes[1].get_legend().get_title().get_text()
