"""More like this and less like this in a browser: by mouse and by keys, how much each counts, and the way back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from search.models import Image
from tests.browser.steps import PHONE, heading, shown

OpenPage = Callable[..., Page]

pytestmark = pytest.mark.django_db(transaction=True)


def test_marks_are_set_weighed_and_removed_by_mouse(open_page: OpenPage, gallery: list[Image]) -> None:
    page = open_page(f"/?image={gallery[0].pk}")
    chips, tiles = page.locator(".examples .chip"), page.locator("#hits > li")
    first = shown(page)
    tiles.nth(4).hover()
    tiles.nth(4).get_by_title("More like this").click()
    expect(chips).to_have_count(2)
    expect(heading(page)).to_have_text("24 nearest of 28 images")
    expect(heading(page)).to_be_focused()
    tiles.nth(2).hover()
    tiles.nth(2).get_by_title("Less like this").click()
    expect(chips).to_have_count(3)
    expect(page.locator(".chip.is-unwanted")).to_have_count(1)
    assert f"image={first[4]}" in page.url
    before = shown(page)
    chips.nth(1).get_by_title("How much it counts").click()
    expect(chips.nth(1)).to_contain_text("×2")
    assert shown(page) != before
    page.go_back()
    expect(chips.nth(1)).to_contain_text("×1")
    assert shown(page) == before
    for n in (2, 1):
        chips.nth(1).get_by_role("link", name="Remove from the search").click()
        expect(chips).to_have_count(n if n > 1 else 0)
    assert shown(page) == first


def test_marks_are_set_by_keys_and_back_takes_them_away(open_page: OpenPage, gallery: list[Image]) -> None:
    page = open_page(f"/?image={gallery[0].pk}")
    chips = page.locator(".examples .chip")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("+")
    expect(chips).to_have_count(2)
    page.keyboard.press("j")
    page.keyboard.press("-")
    expect(chips).to_have_count(3)
    expect(page.locator(".chip.is-unwanted")).to_have_count(1)
    page.go_back()
    expect(chips).to_have_count(2)
    page.go_back()
    expect(chips).to_have_count(0)


def test_going_back_twice_in_haste_shows_the_page_of_the_address(open_page: OpenPage, gallery: list[Image]) -> None:
    page = open_page(f"/?image={gallery[0].pk}")
    chips, tiles = page.locator(".examples .chip"), page.locator("#hits > li")
    for place in (4, 2):
        before = chips.count()
        tiles.nth(place).hover()
        tiles.nth(place).get_by_title("More like this").click()
        expect(chips).not_to_have_count(before)
    held: list[Route] = []
    page.route("**/htmx*.js", lambda route: held.append(route))  # the page is read, and nothing listens yet
    page.go_back(wait_until="commit")
    expect(chips).to_have_count(2)
    page.go_back(wait_until="commit")
    for one in held:
        one.continue_()
    page.unroute("**/htmx*.js")
    expect(chips).to_have_count(0)


def test_marks_can_be_touched_and_kept_by_who_is_signed_in(signed_in: OpenPage, gallery: list[Image]) -> None:
    page = signed_in(f"/?image={gallery[0].pk}", **PHONE)
    page.locator("#hits > li").nth(1).get_by_title("More like this").tap()
    expect(page.locator(".examples .chip")).to_have_count(2)
    page.get_by_role("button", name="Keep these marks").tap()
    expect(page.get_by_text("marks are kept.")).to_be_visible()
