"""Print the book's single page to a PDF: what ``make pdf`` runs.

Headless Chromium prints twice: the first time shows on which page each chapter
begins, the second has these numbers in its table of contents.
"""

import os
import sys
import tempfile
from pathlib import Path

import pikepdf
from playwright.sync_api import Page

from tools.browser import MISSING, chromium

ROOT = Path(__file__).parent.parent
FOOTER = (
    '<div style="width: 100%; text-align: center; font: 9px sans-serif; color: #555">'
    '<span class="pageNumber"></span></div>'
)

# Solutions are unfolded, folded code is left out (house.css), a table of contents put
# in front, and what is wider than the paper made smaller.
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
  contents.innerHTML = "<h2>Contents</h2><p>Code that is folded on the site, as that "
    + "of figures and of checks, is left out here.</p>";
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
  for (const wide of document.querySelectorAll("mjx-container[display], table")) {
    const room = wide.parentElement.clientWidth;
    if (wide.scrollWidth > room) wide.style.zoom = 0.99 * room / wide.scrollWidth;
  }
}"""

FILL = """pages => document.querySelectorAll(".printed-contents b").forEach(
  (place, i) => place.textContent = pages[i])"""

HEADINGS = """() => [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")].map(h => {
  h = h.cloneNode(true);
  h.querySelectorAll(".headerlink").forEach(e => e.remove());
  return h.textContent.replace(/\\s+/g, " ").trim();
})"""


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


def chapter_pages(path: Path) -> list[int]:
    """The first page of each chapter: what follows *Contents* in the outline."""
    with pikepdf.open(path) as pdf, pdf.open_outline() as outline:
        (book,) = outline.root
        titles = [entry.title for entry in book.children]
        chapters = book.children[titles.index("Contents") + 1 :]
        return [pikepdf.Page(c.destination[0]).index + 1 for c in chapters]


def finish(path: Path, headings: list[str], target: Path) -> int:
    """Mend the outline, and pack what is packed loosely; return the number of pages.

    Chromium writes a heading twice into the outline when it moves to a new page.
    """
    with pikepdf.open(path) as pdf:
        with pdf.open_outline() as outline:
            entries = list(outline.root)
            for entry in entries:
                entries.extend(entry.children)
                true = [h for h in headings if entry.title.startswith(h)]
                entry.title = max(true, key=len)
        pdf.docinfo["/Title"] = "Every Student Is a Task"
        pdf.save(target, object_stream_mode=pikepdf.ObjectStreamMode.generate)
        return len(pdf.pages)


def make_pdf(site: Path, target: Path) -> None:
    with (
        chromium() as browser,
        tempfile.TemporaryDirectory(dir=target.parent) as folder,
    ):
        if browser is None:
            sys.exit(f"make pdf {MISSING}")
        page = browser.new_page(viewport={"width": 642, "height": 900})  # A4's text
        page.emulate_media(media="print")
        page.set_default_timeout(3_600_000)
        page.goto(single_page(site).as_uri())
        page.evaluate(PREPARE)
        draft = Path(folder, "book.pdf")
        print_page(page, draft)
        page.evaluate(FILL, chapter_pages(draft))
        print_page(page, draft)
        finished = Path(folder, "finished.pdf")
        pages = finish(draft, page.evaluate(HEADINGS), finished)
        os.replace(finished, target)
    print(f"{pages} pages: {target.relative_to(ROOT)}")


if __name__ == "__main__":
    make_pdf(ROOT / "_build" / "singlehtml", ROOT / "_build" / "book.pdf")
