"""Step-through figures work without a script's help, and say what they show."""

import html
import re

import matplotlib as mpl
import pytest

from refimpl import figures
from refimpl.figures import show_source, step_through, use_house_style
from refimpl.tasks import rmse


def frames(n=3, caption="After {} steps the <curve> has moved."):
    def draw(axes, i):
        axes.plot([0, 1], [0, i])

    return step_through(draw, [caption.format(i) for i in range(n)], "Adaptation")


def test_each_frame_has_its_picture_and_description():
    markup = frames().data
    assert len(re.findall(r'<img src="data:image/webp;base64,\w', markup)) == 3
    alts = [html.unescape(alt) for alt in re.findall(r'alt="([^"]*)"', markup)]
    assert alts == [f"After {i} steps the <curve> has moved." for i in range(3)]
    pictures = re.findall(r"base64,([^\"]*)", markup)
    assert len(set(pictures)) == 3


def test_only_the_last_frame_shows_until_someone_steps():
    images = re.findall(r"<img [^>]*>", frames().data)
    assert [image.endswith(" hidden>") for image in images] == [True, True, False]


def test_the_slider_is_labelled_and_asks_no_other_host():
    markup = frames().data
    assert '<input type="range" min="0" max="2" value="2"' in markup
    assert 'aria-label="Adaptation"' in markup
    assert "http" not in re.sub(r"base64,[^\"]*", "", markup)


def test_the_same_frames_give_the_same_markup():
    assert frames().data == frames().data


def test_a_single_frame_is_no_process():
    with pytest.raises(
        ValueError, match="captions: expected one for each of two or more"
    ):
        frames(n=1)


def test_show_source_is_the_running_code_without_its_docstring():
    shown = show_source(rmse).data
    assert shown.startswith("```python\ndef rmse(")
    assert "Root mean squared error" not in shown
    assert "return float(np.sqrt(np.mean(error**2)))" in shown


def test_the_house_style_works_outside_jupyter():
    use_house_style()


def test_letters_that_the_first_font_lacks_are_asked_of_installed_ones(monkeypatch):
    """A class's items may have Chinese names; a font that is not there only warns."""
    fonts = ["DejaVu Sans", "SimHei", "Arial"]
    monkeypatch.setattr("matplotlib.font_manager.get_font_names", lambda: fonts)
    with mpl.rc_context():
        use_house_style()
        assert mpl.rcParams["font.family"] == ["DejaVu Sans", "SimHei"]


def test_code_without_a_docstring_is_shown_whole():
    def double(x):
        return 2 * x

    assert "def double(x):\n    return 2 * x\n```" in show_source(double).data


def test_in_jupyter_figures_are_sharp(monkeypatch):
    formats = []
    monkeypatch.setattr(figures, "get_ipython", object)
    monkeypatch.setattr(
        "matplotlib_inline.backend_inline.set_matplotlib_formats", formats.append
    )
    use_house_style()
    assert formats == ["retina"]
