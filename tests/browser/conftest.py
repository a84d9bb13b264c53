"""Pages in a real Chromium, from a real server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.embeddings.conftest import installed, photos  # noqa: F401 -- the real network, for the screenshot
from tests.pictures import jpeg_bytes

expect.set_options(timeout=15_000)  # machines that run tests have other things to do
# Chromium and htmx note every answer of 400 and above, and every request that was cut off: the tests ask for some.
EXPECTED = ("Failed to load resource", "htmx:sendError", "htmx:sendAbort", "htmx:afterRequest")
SIZES = [(640, 480), (480, 640), (600, 600), (720, 405), (640, 427)]


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
        page.set_default_timeout(20_000)
        page.on("console", lambda message: note(message.type, message.text))
        page.on("pageerror", lambda error: note("error", str(error)))
        page.goto(path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert problems == []


@pytest.fixture
def gallery(encoder: Any, add_image: Callable[..., Any]) -> list[Any]:
    """Thirty pictures of different proportions, embedded in one go."""
    from search import embedding

    images = [
        add_image(
            content=jpeg_bytes(width, height, seed=n),
            embedded=False,
            label=f"family {n % 6}",
            source=f"drawn/picture {n}.jpg",
            format="JPEG",
            width=width,
            height=height,
        )
        for n, (width, height) in enumerate(SIZES * 6)
    ]
    embedding.embed(encoder, [image.pk for image in images])
    for image in images:
        image.refresh_from_db()
    return images


@pytest.fixture
def other_encoder(gallery: list[Any]) -> Any:
    """A second encoder with vectors of the gallery, which finds other neighbours than the first."""
    from search import vectors
    from search.models import Encoder

    other = Encoder.objects.create(
        name="shapes", family="fake", dim=12, spec={"input_size": 32, "n_classes": 0}, weights_sha256="1" * 64
    )
    found = np.random.default_rng(1).normal(size=(len(gallery), 12)).astype(np.float32)
    vectors.write(other, [image.pk for image in gallery], found / np.linalg.norm(found, axis=1, keepdims=True))
    return other


@pytest.fixture
def staff(django_user_model: Any) -> Any:
    """Somebody who may do everything."""
    return django_user_model.objects.create_superuser("keeper", password="kept")


@pytest.fixture
def signed_in(open_page: Callable[..., Page], live_server: Any, staff: Any, client: Any) -> Callable[..., Page]:
    """Open a page as staff."""

    def signed_in(path: str = "/", **options: Any) -> Page:
        client.force_login(staff)
        page = open_page("about:blank", **options)
        session = client.cookies["sessionid"].value
        page.context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
        page.goto(path)
        return page

    return signed_in
