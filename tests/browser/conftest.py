"""A real browser for the report: chromium, headless, and axe-core from tests/browser/node_modules
(make test installs it).
"""

import shutil
from pathlib import Path

import pytest
from browser_pages import PAGES

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
AXE = Path(__file__).with_name("node_modules") / "axe-core" / "axe.min.js"


@pytest.fixture(scope="session")
def browser():
    """Chromium as Playwright drives it, with a profile of its own that is gone afterwards."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        pytest.skip(f"no browser here ({', '.join(NAMES)}); Debian: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=list(ARGUMENTS))
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def axe():
    """axe-core's source."""
    if not AXE.is_file():
        pytest.skip("axe-core is not here; npm ci --prefix tests/browser")
    return AXE.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def page_file(tmp_path_factory):
    """name of PAGES -> the page as a file, drawn once."""
    folder, drawn = tmp_path_factory.mktemp("pages"), {}

    def file(name):
        if name not in drawn:
            drawn[name] = folder / f"{name}.html"
            drawn[name].write_text(PAGES[name](), encoding="utf-8")
        return drawn[name]

    return file


class Complaints(list):
    """What a page wrote to the console, every error it raised and every request that was not for
    itself.
    """

    def listen(self, page):
        page.on("console", lambda message: self.append(f"console {message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.append(f"error: {error}"))
        page.on(
            "request",
            lambda request: (
                self.append(f"request: {request.url[:80]}")
                if not request.url.startswith(("file://", "data:"))
                else None
            ),
        )
        page.on("requestfailed", lambda request: self.append(f"failed: {request.url[:80]}"))
        page.on("dialog", lambda dialog: self.append(f"dialog: {dialog.message}"))


@pytest.fixture
def opened(browser, page_file):
    """opened(name, hash="", js=True, dark=False, width=1280) -> the page; at the end it must have
    had nothing to complain of.
    """
    contexts, complaints = [], Complaints()

    def open_page(name, hash="", *, js=True, dark=False, width=1280, scale=1):
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            java_script_enabled=js,
            device_scale_factor=scale,
            color_scheme="dark" if dark else "light",
            accept_downloads=True,
        )
        contexts.append(context)
        page = context.new_page()
        complaints.listen(page)
        page.goto(page_file(name).as_uri() + hash)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
