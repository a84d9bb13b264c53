"""The pages of evaluations in a browser: the map by mouse and by keyboard, tables, what a hit is worth."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command
from playwright.sync_api import Page, expect

from search import vectors
from search.models import Encoder, Evaluation, Image
from tests.pictures import jpeg_bytes

AddImage = Callable[..., Image]
OpenPage = Callable[..., Page]

pytestmark = pytest.mark.django_db(transaction=True)
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}


@pytest.fixture
def evaluated(encoder: Encoder, add_image: AddImage) -> Evaluation:
    """Forty-eight pictures of four labels with vectors that overlap, evaluated."""
    images = [
        add_image(content=jpeg_bytes(120, 90, seed=n), label=f"family {n % 4}", source=f"drawn/picture {n}.jpg")
        for n in range(48)
    ]
    found = np.random.default_rng(0).normal(size=(48, 12)) + 1.7 * np.eye(4, 12)[np.arange(48) % 4]
    vectors.write(encoder, [image.pk for image in images], found.astype(np.float32))
    call_command("evaluate_search", dataset="colours")
    return Evaluation.objects.get()


def test_pointing_at_the_map_shows_the_picture_and_a_click_searches_for_it(
    open_page: OpenPage, evaluated: Evaluation
) -> None:
    page = open_page(f"/evaluations/{evaluated.pk}/")
    points = page.locator("[data-map] a")
    expect(points).to_have_count(48)
    points.nth(5).hover()
    shown = page.locator(".map-picture")
    expect(shown).to_be_visible()
    expect(shown.locator("img")).to_have_js_property("complete", True)
    label = points.nth(5).locator("title").text_content()
    expect(shown.locator("span")).to_have_text(label or "")
    # Those of its label stay, the others are dimmed.
    assert page.locator("[data-map] a.is-like").count() == 12
    points.nth(5).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("24 nearest of")
    expect(page.locator(".tile-worth").first).to_contain_text("likely the same")


def test_the_map_is_walked_by_keyboard(open_page: OpenPage, evaluated: Evaluation) -> None:
    page = open_page(f"/evaluations/{evaluated.pk}/")
    page.locator("[data-map] a[tabindex='0']").focus()
    first = page.evaluate("document.activeElement.getAttribute('href')")
    expect(page.locator(".map-picture")).to_be_visible()
    for key in ("ArrowRight", "ArrowLeft", "ArrowUp", "ArrowDown"):
        page.keyboard.press(key)
    assert page.evaluate("document.activeElement.closest('[data-map]') !== null")
    assert page.locator("[data-map] a[tabindex='0']").count() == 1
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowUp")
    assert page.evaluate("document.activeElement.getAttribute('href')") != first
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("nearest of")


@pytest.mark.parametrize(
    "options",
    [{}, pytest.param({"color_scheme": "dark"}, marks=pytest.mark.thorough), PHONE],
    ids=["light", "dark", "phone"],
)
def test_pages_fit_their_window_and_break_no_rule(
    open_page: OpenPage, evaluated: Evaluation, options: dict[str, Any]
) -> None:
    page = open_page(f"/evaluations/{evaluated.pk}/", **options)
    for path in (f"/evaluations/{evaluated.pk}/", "/datasets/colours/comparison/", "/encoders/colours/"):
        page.goto(path)
        width = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert width[0] <= width[1], path


def test_a_table_is_sorted_by_the_head_of_its_columns(
    open_page: OpenPage, evaluated: Evaluation, tmp_path: Path
) -> None:
    page = open_page("/datasets/colours/comparison/")
    expect(page.locator("th[aria-sort]")).to_have_text("mAP")
    page.get_by_role("link", name="Latency, ms").click()
    expect(page.locator("th[aria-sort='ascending']")).to_have_text("Latency, ms")
    with page.expect_download() as download:
        page.get_by_role("link", name="Report").click()
    report = tmp_path / "report.html"
    download.value.save_as(report)
    page.goto(report.as_uri())
    expect(page.get_by_role("heading", level=1)).to_have_text("Which encoder is best for Colours?")
    expect(page.locator(".plot svg").first).to_be_visible()


def test_without_javascript_the_map_still_leads_to_searches(open_page: OpenPage, evaluated: Evaluation) -> None:
    page = open_page(f"/evaluations/{evaluated.pk}/", java_script_enabled=False)
    page.locator("[data-map] a").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("24 nearest of")
