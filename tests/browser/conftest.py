"""Pages in a real Chromium, from a real server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.embeddings.conftest import installed, photos  # noqa: F401 -- the real network, for the screenshot

# Chromium and htmx note every answer of 400 and above, and every request that was cut off: the tests ask for some.
EXPECTED = ("Failed to load resource", "htmx:sendError", "htmx:afterRequest")


@pytest.fixture
def open_page(browser: Browser, live_server: Any) -> Iterator[Callable[..., Page]]:
    """Open a page of the site: `open_page("/", color_scheme="dark")`. Fails where the console showed an error."""
    contexts: list[BrowserContext] = []
    problems: list[str] = []

    def note(kind: str, text: str) -> None:
        if kind in {"error", "warning"} and not text.startswith(EXPECTED):
            problems.append(text)

    def open_page(path: str = "/", **options: Any) -> Page:
        context = browser.new_context(base_url=live_server.url, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda message: note(message.type, message.text))
        page.on("pageerror", lambda error: note("error", str(error)))
        page.goto(path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert problems == []
