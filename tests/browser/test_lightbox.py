"""One result seen large in a browser: by click, keys and swipe, beside and over the query, and why it was found."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from search.models import Image
from tests.browser.steps import PHONE, choose, point, shown, swipe

OpenPage = Callable[..., Page]

pytestmark = pytest.mark.django_db(transaction=True)


def test_results_are_gone_through_by_keys_and_more_are_loaded(open_page: OpenPage, gallery: list[Image]) -> None:
    page = open_page(f"/?image={gallery[0].pk}&k=24")
    links, box = page.locator("#hits .tile-link"), page.locator("#lightbox")
    links.nth(22).click()
    expect(box).to_be_visible()
    expect(box.locator(".of-hit img")).to_have_js_property("complete", True)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#hits > li")).to_have_count(29)
    expect(box.get_by_role("link", name="Open its page")).to_have_attribute(
        "href", links.nth(24).get_attribute("href") or ""
    )
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Escape")
    expect(box).to_be_hidden()
    expect(links.nth(23)).to_be_focused()
    links.nth(28).press("Enter")
    expect(box.get_by_role("button", name="Next result")).to_be_hidden()
    box.get_by_role("button", name="Previous result").click()
    box.get_by_role("button", name="Close").click()
    expect(links.nth(27)).to_be_focused()


def test_copies_come_before_what_is_similar(open_page: OpenPage, gallery: list[Image]) -> None:
    page = open_page("/")
    choose(page, gallery[0].original.read_bytes())
    expect(page.get_by_role("heading", name="Exact copies")).to_be_visible()
    page.locator(".copies .tile-link").click()
    box = page.locator("#lightbox")
    expect(box.get_by_role("button", name="Previous result")).to_be_hidden()
    page.keyboard.press("ArrowRight")
    expect(box.locator(".tile-origin")).not_to_contain_text("picture 0.jpg")
    page.keyboard.press("Escape")
    expect(page.locator("#hits .tile-link").first).to_be_focused()


def test_a_result_is_laid_over_the_query_and_explained(open_page: OpenPage, gallery: list[Image]) -> None:
    page = open_page(f"/?image={gallery[0].pk}")
    page.locator("#hits .tile-link").first.click()
    box, hit, query = page.locator("#lightbox"), page.locator(".of-hit img"), page.locator(".of-query img")
    box.get_by_role("button", name="Side by side").click()
    left, right = query.bounding_box(), hit.bounding_box()
    assert left
    assert right
    assert left["x"] + left["width"] <= right["x"]
    for again in (lambda: page.keyboard.press("3"), lambda: box.get_by_role("button", name="Overlay").click()):
        again()
        expect(hit).to_have_css("opacity", "0.5")
        page.keyboard.press("1")
        expect(hit).to_have_css("opacity", "1")
    page.keyboard.press("3")
    box.get_by_label("Blend").fill("0.2")
    expect(hit).to_have_css("opacity", "0.2")
    page.keyboard.press("Tab")
    page.keyboard.press("4")
    expect(hit).to_have_css("mix-blend-mode", "difference")
    expect(hit).to_have_css("opacity", "1")
    page.keyboard.press("w")
    expect(box.locator("#why img")).to_have_count(2)
    expect(box.get_by_role("button", name="Why?")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("ArrowRight")
    expect(box.locator("#why figcaption").last).to_have_text(box.locator(".lightbox-title").inner_text())
    page.keyboard.press("Escape")
    expect(page.locator("#hits .tile-link").nth(1)).to_be_focused()


def test_marks_are_set_from_the_large_view(open_page: OpenPage, gallery: list[Image]) -> None:
    page = open_page(f"/?image={gallery[0].pk}")
    page.locator("#hits .tile-link").nth(2).click()
    page.locator("#lightbox").get_by_role("link", name="More like").click()
    expect(page.locator(".examples .chip")).to_have_count(2)
    expect(page.locator("#lightbox")).to_be_hidden()


def test_fingers_swipe_from_one_result_to_the_next(open_page: OpenPage, gallery: list[Image]) -> None:
    page = open_page(f"/?image={gallery[0].pk}", **PHONE)
    page.locator("#hits .tile-link").first.tap()
    box, stage = page.locator("#lightbox"), page.locator(".lightbox-stage")
    address = box.get_by_role("link", name="Open its page")
    for start, end, place in ((0.8, 0.2, 1), (0.8, 0.2, 2), (0.2, 0.8, 1)):
        swipe(page, point(stage, start, 0.5), [point(stage, 0.5, 0.5), point(stage, end, 0.5)])
        expect(address).to_have_attribute("href", f"/images/{shown(page)[place]}/")
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_a_click_with_a_key_opens_the_page_of_the_image(open_page: OpenPage, gallery: list[Image]) -> None:
    page = open_page(f"/?image={gallery[0].pk}")
    with page.context.expect_page() as opened:
        page.locator("#hits .tile-link").first.click(modifiers=["ControlOrMeta"])
    opened.value.wait_for_url(f"**/images/{shown(page)[0]}/")
    expect(page.locator("#lightbox")).to_be_hidden()
