"""The rendered book in a browser: every page, three widths, light and dark.

What is tested is the site that ``make book`` left in _build/html. Where it is missing
or older than its sources, or where there is no Chromium, the tests are skipped; on CI
they fail. Pictures of each page go to _build/screenshots, for people to look at.
"""

import gzip
import importlib
import inspect
import re
import urllib.parse
from pathlib import Path

import pytest
import yaml
from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup

from tests import browser
from tests.browser import BROKEN, MISSET, UNSET, Visit

ROOT = Path(__file__).parent.parent
SITE = ROOT / "_build" / "html"
SCREENSHOTS = ROOT / "_build" / "screenshots"
WIDTHS = (1280, 768, 375)
THEMES = ("light", "dark")
CHAPTER = "notebooks/03_1_maml_steps.html"


def documents():
    """Every page of the table of contents, in order."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    chapters = [c["file"] for part in toc["parts"] for c in part["chapters"]]
    return [toc["root"], *chapters]


PAGES = [f"{name}.html" for name in [*documents(), "search"]]


@pytest.fixture(scope="module")
def site():
    patterns = ("_*.yml", "book/**/*", "notebooks/*.ipynb", "refimpl/**/*.py")
    sources = [path for pattern in patterns for path in ROOT.glob(pattern)]
    return browser.fresh(SITE / "index.html", sources, "make book")


@pytest.fixture(scope="module")
def base(site):
    with browser.served(site) as address:
        yield address


@pytest.fixture(scope="module")
def chromium(site):
    with browser.chromium() as opened:
        yield opened


@pytest.fixture
def visit(chromium, base):
    return lambda name, **context: Visit(chromium, base + name, base, **context)


# Each question gives a list of what is wrong, empty if nothing is.
SIDEWAYS = """() => {
  const over = document.documentElement.scrollWidth - innerWidth;
  return over <= 0 ? [] : [`by ${over} px`, ...[...document.querySelectorAll(
    "main *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1).slice(0, 3)
    .map(e => e.outerHTML.slice(0, 120))];
}"""
UNDESCRIBED = """() => [...document.querySelectorAll("main img")]
  .filter(i => i.alt.trim().split(/\\s+/).length < 5
    || /^(figure|image|plot|picture)\\b.{0,20}$|_images|\\.(png|svg)/i.test(i.alt))
  .map(i => `${i.alt} ${i.src.slice(0, 80)}`)"""
QUESTIONS = {
    "formulas not typeset": UNSET,
    "formulas with errors": MISSET,
    "pictures not loaded": BROKEN,
    "pictures without a description": UNDESCRIBED,
}


# Of the words of code that look alike, five stay for axe-core; the others become plain
# text. They are most of what a chapter consists of, and take most of the time.
THIN_OUT = """() => {
  const looks = {}, grounds = new Map(), alike = [];
  const ground = e => e ? getComputedStyle(e).backgroundColor
    + getComputedStyle(e).opacity + ground(e.parentElement) : "";
  const words = [...document.querySelectorAll(".highlight pre span:not(:has(*))")];
  for (const word of words) {
    const up = word.parentElement, block = word.closest("pre");
    const box = word.getBoundingClientRect();
    if (!box.width || box.right > block.getBoundingClientRect().right) continue;
    if (!grounds.has(block)) grounds.set(block, ground(block));
    const {color, backgroundColor, opacity, font} = getComputedStyle(word);
    const look = [color, backgroundColor, opacity, font, up.tagName,
      getComputedStyle(up).backgroundColor, getComputedStyle(up).opacity,
      grounds.get(block)].join();
    looks[look] = (looks[look] ?? 0) + 1;
    if (looks[look] > 5) alike.push(word);
  }
  for (const word of alike) word.replaceWith(...word.childNodes);
}"""
CONTRAST = {"runOnly": ["color-contrast", "link-in-text-block"]}
BUT_CONTRAST = {"rules": {"color-contrast": {"enabled": False}}}


def violations(page, theme, width):
    """What axe-core calls serious or critical, with a first place.

    To save half of the time, contrast, which depends on the theme, is looked at on the
    widest page, and all else, which depends on the width, in the light theme.
    """
    wide, light = width == WIDTHS[0], theme == "light"
    if not wide and not light:
        return []
    resize(page, width)
    options = {"resultTypes": ["violations"], "preload": False}
    options |= {} if wide and light else CONTRAST if wide else BUT_CONTRAST
    found = Axe().run(page, options=options).response["violations"]
    return [
        f"{v['id']}: {v['nodes'][0]['html'][:160]}"
        for v in found
        if v["impact"] in ("serious", "critical")
    ]


# By the page's own timers: the theme marks what scrolls after 300 of its milliseconds.
LATER = "() => new Promise(done => setTimeout(done, 400))"


def resize(page, width):
    page.set_viewport_size({"width": width, "height": 900})
    page.evaluate(LATER)


@pytest.fixture(scope="module")
def weights():
    """What pages weigh, for those that have been opened."""
    return {}


def weight(opened):
    """Bytes of all that a page asked for, compressed as a server sends them."""
    ours = [r for r in opened.requests if r.url.startswith(opened.allowed)]
    return sum(len(gzip.compress(r.response().body())) for r in ours)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", PAGES)
def test_page(visit, weights, name, theme):
    wide = {"width": WIDTHS[0], "height": 900}
    with visit(name, viewport=wide, color_scheme=theme) as opened:
        page, wrong = opened.page, {}
        for width in WIDTHS:
            resize(page, width)
            wrong[f"{width}: scrolls sideways"] = page.evaluate(SIDEWAYS)
            photograph(page, name, width, theme)
        for what, question in QUESTIONS.items():
            wrong[what] = page.evaluate(question)
        page.evaluate(THIN_OUT)
        for width in WIDTHS:
            wrong[f"{width}: accessibility"] = violations(page, theme, width)
        wrong["console"] = opened.complaints
        wrong["requests to other hosts"] = opened.foreign()
        weights[name] = weights.get(name) or weight(opened)
    assert not {what: found for what, found in wrong.items() if found}


def photograph(page, name, width, theme):
    SCREENSHOTS.mkdir(exist_ok=True)
    height = page.evaluate("document.documentElement.scrollHeight")
    page.set_viewport_size({"width": width, "height": min(height, 5000)})
    stem = name.removesuffix(".html").replace("/", "_")
    page.screenshot(path=SCREENSHOTS / f"{stem}-{width}-{theme}.png")


def test_all_internal_links_and_anchors_exist(site):
    pages = {
        path: BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        for path in site.rglob("*.html")
        if "_static" not in path.parts
    }
    anchors = {
        path: {tag["id"] for tag in soup.find_all(id=True)}
        for path, soup in pages.items()
    }
    broken = []
    for path, soup in pages.items():
        for link in soup.find_all(href=True):
            address = urllib.parse.urlsplit(link["href"])
            if address.scheme or address.netloc or link["href"] == "#":
                continue
            target = path
            if address.path:
                target = (path.parent / urllib.parse.unquote(address.path)).resolve()
            fragment = urllib.parse.unquote(address.fragment)
            known = anchors.get(target)
            if not target.exists() or (
                fragment and known is not None and fragment not in known
            ):
                broken.append(f"{path.relative_to(site)}: {link['href']}")
    assert not broken


@pytest.mark.parametrize("name", PAGES)
def test_weight(visit, weights, name):
    """Landing page 800 kB, any other 2.5 MB."""
    if name not in weights:
        with visit(name) as opened:
            weights[name] = weight(opened)
    assert weights[name] <= (800_000 if name == PAGES[0] else 2_500_000)


@pytest.mark.parametrize("name", [PAGES[0], CHAPTER])
def test_readable_without_javascript(chromium, base, name):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(base + name)
    title = page.locator("article h1").first
    assert title.is_visible()
    assert len(page.locator("article").inner_text()) > 1500
    box = title.bounding_box()
    assert 0 <= box["x"] < 1280
    assert 0 <= box["y"] < 720
    context.close()


def found_by_search(page, address):
    """Type into the search page; return the links found."""
    page.goto(f"{address}?q=clipped+surrogate")
    page.wait_for_selector("#search-results li a")
    return page.locator("#search-results li a")


def test_search_leads_to_a_page_that_has_it(visit):
    with visit("search.html") as opened:
        results = found_by_search(opened.page, opened.page.url)
        titles = results.all_inner_texts()
        assert any("PPO" in title for title in titles)
        results.first.click()
        opened.page.wait_for_load_state()
        text = opened.page.locator("article").inner_text().lower()
        assert re.search(r"clipped.surrogate", text)


def test_a_folded_solution_opens_by_keyboard(visit):
    with visit(CHAPTER) as opened:
        page = opened.page
        solution = page.locator(".solution.dropdown").first
        inside = solution.locator("p:not(.admonition-title)").first
        assert not inside.is_visible()
        solution.locator("button.toggle-button").focus()
        page.keyboard.press("Enter")
        inside.wait_for(state="visible")


def test_an_animation_steps_by_keyboard_and_not_by_itself(visit):
    with visit(CHAPTER, reduced_motion="reduce") as opened:
        page = opened.page
        figure = page.locator(".step-through").first
        slider, caption = figure.locator("input"), figure.locator("figcaption")
        last = caption.inner_text()
        page.evaluate(LATER)
        assert caption.inner_text() == last
        slider.focus()
        page.keyboard.press("Home")
        first = caption.inner_text()
        page.keyboard.press("ArrowRight")
        assert len({first, caption.inner_text(), last}) == 3
        assert figure.locator("img:visible").count() == 1
        assert (
            figure.locator("img:visible").get_attribute("alt") == caption.inner_text()
        )


def test_on_paper_an_animation_is_its_last_frame(visit):
    with visit(CHAPTER) as opened:
        opened.page.emulate_media(media="print")
        figure = opened.page.locator(".step-through").first
        assert not figure.locator("input").is_visible()
        assert figure.locator("img:visible").count() == 1


def test_the_theme_switch_works_and_is_remembered(visit):
    with visit(CHAPTER, color_scheme="light") as opened:
        page = opened.page
        theme = "document.documentElement.dataset.theme"
        assert page.evaluate(theme) == "light"
        switch = page.locator("button.theme-switch-button:visible").first
        switch.focus()
        for _ in range(3):  # light, dark, automatic
            page.keyboard.press("Enter")
            if page.evaluate(theme) == "dark":
                break
        assert page.evaluate(theme) == "dark"
        page.reload()
        assert page.evaluate(theme) == "dark"


def test_wide_tables_are_reached_by_keyboard(visit):
    with visit("notebooks/07_tools.html", viewport={"width": 375, "height": 900}) as o:
        boxes = o.page.locator(".pst-scrollable-table-container[tabindex='0']")
        assert boxes.count() > 0
        boxes.first.focus()
        o.page.keyboard.press("ArrowRight")
        o.page.wait_for_function("document.activeElement.scrollLeft > 0")


def test_the_book_opens_from_disk(chromium, site):
    """Mathematics, search and animations work without any server."""
    folder = site.as_uri()
    with Visit(chromium, f"{folder}/{CHAPTER}", folder) as opened:
        page = opened.page
        assert page.evaluate(UNSET) == page.evaluate(BROKEN) == []
        fonts = "[...document.fonts].filter(f => f.family.startsWith('MJX')"
        page.wait_for_function(f"{fonts} && f.status === 'loaded').length > 2")
        slider = page.locator(".step-through input").first
        caption = page.locator(".step-through figcaption").first
        before = caption.inner_text()
        slider.focus()
        page.keyboard.press("ArrowLeft")
        assert caption.inner_text() != before
        assert opened.complaints == []
        assert found_by_search(page, f"{folder}/search.html").count() > 1
        assert opened.foreign() == []


def test_the_title_page_has_its_picture_and_map(visit):
    with visit(PAGES[0]) as opened:
        page = opened.page
        assert page.locator(".idea svg:visible").count() == 3
        chapters = [name for name in documents() if name.startswith("notebooks/")]
        targets = {
            link.get_attribute("href").removeprefix("../").removesuffix(".html")
            for link in page.locator(".map svg a").all()
        }
        assert targets == set(chapters)
        cards = page.locator(".sd-card a.sd-stretched-link")
        assert cards.count() == len(chapters)


def test_the_list_of_exercises_has_them_all(visit):
    with visit("book/exercises.html") as opened:
        listed = opened.page.locator("article dt a").all_inner_texts()
    sources = [path.read_text(encoding="utf-8") for path in ROOT.glob("notebooks/*")]
    exercises = [
        s for source in sources for s in re.findall(r"{exercise[-a-z]*} ", source)
    ]
    ends = [s for s in exercises if "end" in s]
    assert len(listed) == len(exercises) - len(ends) > 75
    numbers = [int(re.search(r"\d+", text)[0]) for text in listed]
    assert numbers == [*range(1, len(listed) + 1)]


@pytest.mark.parametrize(
    "name", ["tasks", "envs", "maml", "ppo", "baselines", "own_class"]
)
def test_every_public_function_is_in_the_reference(site, name):
    page = (site / "book" / "api" / f"{name}.html").read_text(encoding="utf-8")
    package = importlib.import_module(f"refimpl.{name}")
    for public in package.__all__:
        entry = getattr(package, public)
        if inspect.isfunction(entry) or inspect.isclass(entry):
            assert f'id="{entry.__module__}.{entry.__qualname__}"' in page


def test_chapters_say_when_they_ran_and_with_what(site):
    for name in documents():
        if name.startswith("notebooks/"):
            page = (site / f"{name}.html").read_text(encoding="utf-8")
            assert re.search(
                r"Last executed on \d{4}-\d\d-\d\d in \d+ s, with Python 3\.\d+\.\d+, "
                r"PyTorch [\d.]+, TensorFlow [\d.]+",
                page,
            ), name


def test_each_notebook_can_be_downloaded(site):
    for name in documents():
        if name.startswith("notebooks/"):
            page = BeautifulSoup((site / f"{name}.html").read_text(), "html.parser")
            links = [a["href"] for a in page.select("a.btn-download-source-button")]
            assert links
            assert (site / name).parent.joinpath(links[0]).resolve().exists()


def test_the_pdf_has_every_chapter(site):
    path = ROOT / "_build" / "book.pdf"
    if not path.exists():
        browser.do_without("the PDF is not there: make pdf")
    import pikepdf

    with pikepdf.open(path) as pdf, pdf.open_outline() as outline:
        (book,) = outline.root
        titles = [entry.title for entry in book.children]
        for name in documents()[1:]:
            page = BeautifulSoup((site / f"{name}.html").read_text(), "html.parser")
            title = page.select_one("article h1")
            for link in title.select(".headerlink"):
                link.extract()
            assert " ".join(title.text.split()) in titles
        chapters = book.children[titles.index("Contents") + 1 :]
        starts = [pikepdf.Page(c.destination[0]).index for c in chapters]
        assert starts == sorted(set(starts))
        named = [link for p in pdf.pages for link in p.get("/Annots", [])]
        assert len(named) > 1000
