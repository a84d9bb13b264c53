"""Several results at once in a browser: chosen singly, by range and all, sent as a file, labelled and unlabelled."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from search.models import Image
from tests.browser.steps import shown

OpenPage = Callable[..., Page]

pytestmark = pytest.mark.django_db(transaction=True)


def test_results_are_chosen_and_sent_as_a_file(open_page: OpenPage, gallery: list[Image]) -> None:
    page = open_page(f"/?image={gallery[0].pk}")
    bar, boxes, count = page.locator("#selection"), page.locator("[name=chosen]"), page.locator(".selection-count")
    expect(bar).to_be_hidden()
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(bar).to_be_visible()
    expect(bar).to_be_in_viewport()
    expect(count).to_have_text("1")
    boxes.nth(2).click()
    boxes.nth(6).click(modifiers=["Shift"])
    expect(count).to_have_text("6")
    with page.expect_download() as download:
        bar.get_by_role("button", name="CSV").click()
    lines = Path(download.value.path()).read_text().splitlines()
    assert download.value.suggested_filename == "selection.csv"
    ids = shown(page)
    assert [line.split(",")[0] for line in lines[1:]] == [ids[place] for place in (0, 2, 3, 4, 5, 6)]
    bar.get_by_role("button", name="All").click()
    expect(count).to_have_text("24")
    bar.get_by_role("button", name="None").click()
    expect(bar).to_be_hidden()


def test_staff_label_several_images_and_take_it_back(signed_in: OpenPage, gallery: list[Image]) -> None:
    page = signed_in(f"/?image={gallery[0].pk}")
    labels = page.locator(".tile-label")
    before = labels.all_inner_texts()
    for place in (0, 1):
        page.locator("[name=chosen]").nth(place).check()
    bar = page.locator("#selection")
    bar.locator("details[data-panel=label] summary").click()
    bar.get_by_label("Label", exact=True).fill("spring")
    bar.get_by_role("button", name="Give this label").click()
    expect(page.get_by_text("2 images are labelled “spring” now.")).to_be_visible()
    assert labels.all_inner_texts() == ["spring", "spring", *before[2:]]
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("2 images have their old labels again.")).to_be_visible()
    assert labels.all_inner_texts() == before


def test_enter_takes_no_label_off(signed_in: OpenPage, gallery: list[Image]) -> None:
    page = signed_in(f"/datasets/{gallery[0].dataset.slug}/")
    box = page.locator(".tile-select input").first
    box.check()
    box.press("Enter")
    expect(page.get_by_text("Nothing was changed. Write a label or tags")).to_be_visible()
    page.locator(".tile-select input").first.check()
    bar = page.locator("#selection")
    bar.locator("details[data-panel=describe] summary").click()
    bar.get_by_label("Tags, with commas between them").fill("spring, garden")
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 image is tagged spring, garden now.")).to_be_visible()
    assert not Image.objects.filter(label="").exists()


def test_on_a_phone_the_panels_of_the_bar_are_on_the_screen(signed_in: OpenPage, gallery: list[Image]) -> None:
    page = signed_in(f"/datasets/{gallery[0].dataset.slug}/", viewport={"width": 390, "height": 844})
    page.locator(".tile-select input").first.check()
    bar = page.locator("#selection")
    for panel in bar.locator("details.panel").all():
        panel.locator("summary").click()
        frame = panel.locator(".panel-body").bounding_box()
        assert frame
        assert 0 <= frame["x"] <= frame["x"] + frame["width"] <= 390
        assert frame["y"] >= 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
