"""Encoders side by side in a browser: columns, what they share, a result large, a vote without their names."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from search.models import Encoder, Image, Vote
from tests.browser.steps import PHONE

OpenPage = Callable[..., Page]

pytestmark = pytest.mark.django_db(transaction=True)


def test_two_encoders_answer_in_columns_and_mark_what_they_share(
    open_page: OpenPage, gallery: list[Image], other_encoder: Encoder
) -> None:
    page = open_page(f"/?image={gallery[0].pk}&k=12")
    page.keyboard.press("v")
    page.locator("details[data-panel=beside]").get_by_label("shapes").check()
    columns = page.locator(".beside > section")
    expect(columns).to_have_count(2)
    expect(columns.nth(0).get_by_role("heading")).to_have_text("colours")
    expect(columns.nth(1).get_by_role("heading")).to_have_text("shapes")
    found = [columns.nth(n).locator(".tile").evaluate_all("all => all.map(one => one.dataset.id)") for n in (0, 1)]
    common = set(found[0]) & set(found[1])
    assert 0 < len(common) < 12
    for n in (0, 1):
        rims = columns.nth(n).locator(".tile.is-shared").evaluate_all("all => all.map(one => one.dataset.id)")
        assert set(rims) == common
    left, right = columns.nth(0).bounding_box(), columns.nth(1).bounding_box()
    assert left
    assert right
    assert left["y"] == right["y"]
    # Large, a result is followed by the next one of its own column.
    columns.nth(1).locator(".tile-link").first.click()
    page.keyboard.press("ArrowRight")
    box = page.locator("#lightbox")
    expect(box.get_by_role("link", name="Open its page")).to_have_attribute("href", f"/images/{found[1][1]}/")
    page.keyboard.press("w")
    expect(box.locator("#why")).to_contain_text("By shapes")
    page.keyboard.press("Escape")
    expect(columns.nth(1).locator(".tile-link").nth(1)).to_be_focused()
    page.set_viewport_size(PHONE["viewport"])
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.get_by_role("link", name="Back to one encoder").click()
    expect(page.locator("#hits > li")).to_have_count(12)


def test_a_vote_is_cast_without_names_and_then_they_are_told(
    open_page: OpenPage, gallery: list[Image], other_encoder: Encoder
) -> None:
    page = open_page(f"/?image={gallery[0].pk}&beside=shapes&blind=1&k=12")
    columns = page.locator(".beside > section")
    expect(columns.get_by_role("heading")).to_have_text(["A", "B"])
    expect(columns).not_to_contain_text(["colours", "shapes"])
    assert "shapes" not in "".join(column.inner_html() for column in columns.all()).replace("beside=shapes", "")
    page.get_by_role("button", name="B", exact=True).click()
    expect(page.get_by_text("Your vote is counted.")).to_be_visible()
    assert set(columns.get_by_role("heading").all_inner_texts()) == {"colours", "shapes"}
    vote = Vote.objects.get()
    expect(page.get_by_text(f"You chose {vote.winner}.")).to_be_visible()
    page.goto("/encoders/")
    expect(page.locator("body")).to_contain_text("shapes")
