"""What refines a search in a browser: filters, order, number and dataset, further pages without end, files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.cache import cache
from django.db import connection
from playwright.sync_api import Page, expect

from search.models import Dataset, Embedding, Image
from tests.browser.steps import choose, expect_results, heading, shown
from tests.pictures import jpeg_bytes

OpenPage = Callable[..., Page]

pytestmark = pytest.mark.django_db(transaction=True)


def copy_rows(n: int) -> None:
    """Fill the gallery up with n rows that share the files of its images and their vectors."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH old AS (SELECT image.*, row_number() OVER (ORDER BY id) AS place FROM search_image image),
            new AS (
                INSERT INTO search_image (dataset_id, sha256, source, file, in_place_path, thumbnail, format, width,
                                          height, n_bytes, label, tags, split, status, error_code, error_detail,
                                          n_attempts, created_at)
                SELECT dataset_id, lpad(to_hex(n), 12, '0') || substr(sha256, 13), 'copied/' || n || '.jpg', file, '',
                       thumbnail, format, width, height, n_bytes, label, tags, split, status, '', '', 0, created_at
                FROM generate_series(1, %(n)s) n JOIN old ON place = 1 + n %% (SELECT count(*) FROM old)
                RETURNING id, file
            )
            INSERT INTO search_embedding (image_id, encoder_id, dataset_id, vector)
            SELECT new.id, embedding.encoder_id, embedding.dataset_id, embedding.vector
            FROM new JOIN search_image image ON image.file = new.file AND image.id < (SELECT min(id) FROM new)
            JOIN search_embedding embedding ON embedding.image_id = image.id
            """,
            {"n": n},
        )


def scroll_until(page: Page, n: int) -> None:
    """Go to the end of the page again and again, until n results are shown."""
    for _ in range(150):
        page.keyboard.press("End")
        page.wait_for_timeout(100)
        if len(shown(page)) >= n:
            break
    expect(page.locator(".answer .tile")).to_have_count(n)


def test_each_filter_narrows_the_results_and_is_removed_by_its_chip(open_page: OpenPage, gallery: list[Image]) -> None:
    Image.objects.filter(pk__in=[image.pk for image in gallery[:9]]).update(tags=["dog"], format="PNG")
    page = open_page(f"/?image={gallery[0].pk}&k=30")
    chips = page.locator(".filters-set .chip")
    page.keyboard.press("f")
    panel = page.locator("details[data-panel=filters]")
    expect(panel.get_by_label("Words in name")).to_be_focused()
    # Those named so, of a label, tagged, in a format, upright, of a size, added today, and so alike.
    for field, value, n, chip in (
        ("words", "jpg 29", 1, "Words: jpg 29"),
        ("label", "family 3", 5, "Label: family 3"),
        ("tag", "dog", 8, "Tag: dog"),
        ("format", "PNG", 8, "Format: PNG"),
        ("orientation", "portrait", 6, "Orientation: portrait"),
        ("least", "95", None, "Similarity at least, %: 95"),
    ):
        control = panel.locator(f"[name={field}]")
        if control.evaluate("control => control.tagName") == "SELECT":
            control.select_option(value)
        else:
            control.fill(value)
            control.press("Enter")
        expect(chips).to_have_text([chip + "remove this filter"])
        expect(panel).to_have_attribute("open", "")
        assert 0 < len(shown(page)) < 29
        if n is not None:
            assert len(shown(page)) == n
        chips.first.click()
        expect(chips).to_have_count(0)
        expect(page.locator(".answer .tile")).to_have_count(29)
        page.keyboard.press("f")


def test_sizes_and_dates_narrow_together_and_are_cleared_together(open_page: OpenPage, gallery: list[Image]) -> None:
    page = open_page(f"/?image={gallery[0].pk}")
    page.locator("details[data-panel=filters] summary").click()
    sizes = page.get_by_role("group", name="Longer side, pixels")
    dates = page.get_by_role("group", name="Added")
    sizes.get_by_label("from").fill("610")
    sizes.get_by_label("from").press("Tab")
    expect(page.locator(".answer .tile")).to_have_count(23)
    sizes.get_by_label("to").fill("700")
    sizes.get_by_label("to").press("Tab")
    expect(page.locator(".answer .tile")).to_have_count(17)
    dates.get_by_label("from").fill("2020-01-01")
    dates.get_by_label("from").press("Tab")
    expect(page.locator(".filters-set .chip")).to_have_count(3)
    expect(page.locator(".answer .tile")).to_have_count(17)
    expect(page.locator("summary .count").first).to_have_text("3")
    dates.get_by_label("to").fill("2020-02-01")
    dates.get_by_label("to").press("Tab")
    expect(page.get_by_text("No image passes these filters")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("details[data-panel=filters]")).not_to_have_attribute("open", "")
    page.get_by_role("link", name="Clear filters").click()
    expect(page.locator(".answer .tile")).to_have_count(24)


def test_order_number_and_dataset_search_again_and_keep_the_focus(open_page: OpenPage, gallery: list[Image]) -> None:
    Dataset.objects.create(name="Nothing in it")
    page = open_page(f"/?image={gallery[0].pk}&k=30")
    order = page.get_by_label("Sort by")
    order.focus()
    order.select_option("largest")
    page.wait_for_url("**sort=largest**")
    expect(page.locator(".answer .tile")).to_have_count(29)
    assert page.locator(".answer .tile img").first.get_attribute("height") == "600"
    expect(page.get_by_label("Sort by")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.wait_for_url("**sort=smallest**")
    expect(page.get_by_label("Sort by")).to_be_focused()
    page.get_by_role("spinbutton", name="Results").fill("5")
    page.get_by_role("spinbutton", name="Results").press("Tab")
    expect(heading(page)).to_contain_text("5 nearest")
    page.get_by_label("Search in").select_option("Nothing in it")
    expect(heading(page)).to_have_text("Nothing found")
    assert "dataset=nothing-in-it" in page.url


def test_pages_load_by_themselves_and_every_fifth_waits(open_page: OpenPage, gallery: list[Image]) -> None:
    page = open_page(f"/?image={gallery[0].pk}&k=5")
    tiles, more = page.locator("#hits > li"), page.get_by_role("link", name="Show more")
    scroll_until(page, 25)
    page.locator(".site-footer").scroll_into_view_if_needed()
    expect(page.locator(".site-footer")).to_be_in_viewport()
    page.wait_for_timeout(200)
    expect(tiles).to_have_count(25)
    more.click()
    expect(tiles).to_have_count(29)
    expect(page.get_by_text("That was all.")).to_be_visible()
    assert len(set(shown(page))) == 29


def test_results_go_on_past_the_first_thousand(open_page: OpenPage, gallery: list[Image]) -> None:
    copy_rows(1010)
    assert Embedding.objects.count() == 1040
    page = open_page(f"/?image={gallery[0].pk}&k=260")
    expect(heading(page)).to_have_text("260 nearest of 1,039 images")
    scroll_until(page, 1039)
    assert len(set(shown(page))) == 1039
    expect(page.get_by_text("That was all.")).to_be_visible()


def test_results_are_downloaded_and_more_are_not_shown_of_a_picture_that_is_gone(
    open_page: OpenPage, gallery: list[Image]
) -> None:
    page = open_page("/")
    choose(page, jpeg_bytes(640, 480, seed=0))
    expect_results(page)
    for kind, lines in (("CSV", 31), ("JSON", None)):
        page.locator("details[data-panel=download] summary").click()
        with page.expect_download() as download:
            page.get_by_role("link", name=kind, exact=True).click()
        text = Path(download.value.path()).read_text()
        assert download.value.suggested_filename == f"results.{kind.lower()}"
        assert len(text.splitlines()) == lines if lines else len(json.loads(text)["hits"]) == 30
        page.keyboard.press("Escape")
    cache.clear()
    page.get_by_role("link", name="Show more").click()
    expect(page.get_by_role("status").first).to_contain_text("kept for an hour")


def test_a_date_is_typed_to_its_end_and_counts_when_its_field_is_left(
    open_page: OpenPage, gallery: list[Image]
) -> None:
    page = open_page(f"/?image={gallery[0].pk}")
    page.keyboard.press("f")
    since = page.locator("#id_since")
    since.focus()
    page.keyboard.type("01022025", delay=30)
    page.wait_for_timeout(300)
    assert "since=" not in page.url
    expect(since).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".filters-set .chip")).to_have_count(1)
    assert "since=2025-01-02" in page.url


def test_a_field_of_a_panel_keeps_the_focus_while_the_results_change(open_page: OpenPage, gallery: list[Image]) -> None:
    page = open_page(f"/?image={gallery[0].pk}")
    page.keyboard.press("f")
    kind = page.locator("#id_format")
    kind.focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator(".filters-set .chip")).to_have_count(1)
    expect(page.locator("details[data-panel=filters]")).to_have_attribute("open", "")
    expect(page.locator("#id_format")).to_be_focused()


def test_who_asks_for_more_by_a_key_goes_on_at_the_first_new_result(open_page: OpenPage, gallery: list[Image]) -> None:
    copy_rows(160)
    page = open_page(f"/?image={gallery[0].pk}&k=24&offset=96")
    more = page.get_by_role("link", name="Show more")
    more.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".answer .tile")).to_have_count(48)
    expect(page.locator(".answer .tile").nth(24).locator("a").first).to_be_focused()
    expect(page.locator("#status")).to_have_text("24 more results")


def test_who_comes_back_from_a_result_finds_it_where_it_was(open_page: OpenPage, gallery: list[Image]) -> None:
    copy_rows(160)
    page = open_page(f"/?image={gallery[0].pk}&k=24")
    scroll_until(page, 96)
    tile = page.locator(".answer .tile").nth(80)
    name = tile.get_attribute("data-id")
    tile.scroll_into_view_if_needed()
    page.wait_for_load_state("networkidle")
    page.goto(tile.locator(".tile-link").get_attribute("href") or "")
    page.go_back()
    expect(page.locator(".answer .tile").nth(80)).to_have_attribute("data-id", name or "")
    expect(page.locator(".answer .tile").nth(80)).to_be_in_viewport()
    assert "shown=" in page.url
    # The number of results that was chosen stays what it was.
    expect(page.locator("#id_k")).to_have_value("24")
