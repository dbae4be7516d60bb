"""What the tests of the book and of the slides share: a server, a browser, a visit."""

import functools
import http.server
import os
import threading
from contextlib import contextmanager

import pytest

from tools import browser as tools_browser


def do_without(reason):
    """Skip, but not on CI, where everything is there or should be."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def fresh(stamp, sources, command):
    """What was built, unless it is missing or older than one of its sources."""
    if not stamp.exists():
        do_without(f"{stamp.parent.name} is not there: {command}")
    files = [p for p in sources if p.is_file() and p.suffix != ".pyc"]
    if stamp.stat().st_mtime < max(p.stat().st_mtime for p in files):
        do_without(f"{stamp.parent.name} is older than its sources: {command}")
    return stamp.parent


@contextmanager
def served(folder):
    """The address of a server of the folder on this machine."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    handler = functools.partial(Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@contextmanager
def chromium():
    switches = "--disable-background-networking", "--no-first-run"
    with tools_browser.chromium(*switches) as browser:
        if browser is None:
            do_without(tools_browser.MISSING)
        yield browser


HOUR = 3_600_000  # milliseconds: what never comes ends; what is slow is no failure


class Visit:
    """A page in a fresh browser context, and what it asked for and complained about."""

    grave = ("error",)

    def __init__(self, browser, address, allowed, **context):
        self.context = browser.new_context(**context)
        self.page = self.context.new_page()
        self.page.set_default_timeout(HOUR)
        self.allowed, self.complaints, self.requests = allowed, [], []
        self.page.on("console", self.heard)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request))
        self.page.on("requestfailed", lambda r: self.complaints.append(r.url))
        self.page.goto(address, wait_until="load")
        self.settle()

    def heard(self, message):
        if message.type in self.grave:
            self.complaints.append(f"{message.text} ({message.location})")

    def settle(self):
        """Wait until formulas are set, where there are any."""
        self.page.evaluate("window.MathJax?.startup?.promise")

    def foreign(self):
        ours = ("data:", "blob:", "about:", self.allowed)
        return [r.url for r in self.requests if not r.url.startswith(ours)]

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.context.close()


# Each question to a page gives a list of what is wrong, empty if nothing is.
UNSET = """() => [...document.querySelectorAll(".math")]
  .filter(e => e.textContent.trim() && !e.querySelector("mjx-container"))
  .map(e => e.textContent.slice(0, 80))"""
MISSET = """() => [...document.querySelectorAll("mjx-merror, [data-mjx-error]")]
  .map(e => e.textContent)"""
BROKEN = """() => [...document.images].filter(i => !i.complete || !i.naturalWidth)
  .map(i => i.src.slice(0, 120))"""
