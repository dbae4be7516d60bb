"""Chromium, wherever it is: under a name that systems give it, or Playwright's own."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = "needs Chromium: .venv/bin/playwright install chromium"


@contextmanager
def chromium(*switches: str) -> Iterator[Browser | None]:
    """A browser, started with ``switches``; None if there is none."""
    with sync_playwright() as playwright:
        kind = playwright.chromium
        own = kind.executable_path if Path(kind.executable_path).exists() else None
        path = next(filter(None, map(shutil.which, NAMES)), own)
        if path is None:
            yield None
            return
        browser = kind.launch(executable_path=path, args=["--no-sandbox", *switches])
        yield browser
        browser.close()
