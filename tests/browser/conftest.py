"""A real Chromium in front of a real server. Without a browser these tests are left out, or fail where CI is set."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from imgsim_site import chromium
from tests.embeddings.conftest import installed, photos  # noqa: F401 -- the real network, for the screenshot

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Chromium and htmx note every answer of 400 and above, and every request that was cut off: the tests ask for some.
EXPECTED = ("Failed to load resource", "htmx:sendError", "htmx:afterRequest")
# Playwright keeps an event loop running in this thread, which Django takes for an async context.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = chromium.find()
    if path is None:
        reason = f"Chromium was not found. {chromium.HOW_TO}"
        if os.environ.get("CI", "") not in {"", "false"}:
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


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
