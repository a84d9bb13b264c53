"""Duplicates of a dataset in a browser: compared beside and over each other, decided by keys, and undone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from search.models import Dataset, Image
from search.reviewing import running
from search.work.progress import Bars
from tests.browser.steps import PHONE
from tests.pictures import photo, saved

OpenPage = Callable[..., Page]
AddImage = Callable[..., Image]

pytestmark = pytest.mark.django_db(transaction=True)


def add_group(add_image: AddImage, seed: int, names: tuple[str, ...], **fields: str) -> None:
    """Add a picture in several sizes and formats, the first the largest."""
    for place, name in enumerate(names):
        picture = photo(480 // (place + 1), 360 // (place + 1), seed)
        kind = "JPEG" if name.endswith("jpg") else "PNG"
        facts = {"width": picture.width, "height": picture.height, "format": kind, "source": name, **fields}
        add_image(content=saved(picture, kind), **facts)


def test_duplicates_are_compared_and_decided_by_keys(
    signed_in: OpenPage, add_image: AddImage, dataset: Dataset
) -> None:
    add_group(add_image, 1, ("beach.png", "beach copy.jpg", "beach small.jpg"))
    add_group(add_image, 2, ("dune.png", "dune (1).jpg"))
    running.carry_out(running.begin(dataset), Bars(quiet=True))
    page = signed_in("/datasets/colours/duplicates/")
    groups, box = page.locator(".twin-group"), page.locator("#lightbox")
    expect(groups).to_have_count(2)

    groups.first.locator(".tile-link").nth(1).press("Enter")
    left, right = box.locator(".of-query img"), box.locator(".of-hit img")
    expect(left).to_have_attribute("alt", "beach.png")
    expect(right).to_be_visible()
    assert (left.bounding_box() or {})["x"] < (right.bounding_box() or {})["x"]
    page.keyboard.press("3")
    expect(right).to_have_css("opacity", "0.5")
    page.keyboard.press("w")  # there is nothing to explain
    expect(box.get_by_role("button", name="Overlay")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("ArrowRight")
    expect(box.locator(".lightbox-title")).to_have_text("beach small.jpg")
    expect(box.get_by_role("button", name="Next result")).to_be_hidden()
    page.keyboard.press("Escape")
    expect(groups.first.locator(".tile-link").nth(2)).to_be_focused()

    groups.first.get_by_role("radio").first.focus()
    page.keyboard.press("ArrowDown")
    expect(groups.first.get_by_role("radio").nth(1)).to_be_checked()
    page.keyboard.press("Enter")
    expect(page.get_by_text("2 images are in the trash, for a day.")).to_be_visible()
    expect(groups).to_have_count(1)
    page.get_by_role("button", name="Undo").press("Enter")
    expect(page.get_by_text("The decision is undone. 2 images are back.")).to_be_visible()
    expect(groups).to_have_count(2)


def test_it_works_without_scripts_and_fits_a_phone(signed_in: OpenPage, add_image: AddImage, dataset: Dataset) -> None:
    add_group(add_image, 1, ("beach.png", "beach copy.jpg"))
    add_group(add_image, 2, ("dune.png", "dune (1).jpg"))
    running.carry_out(running.begin(dataset), Bars(quiet=True))
    page = signed_in("/datasets/colours/duplicates/", java_script_enabled=False, **PHONE)
    page.locator(".tile-link").nth(1).click()
    page.get_by_role("link", name="Overlay").click()
    expect(page.locator(".compared img").last).to_have_css("opacity", "0.5")
    page.go_back()
    page.go_back()
    page.get_by_role("button", name="Apply the suggestion to all on this page").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Put 2 images into the trash?")
    page.get_by_role("button", name="Put them into the trash").click()
    expect(page.get_by_role("heading", name="No duplicates wait for a decision")).to_be_visible()
    page.get_by_role("link", name="2 decisions").click()
    expect(page.locator("tbody tr")).to_have_count(2)
