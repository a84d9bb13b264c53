"""Every way in for pictures: chosen, dropped, pasted, several at once, by link, by camera, without scripts."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from search.models import Image
from tests.browser.steps import PHONE, as_file, choose, drop, expect_results, heading, shown
from tests.pictures import jpeg_bytes

OpenPage = Callable[..., Page]

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_chosen_picture_gives_results_and_an_address_and_back_leads_back(
    open_page: OpenPage, gallery: list[Image]
) -> None:
    page = open_page("/")
    choose(page, jpeg_bytes(640, 480, seed=0))
    expect_results(page)
    assert "?q=" in page.url
    expect(page.locator(".tile-number").first).to_have_text("1.000")
    page.reload()
    expect_results(page)
    page.locator(".answer .tile-link").first.click()
    page.get_by_role("link", name="Open its page").click()
    expect(heading(page)).to_have_text("picture 0.jpg")
    page.go_back()
    expect_results(page)
    page.go_back()
    expect(heading(page)).to_have_text("Find the pictures that look like yours.")


def test_the_picture_is_shown_before_the_server_has_answered(open_page: OpenPage, gallery: list[Image]) -> None:
    page = open_page("/")
    held: list[Route] = []
    page.route("**/", lambda route: held.append(route) if route.request.method == "POST" else route.continue_())
    choose(page, jpeg_bytes(640, 480, seed=0))
    expect(page.locator("#preview")).to_be_visible()
    assert (page.locator("#preview").get_attribute("src") or "").startswith("blob:")
    held[0].abort()
    expect(page.get_by_role("alert")).to_have_text("The server cannot be reached. Try again in a moment.")
    expect(page.locator("#preview")).to_be_hidden()


def test_pictures_are_dropped_pasted_and_dragged_from_the_results(open_page: OpenPage, gallery: list[Image]) -> None:
    page = open_page("/")
    drop(page, jpeg_bytes(640, 480, seed=3))
    expect_results(page)
    drop(page, jpeg_bytes(480, 640, seed=1))
    expect(page.locator(".tile-origin").first).to_contain_text("picture 1.jpg")
    page.evaluate(
        """async () => {
            const canvas = Object.assign(document.createElement("canvas"), {width: 64, height: 48});
            canvas.getContext("2d").fillRect(0, 0, 32, 48);
            const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
            const clipboardData = new DataTransfer();
            clipboardData.items.add(new File([blob], "image.png", {type: "image/png"}));
            document.dispatchEvent(new ClipboardEvent("paste", {clipboardData, bubbles: true}));
        }"""
    )
    expect(page.locator(".query-facts")).to_contain_text("PNG · 64 × 48")
    # A result that is dragged onto the query is searched with as it is: nothing is uploaded again.
    dragged = page.locator("#hits > li").nth(3)
    number = dragged.get_attribute("data-id")
    dragged.locator("img").drag_to(page.locator(".query-picture"))
    page.wait_for_url(f"**/?image={number}")
    expect(heading(page)).to_have_text("24 nearest of 29 images")


def test_a_search_by_words_takes_a_picture_too_and_refuses_what_is_none(
    open_page: OpenPage, gallery: list[Image]
) -> None:
    page = open_page("/?words=family")
    expect(page.locator("#hits > li")).to_have_count(24)
    drop(page, b"%PDF-1.7\n" + b" " * 900, name="paper.pdf", kind="application/pdf")
    expect(page.get_by_role("alert")).to_contain_text("PDF")
    expect(page.locator("#hits > li")).to_have_count(24)
    drop(page, jpeg_bytes(640, 480, seed=3))
    expect_results(page)
    assert "words" not in page.url


def test_a_link_to_an_image_of_this_site_is_searched_with_and_a_folder_is_refused(
    open_page: OpenPage, gallery: list[Image], tmp_path: Path
) -> None:
    page = open_page("/")
    page.evaluate(
        """(path) => {
            const transfer = new DataTransfer();
            transfer.setData("text/uri-list", new URL(path, location.href).href);
            document.dispatchEvent(new DragEvent("drop", {dataTransfer: transfer}));
        }""",
        f"/images/{gallery[2].pk}/",
    )
    page.wait_for_url(f"**/?image={gallery[2].pk}")
    expect(heading(page)).to_have_text("24 nearest of 29 images")
    before = shown(page)
    # Only a real drag has a real folder in it.
    hand = page.context.new_cdp_session(page)
    carried = {"items": [], "files": [str(tmp_path)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        hand.send("Input.dispatchDragEvent", {"type": kind, "x": 300, "y": 300, "data": carried})
    expect(page.get_by_role("alert")).to_contain_text("That was a folder. Open it and drop pictures from it")
    assert shown(page) == before
    expect(page.locator("html.is-dropping")).to_have_count(0)


def test_several_pictures_are_one_search_and_one_more_can_be_added(open_page: OpenPage, gallery: list[Image]) -> None:
    page = open_page("/")
    choose(page, jpeg_bytes(640, 480, seed=0), jpeg_bytes(480, 640, seed=1))
    expect_results(page)
    chips = page.locator(".examples .chip")
    expect(chips).to_have_count(2)
    page.get_by_label("Add it to this search").check()
    choose(page, jpeg_bytes(600, 600, seed=2))
    expect(chips).to_have_count(3)
    expect(page.get_by_label("Add it to this search")).not_to_be_checked()
    chips.first.get_by_role("link", name="Remove from the search").click()
    expect(chips).to_have_count(2)
    choose(page, jpeg_bytes(600, 600, seed=2))
    expect(chips).to_have_count(0)
    expect(page.locator(".tile-origin").first).to_contain_text("picture 2.jpg")
    page.locator("#id_picture").set_input_files([as_file(jpeg_bytes(seed=n), f"{n}.jpg") for n in range(9)])
    expect(page.get_by_role("alert")).to_have_text("Choose 8 pictures at most.")
    expect_results(page)


def test_a_camera_is_offered_to_fingers_and_links_where_they_are_allowed(
    open_page: OpenPage, gallery: list[Image], settings: Any
) -> None:
    desktop, phone = open_page("/"), open_page("/", **PHONE)
    expect(desktop.get_by_text("Take a photo")).to_be_hidden()
    expect(phone.get_by_text("Take a photo")).to_be_visible()
    assert phone.locator("#id_camera").get_attribute("capture") == "environment"
    phone.locator("#id_camera").set_input_files([as_file(jpeg_bytes(640, 480, seed=0))])
    expect_results(phone)
    expect(phone.get_by_text("Photo", exact=True)).to_be_visible()
    expect(desktop.get_by_label("Or a link to a picture")).to_have_count(0)
    settings.ALLOW_LINKS = True
    desktop.reload()
    link = desktop.get_by_label("Or a link to a picture")
    link.fill("http://127.0.0.1/picture.jpg")
    link.press("Enter")
    expect(desktop.get_by_role("alert")).to_contain_text(re.compile(r"\w+ \w+"))
    expect(heading(desktop)).to_have_text("Find the pictures that look like yours.")


def test_everything_works_without_javascript(open_page: OpenPage, gallery: list[Image]) -> None:
    page = open_page("/", java_script_enabled=False)
    choose(page, jpeg_bytes(640, 480, seed=0))
    page.get_by_role("spinbutton", name="Results").fill("10")
    page.locator("#upload").get_by_role("button", name="Search").click()
    expect(heading(page)).to_have_text("10 nearest of 30 images")
    page.get_by_role("link", name="Show more").click()
    expect(heading(page)).to_have_text("11 to 20 of 30 images")
    page.get_by_role("link", name="Find similar").first.click()
    expect(heading(page)).to_have_text("10 nearest of 29 images")
