"""The four decks: their sources, and what ``make slides`` built, in a browser.

Where the built decks are missing or older than their sources, or where there is no
Chromium, the tests of the built decks are skipped; on CI they fail. Pictures of each
slide go to _build/screenshots/slides, for people to look at.
"""

import functools
import importlib.util
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from book._ext.house import DECKS as CHAPTERS
from tests import browser
from tests.browser import BROKEN, MISSET, UNSET, Visit

ROOT = Path(__file__).parent.parent
SLIDES = ROOT / "slides"
SITE = ROOT / "_build" / "html"
SCREENSHOTS = ROOT / "_build" / "screenshots" / "slides"
DECKS = tuple(CHAPTERS)
NOTES = re.compile(r"^:::\{revealjs-notes\}\n(.*?)^:::$", re.MULTILINE | re.DOTALL)
DIRECTIVE = re.compile(r"^```\{([a-z-]+)\} (.*?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def slides_of(deck):
    """Each slide's title and source."""
    text = (SLIDES / f"{deck}.md").read_text(encoding="utf-8")
    parts = re.split(r"^#{1,2} (.*)\n", text, flags=re.MULTILINE)
    assert not parts[0].strip()
    return list(zip(parts[1::2], parts[2::2], strict=True))


def words(title, source):
    """What is to be read on a slide, without notes, code and formulas."""
    text = DIRECTIVE.sub("", NOTES.sub("", source))
    text = re.sub(r"\$\$.*?\$\$|\$[^$]+\$", " ", text, flags=re.DOTALL)
    text = re.sub(r"\{[a-z]+\}`(?:([^`<]*) )?<[^`]*>`", r"\1", text)
    return [word for word in f"{title} {text}".split() if re.search(r"\w", word)]


def numbers(text):
    """Numbers that a chapter must have, too: decimals, and counts from 100."""
    found = re.findall(r"(?<![\w.#])\d*\.\d+|(?<![\w.])\d{1,3}(?:,\d{3})+|\d{3,}", text)
    return {f"{float(number.replace(',', '')):g}" for number in found}


@functools.cache
def chapter_numbers(prefix):
    (path,) = (ROOT / "notebooks").glob(f"{prefix}_*.ipynb")
    found = set()
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        found |= numbers("".join(cell["source"]))
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            found |= numbers("".join(output.get("text", "")))
            found |= numbers("".join(data.get("text/plain", "")))
            page = "".join(data.get("text/html", ""))
            found |= numbers(" ".join(re.findall(r'alt="([^"]*)"', page)))
    return found


@pytest.fixture(scope="module")
def extension():
    path = SLIDES / "_ext" / "chapter_figures.py"
    spec = importlib.util.spec_from_file_location("chapter_figures", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("deck", DECKS)
def test_a_deck_has_15_to_25_slides_of_few_words(deck):
    slides = slides_of(deck)
    assert 15 <= len(slides) <= 25
    many = {t: len(words(t, s)) for t, s in slides if len(words(t, s)) > 40}
    assert not many


@pytest.mark.parametrize("deck", DECKS)
def test_every_slide_has_notes_for_the_class(deck):
    notes = {title: NOTES.findall(source) for title, source in slides_of(deck)}
    assert not [t for t, found in notes.items() if len(found) != 1]
    assert not [t for t, (note,) in notes.items() if len(note.split()) < 15]
    # The speaker's window is a page of its own, without MathJax.
    assert not [t for t, (note,) in notes.items() if "$" in note]
    asks = re.compile(r"\?|\b([Ll]et|[Aa]sk|[Dd]raw|[Mm]isconceptions?|[Ee]xpect)\b")
    mute = [t for t, (note,) in notes.items() if not asks.search(note)]
    assert len(mute) <= 5, mute


@pytest.mark.parametrize("deck", DECKS)
def test_all_that_comes_from_chapters_exists(deck, extension):
    text = (SLIDES / f"{deck}.md").read_text(encoding="utf-8")
    found = {kind: [] for kind, _, _ in DIRECTIVE.findall(text)}
    for kind, arguments, _ in DIRECTIVE.findall(text):
        found[kind].append(arguments.split(" ", 1))
    for (name,) in found["chapter-figure"]:
        notebook, png, alt = extension.picture_of(name)
        assert notebook.startswith(CHAPTERS[deck])
        assert png.startswith(b"\x89PNG")
        assert len(alt.split()) >= 5
    for notebook, title in found["chapter-step"]:
        assert 'type="range"' in extension.step_of(notebook, title)
    assert len(found["chapter-figure"] + found["chapter-step"]) >= 8


@pytest.mark.parametrize("deck", DECKS)
def test_numbers_on_slides_are_the_chapters(deck):
    known = set().union(*map(chapter_numbers, CHAPTERS[deck]))
    wrong = {}
    for title, source in slides_of(deck):
        own = numbers(re.sub(r"^```.*|<[^>]*>", "", source, flags=re.MULTILINE))
        if unknown := own - known:
            wrong[title] = unknown
    assert not wrong


def test_slides_keep_no_pictures_and_no_copies():
    files = {path.suffix for path in SLIDES.rglob("*") if path.is_file()}
    assert files <= {".md", ".py", ".css", ".js", ".pyc"}
    for path in SLIDES.glob("*.md"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"^```(python|pycon|\{code)", text, re.MULTILINE), path
        assert not re.search(r"!\[|\{(image|figure)\}|<img|https?:", text), path


@pytest.mark.parametrize(
    "planted",
    [
        "```{chapter-figure} fig-nonsense\n```",
        "```{chapter-step} 03_1_maml_steps Nonsense\n```",
        "```{chapter-output} 03_1_maml_steps cell-nonsense\n```",
        "```{chapter-code} 05_1_maml_pytorch nonsense\n```",
        "```{refimpl-code} maml/inner.py adapt\n:start-at: nonsense\n```",
        "{chapter}`03_1_nonsense`",
        "{chapter}`Predict <03_1_maml_steps#ex-nonsense>`",
    ],
)
def test_a_missing_name_fails_the_build(planted, tmp_path):
    source = tmp_path / "index.md"
    source.write_text(f"# A deck\n\n{planted}\n")
    build = [sys.executable, "-m", "sphinx", "-b", "revealjs", "-q", "-c", str(SLIDES)]
    build += ["-d", str(tmp_path / "trees"), str(tmp_path), str(tmp_path / "out")]
    done = subprocess.run(build, capture_output=True, text=True)
    assert done.returncode != 0
    assert "nonsense" in done.stderr.lower()


# The built decks


@pytest.fixture(scope="module")
def site():
    patterns = ("slides/**/*.*", "notebooks/*.ipynb", "refimpl/**/*.py")
    sources = [path for pattern in patterns for path in ROOT.glob(pattern)]
    return browser.fresh(SITE / "slides" / "index.html", sources, "make slides").parent


@pytest.fixture(scope="module")
def base(site):
    with browser.served(site) as address:
        yield address


@pytest.fixture(scope="module")
def chromium(site):
    with browser.chromium() as opened:
        yield opened


class Show(Visit):
    """A deck that is ready to be shown."""

    grave = ("error", "warning")

    def settle(self):
        self.page.wait_for_function("Reveal.isReady()")
        super().settle()

    def place(self):
        return self.page.evaluate("Reveal.getIndices().h")


@pytest.fixture
def show(chromium, base):
    def open_deck(deck, query="", **context):
        context = {"viewport": {"width": 1280, "height": 800}} | context
        address = f"{base}slides/{deck}.html{query}"
        return Show(chromium, address, base, **context)

    return open_deck


# Each question gives a list of what is wrong, empty if nothing is.
UNDESCRIBED = """() => [...document.querySelectorAll(".slides img")]
  .filter(i => i.alt.trim().split(/\\s+/).length < 5).map(i => i.src.slice(0, 120))"""
# What reaches out of the slide that is shown, or cuts off its own content.
OVER = """() => {
  const slide = Reveal.getCurrentSlide(), scale = Reveal.getScale();
  const frame = document.querySelector(".slides").getBoundingClientRect();
  const {width, height} = Reveal.getConfig(), wrong = [];
  for (const e of slide.querySelectorAll("*")) {
    if (e.closest("aside.notes, mjx-assistive-mml")) continue;
    const box = e.getBoundingClientRect();
    if (!box.width || !box.height) continue;
    const over = Math.max((box.right - frame.left) / scale - width,
      (box.bottom - frame.top) / scale - height, (frame.left - box.left) / scale,
      (frame.top - box.top) / scale);
    if (over > 1) wrong.push(`${Math.round(over)} px: ${e.outerHTML.slice(0, 100)}`);
  }
  for (const e of slide.querySelectorAll("pre, figure, table, .math")) {
    if (e.scrollWidth > e.clientWidth + 1 && e.clientWidth)
      wrong.push(`cut off: ${e.textContent.slice(0, 80)}`);
  }
  return wrong;
}"""
SMALL = """() => [...Reveal.getCurrentSlide().querySelectorAll("p, li, pre, td, th")]
  .filter(e => !e.closest("aside.notes"))
  .filter(e => parseFloat(getComputedStyle(e).fontSize) < 18)
  .map(e => e.textContent.slice(0, 80))"""
DEAD = """() => [...document.querySelectorAll(".slides a")].map(a => a.href)
  .filter(h => h.includes("/notebooks/"))"""


@pytest.mark.parametrize("deck", DECKS)
def test_deck(show, deck):
    slides = slides_of(deck)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    with show(deck) as opened:
        page, wrong = opened.page, {}
        assert page.evaluate("Reveal.getTotalSlides()") == len(slides)
        for what, question in {
            "formulas not typeset": UNSET,
            "formulas with errors": MISSET,
            "pictures not loaded": BROKEN,
            "pictures without a description": UNDESCRIBED,
        }.items():
            wrong[what] = page.evaluate(question)
        for number, (title, _) in enumerate(slides):
            page.evaluate("number => Reveal.slide(number)", number)
            heading = page.locator("section.present > section.present :is(h1, h2)")
            assert heading.inner_text().replace("\u2019", "'") == title
            wrong[f"{title}: reaches out"] = page.evaluate(OVER)
            wrong[f"{title}: too small"] = page.evaluate(SMALL)
            notes = page.locator("section.present > section.present aside.notes")
            assert notes.count() == 1
            assert not notes.is_visible()
            page.screenshot(path=SCREENSHOTS / f"{deck}-{number + 1:02}.png")
        wrong["console"] = opened.complaints
        wrong["requests to other hosts"] = opened.foreign()
    assert not {what: found for what, found in wrong.items() if found}


@pytest.mark.parametrize("deck", DECKS)
def test_arrow_keys_go_through_the_deck(show, deck):
    with show(deck) as opened:
        assert opened.place() == 0
        for number in range(1, len(slides_of(deck))):
            opened.page.keyboard.press("ArrowRight")
            assert opened.place() == number
        opened.page.keyboard.press("ArrowLeft")
        assert opened.place() == number - 1


@pytest.mark.parametrize("deck", DECKS)
def test_a_slider_takes_the_arrow_keys_and_gives_them_back(show, deck):
    with show(deck) as opened:
        page = opened.page
        steps = page.locator(".step-through")
        assert steps.count() >= 2
        for i in range(steps.count()):
            figure = steps.nth(i)
            slider, caption = figure.locator("input"), figure.locator("figcaption")
            figure.evaluate("""figure => {
              const {h, v} = Reveal.getIndices(figure.closest("section"));
              Reveal.slide(h, v);
            }""")
            here, first = opened.place(), caption.inner_text()
            assert slider.input_value() == "0"
            page.keyboard.press("Tab")
            while not slider.evaluate("e => e === document.activeElement"):
                page.keyboard.press("Tab")
            page.keyboard.press("ArrowRight")
            assert opened.place() == here
            assert caption.inner_text() != first
            assert figure.locator("img:visible").count() == 1
            shown = figure.locator("img:visible").get_attribute("alt")
            assert shown == caption.inner_text()
            page.keyboard.press("End")
            assert slider.input_value() == slider.get_attribute("max")
            assert page.evaluate(OVER) == []
            page.keyboard.press("Escape")
            assert not page.evaluate("Reveal.isOverview()")
            page.keyboard.press("ArrowRight")
            assert opened.place() == here + 1
            # A presenter's remote sends Page Down, wherever the focus is.
            page.keyboard.press("ArrowLeft")
            slider.focus()
            page.keyboard.press("PageDown")
            assert opened.place() == here + 1


def test_links_lead_into_the_book(show, site):
    if not (site / "notebooks").exists():
        browser.do_without("the rendered book is not there: make book")
    for deck in DECKS:
        with show(deck) as opened:
            links = opened.page.evaluate(DEAD)
            assert len(links) >= 6
            for link in links:
                path, _, anchor = link.partition("/notebooks/")[2].partition("#")
                page = (site / "notebooks" / path).read_text(encoding="utf-8")
                assert not anchor or f'id="{anchor}"' in page, link


def test_the_index_links_every_deck(show):
    with show("index") as opened:
        page = opened.page
        links = [a.get_attribute("href") for a in page.locator(".slides a").all()]
        assert links == [f"{deck}.html" for deck in DECKS]
        for number in range(page.evaluate("Reveal.getTotalSlides()")):
            page.evaluate("number => Reveal.slide(number)", number)
            assert page.evaluate(OVER) == []
        assert opened.complaints == opened.foreign() == []


def test_the_speakers_window_has_the_notes(show):
    with show("2_maml") as opened:
        page = opened.page
        page.keyboard.press("ArrowRight")
        with opened.context.expect_page() as popup:
            page.keyboard.press("s")
        notes = popup.value.locator(".speaker-controls-notes .value")
        notes.wait_for(state="visible")
        text = "the line believes every wobble"
        popup.value.wait_for_function(
            "text => document.querySelector('.speaker-controls-notes .value')"
            ".textContent.includes(text)",
            arg=text,
        )
        assert notes.locator("p").count() > 1
        assert opened.foreign() == []


@pytest.mark.parametrize("deck", DECKS[:2])
def test_a_deck_prints_one_slide_a_page(show, deck):
    import pikepdf

    with show(deck, "?print-pdf") as opened:
        opened.page.wait_for_selector(".pdf-page")
        assert not opened.page.locator(".step-through input").first.is_visible()
        printed = opened.page.pdf(prefer_css_page_size=True, print_background=True)
        assert opened.complaints == []
    with pikepdf.open(io.BytesIO(printed)) as pdf:
        assert len(pdf.pages) == len(slides_of(deck))


def test_the_decks_open_from_disk(chromium, site):
    folder = site.as_uri()
    with Show(chromium, f"{folder}/slides/2_maml.html", folder) as opened:
        assert opened.page.evaluate(UNSET) == opened.page.evaluate(BROKEN) == []
        opened.page.keyboard.press("ArrowRight")
        assert opened.place() == 1
        assert opened.complaints == opened.foreign() == []
