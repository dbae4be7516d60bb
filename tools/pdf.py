"""Print the book's single page to a PDF: what ``make pdf`` runs.

Headless Chromium prints twice: the first time shows on which page each chapter
begins, the second has these numbers in its table of contents.
"""

import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright
from pypdf import PdfReader

ROOT = Path(__file__).parent.parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FOOTER = (
    '<div style="width: 100%; text-align: center; font: 9px sans-serif; color: #555">'
    '<span class="pageNumber"></span></div>'
)

# All that folds is unfolded; pictures in rows of formulas are there before printing.
PREPARE = """async () => {
  document.documentElement.dataset.theme = "light";
  document.querySelectorAll("details").forEach(d => d.open = true);
  document.querySelectorAll(".toggle-hidden").forEach(e =>
    e.classList.remove("toggle-hidden"));
  document.querySelectorAll("img[loading]").forEach(i => i.loading = "eager");
  // What is not in the PDF cannot be linked to.
  document.querySelectorAll("a[href]").forEach(a => {
    if (!/^(#|https?:)/.test(a.getAttribute("href"))) a.removeAttribute("href");
  });
  const contents = document.createElement("section");
  contents.className = "printed-contents";
  contents.innerHTML = "<h2>Contents</h2>";
  for (const title of document.querySelectorAll("span[id^=document-] + section > h2")) {
    const row = document.createElement("a");
    row.href = "#" + title.parentElement.previousElementSibling.id;
    const name = title.cloneNode(true);
    name.querySelectorAll(".headerlink").forEach(e => e.remove());
    row.innerHTML = `<span>${name.textContent}</span><b>000</b>`;
    contents.append(row);
  }
  document.querySelector("span[id^=document-]").before(contents);
  await MathJax.startup.promise;
  await document.fonts.ready;
}"""

FILL = """pages => document.querySelectorAll(".printed-contents b").forEach(
  (place, i) => place.textContent = pages[i])"""


def single_page(site: Path) -> Path:
    """The single page at the site's root, where its paths lead to its files."""
    html = (site / "book" / "index.html").read_text(encoding="utf-8")
    html = html.replace('href="book/index.html#', 'href="#')
    target = site / "print.html"
    target.write_text(html, encoding="utf-8")
    return target


def print_page(page: Page, path: Path) -> None:
    page.pdf(
        path=path, format="A4", outline=True, tagged=True, display_header_footer=True,
        header_template="<span></span>", footer_template=FOOTER,
        margin={"top": "18mm", "bottom": "18mm", "left": "20mm", "right": "20mm"},
    )  # fmt: skip


def chapter_pages(path: Path) -> dict[str, int]:
    """Title and first page of each chapter, from the outline's second level."""
    reader = PdfReader(path)
    _book, chapters = reader.outline[:2]
    return {
        re.sub(r"\s+", " ", entry.title): reader.get_destination_page_number(entry) + 1
        for entry in chapters
        if not isinstance(entry, list)
    }


def make_pdf(site: Path, target: Path) -> None:
    browser_path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser_path is None:
        sys.exit("make pdf needs Chromium. On Debian or Ubuntu: apt install chromium")
    with (
        sync_playwright() as playwright,
        tempfile.TemporaryDirectory(dir=target.parent) as folder,
    ):
        browser = playwright.chromium.launch(
            executable_path=browser_path, args=["--no-sandbox"]
        )
        page = browser.new_page()
        page.set_default_timeout(300_000)
        page.goto(single_page(site).as_uri())
        page.evaluate(PREPARE)
        draft = Path(folder, "book.pdf")
        print_page(page, draft)
        pages = chapter_pages(draft)
        pages.pop("Contents")
        page.evaluate(FILL, list(pages.values()))
        print_page(page, draft)
        os.replace(draft, target)
        browser.close()
    print(f"{len(PdfReader(target).pages)} pages: {target.relative_to(ROOT)}")


if __name__ == "__main__":
    make_pdf(ROOT / "_build" / "singlehtml", ROOT / "_build" / "book.pdf")
