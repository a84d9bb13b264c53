"""A part of the query picture in a browser: drawn, moved and resized by mouse, finger and keys, and what follows it."""

from __future__ import annotations

import re
from collections.abc import Callable
from io import BytesIO

import pytest
from PIL import Image as Picture
from PIL import ImageDraw
from playwright.sync_api import Page, Route, expect

from search.models import Image
from tests.browser.steps import PHONE, WATCH_SHIFTS, choose, drag, expect_results, point, shift_of, shown, swipe
from tests.pictures import jpeg_bytes

OpenPage = Callable[..., Page]

pytestmark = pytest.mark.django_db(transaction=True)


def expect_crop(page: Page, *expected: float, within: float = 0.03) -> None:
    """Wait until the address names this part: x, y, width, height as fractions; or none."""
    page.wait_for_function(
        """([expected, within]) => {
            const crop = new URLSearchParams(location.search).get("crop")?.split(",").map(Number) ?? [];
            return crop.length === expected.length && crop.every((one, n) => Math.abs(one - expected[n]) < within);
        }""",
        arg=[expected, within],
    )


def test_a_part_is_drawn_moved_and_resized_by_mouse_and_results_follow(
    open_page: OpenPage, gallery: list[Image]
) -> None:
    page = open_page(f"/?image={gallery[0].pk}&image={gallery[7].pk}~2")
    page.evaluate("document.querySelector('.query').isTheSame = true")
    page.evaluate(WATCH_SHIFTS)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "crop=" in request.url else None)
    whole, cropper = shown(page), page.locator("#preview")
    with page.expect_response(re.compile("crop=")):
        drag(page, point(cropper, 0.1, 0.1), point(cropper, 0.3, 0.4), point(cropper, 0.6, 0.6))
    expect_crop(page, 0.1, 0.1, 0.5, 0.5)
    page.wait_for_function("before => document.querySelector('.answer .tile').dataset.id !== before", arg=whole[0])
    drag(page, point(cropper, 0.3, 0.3), point(cropper, 0.5, 0.5))
    expect_crop(page, 0.3, 0.3, 0.5, 0.5)
    drag(page, point(cropper, 0.8, 0.8), point(cropper, 0.9, 0.5))
    expect_crop(page, 0.3, 0.3, 0.6, 0.2)
    # A click is no part; what is there stays.
    drag(page, point(cropper, 0.1, 0.9), point(cropper, 0.101, 0.9))
    expect_crop(page, 0.3, 0.3, 0.6, 0.2)
    assert shift_of(page) < 0.01
    assert page.evaluate("document.querySelector('.query').isTheSame")
    # What stands beside the picture goes on with the part as it is.
    page.get_by_role("link", name="counts ×2").click()
    expect(page.get_by_role("link", name="counts ×3")).to_be_visible()
    expect_crop(page, 0.3, 0.3, 0.6, 0.2)
    page.reload()
    expect(page.locator(".crop-frame")).to_be_visible()
    page.get_by_role("link", name="Whole picture").click()
    expect_crop(page)
    expect(page.locator(".crop-frame")).to_have_count(0)


def test_results_come_while_a_part_moves_and_the_last_ones_are_those_of_its_last_place(
    open_page: OpenPage, gallery: list[Image]
) -> None:
    page = open_page("/")
    choose(page, jpeg_bytes(640, 480, seed=0))
    expect_results(page)
    held: list[Route] = []
    asked: list[str] = []

    def slowly(route: Route) -> None:
        asked.append(route.request.url)
        if len(asked) == 1:
            held.append(route)
        else:
            route.continue_()

    page.route(re.compile(r"/\?.*crop="), slowly)
    cropper = page.locator("#preview")
    page.mouse.move(*point(cropper, 0.1, 0.1))
    page.mouse.down()
    page.mouse.move(*point(cropper, 0.5, 0.5), steps=3)
    page.wait_for_function("() => location.search.includes('crop=')")
    for across in (0.6, 0.7, 0.8):
        page.mouse.move(*point(cropper, across, 0.9), steps=2)
        page.wait_for_timeout(120)
    assert len(asked) == 1
    held[0].continue_()
    with page.expect_response(re.compile("crop=")):
        page.mouse.up()
    expect_crop(page, 0.1, 0.1, 0.7, 0.8)
    expect(page.locator("#refine input[name=crop]")).to_have_value(page.url.partition("crop=")[2].replace("%2C", ","))
    assert asked[-1] == page.url


def test_a_part_is_drawn_and_moved_by_a_finger(open_page: OpenPage, gallery: list[Image]) -> None:
    page = open_page(f"/?image={gallery[0].pk}", **PHONE)
    cropper = page.locator("#preview")
    with page.expect_response(re.compile("crop=")):
        swipe(page, point(cropper, 0.4, 0.2), [point(cropper, 0.5, 0.5), point(cropper, 0.6, 0.8)])
    frame = page.locator(".crop-frame")
    before = frame.bounding_box()
    x, y = point(frame, 0.5, 0.5)
    with page.expect_response(re.compile("crop=")):
        swipe(page, (x, y), [(x - 20, y), (x - 30, y - 10)])
    after = frame.bounding_box()
    assert before
    assert after
    assert (after["x"], after["y"]) == pytest.approx((before["x"] - 30, before["y"] - 10), abs=2)
    assert page.evaluate("scrollY") == 0


def test_a_part_is_made_moved_resized_and_removed_by_keys(open_page: OpenPage, gallery: list[Image]) -> None:
    page = open_page(f"/?image={gallery[0].pk}")
    whole = shown(page)
    page.keyboard.press("c")
    expect(page.locator(".crop-frame")).to_be_focused()
    expect_crop(page, 0.2, 0.2, 0.6, 0.6)
    for key in ("ArrowLeft", "ArrowLeft", "ArrowUp", "Shift+ArrowLeft", "Shift+ArrowLeft", "Shift+ArrowDown"):
        page.keyboard.press(key)
    expect_crop(page, 0.16, 0.18, 0.56, 0.62)
    expect(page.locator(".crop-frame")).to_be_focused()
    page.wait_for_load_state("networkidle")
    page.keyboard.press("Delete")
    expect_crop(page)
    expect(page.get_by_role("button", name="Search a part")).to_be_focused()
    page.wait_for_function("first => document.querySelector('.answer .tile').dataset.id === first", arg=whole[0])
    assert shown(page) == whole


def test_parts_worth_a_search_are_offered_and_clicked(open_page: OpenPage, gallery: list[Image]) -> None:
    picture = Picture.new("RGB", (640, 480), "white")
    ImageDraw.Draw(picture).ellipse((400, 60, 560, 220), fill="red")
    content = BytesIO()
    picture.save(content, "PNG")
    page = open_page("/")
    choose(page, content.getvalue(), kind="image/png")
    region = page.get_by_role("link", name="Search for part 1 of the picture")
    region.focus()
    page.keyboard.press("Enter")
    expect_crop(page, 400 / 640, 60 / 480, 160 / 640, 160 / 480, within=0.06)
    expect(page.locator(".crop-frame")).to_be_visible()
    expect(region).to_be_hidden()
    page.get_by_role("link", name="Whole picture").click()
    region.locator("circle").click()
    expect(page.locator(".crop-frame")).to_be_visible()
