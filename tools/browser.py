"""Where Chromium is, under the names that systems give it."""

import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_browser() -> str | None:
    """The path of the first that is installed; None if there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)
