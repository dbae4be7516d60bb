"""Photograph the built book for the README: what ``make screenshots`` runs.

Two pictures at twice the usual resolution: the front page, and in chapter 3.1 the
figure in which MAML adapts to one child, after its first inner step.
"""

import io
import os
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page

from tools.browser import MISSING, chromium

ROOT = Path(__file__).parent.parent
SITE = ROOT / "_build" / "html"
TARGET = ROOT / "book" / "screenshots"
SIZE = {"width": 1100, "height": 720}
LOAD = """async () => {
  await MathJax.startup.promise;
  await document.fonts.ready;
  await Promise.all([...document.images].map(image => {
    image.loading = "eager";
    return image.decode();
  }));
}"""
SCROLL = """e => scrollTo({
  top: scrollY + e.closest(".cell").getBoundingClientRect().top - 80,  // the bar
  behavior: "instant",
})"""


def front(page: Page) -> None:
    page.goto((SITE / "book" / "index.html").as_uri())


def child(page: Page) -> None:
    page.goto((SITE / "notebooks" / "03_1_maml_steps.html").as_uri())
    figure = page.get_by_role("slider", name="Inner steps on one child")
    figure.evaluate("e => { e.value = 1; e.dispatchEvent(new Event('input')); }")
    page.evaluate(LOAD)  # or the page would grow above the figure
    figure.evaluate(SCROLL)


def save(png: bytes, path: Path) -> None:
    """Write with 128 colors, a fifth of the size, whole or not at all."""
    temporary = path.with_suffix(".tmp")
    picture = Image.open(io.BytesIO(png)).convert("RGB").quantize(128)
    picture.save(temporary, format="PNG", optimize=True)
    os.replace(temporary, path)


def main() -> None:
    TARGET.mkdir(exist_ok=True)
    with chromium() as browser:
        if browser is None:
            sys.exit(f"make screenshots {MISSING}")
        page = browser.new_page(viewport=SIZE, device_scale_factor=2)
        for show in (front, child):
            show(page)
            page.wait_for_timeout(1000)  # what is drawn late, is drawn
            path = TARGET / f"{show.__name__}.png"
            save(page.screenshot(), path)
            print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
