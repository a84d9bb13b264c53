"""What visitors do in many tests: choosing, dropping, drawing; and what is looked at afterwards."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any

from playwright.sync_api import FilePayload, Locator, Page, expect

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
DARK = {"color_scheme": "dark"}


def as_file(content: bytes, name: str = "query.jpg", kind: str = "image/jpeg") -> FilePayload:
    return {"name": name, "mimeType": kind, "buffer": content}


def choose(page: Page, *contents: bytes, **options: Any) -> None:
    page.locator("#id_picture").set_input_files([as_file(content, **options) for content in contents])


def drop(page: Page, content: bytes, name: str = "query.jpg", kind: str = "image/jpeg") -> None:
    """Drop a file on the header of the page."""
    transfer = page.evaluate_handle(
        """([encoded, name, type]) => {
            const bytes = Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], name, {type}));
            return transfer;
        }""",
        [base64.b64encode(content).decode(), name, kind],
    )
    for event in ("dragenter", "dragover", "drop"):
        page.dispatch_event("header", event, {"dataTransfer": transfer})


def heading(page: Page) -> Locator:
    return page.get_by_role("heading", level=1)


def expect_results(page: Page) -> None:
    expect(heading(page)).to_have_text("24 nearest of 30 images")
    expect(page.locator(".answer .tile")).to_have_count(24)


def shown(page: Page) -> list[str]:
    """Return the ids of the images that are shown, in their order."""
    return page.locator(".answer .tile").evaluate_all("tiles => tiles.map((tile) => tile.dataset.id)")


def point(locator: Locator, across: float, down: float) -> tuple[float, float]:
    """Return where a fraction of an element lies in the window."""
    box = locator.bounding_box()
    assert box
    return box["x"] + across * box["width"], box["y"] + down * box["height"]


def drag(page: Page, start: tuple[float, float], *stops: tuple[float, float]) -> None:
    """Press the button of the mouse at a place, go to others, and let it go at the last."""
    page.mouse.move(*start)
    page.mouse.down()
    for stop in stops:
        page.mouse.move(*stop, steps=4)
    page.mouse.up()


def swipe(page: Page, start: tuple[float, float], stops: Iterable[tuple[float, float]]) -> None:
    """Do with a finger what `drag` does with the mouse."""
    touch = page.context.new_cdp_session(page)
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": start[0], "y": start[1]}]})
    for x, y in stops:
        touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": x, "y": y}]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    touch.detach()


WATCH_SHIFTS = """() => {
    window.shifts = 0;
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) window.shifts += entry.value;
    }).observe({type: "layout-shift"});
}"""


def shift_of(page: Page) -> float:
    """Return how much the page has moved since WATCH_SHIFTS was run in it, also right after a click or a key."""
    page.wait_for_load_state("networkidle")
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return page.evaluate("window.shifts")
