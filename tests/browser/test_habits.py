"""What visitors are used to in a browser: keys, colours, recent searches, a hint told once, pages that stay still."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from search import embedding
from search.models import Encoder, Image
from tests.browser.steps import PHONE, WATCH_SHIFTS, as_file, choose, expect_results, heading, shift_of, shown
from tests.pictures import jpeg_bytes

OpenPage = Callable[..., Page]

pytestmark = pytest.mark.django_db(transaction=True)


def test_it_is_used_by_keyboard_alone(open_page: OpenPage, gallery: list[Image]) -> None:
    page = open_page("/")
    page.on("filechooser", lambda chooser: chooser.set_files([as_file(jpeg_bytes(640, 480, seed=0))]))
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator("#id_picture")).to_be_focused()
    page.keyboard.press("Space")
    expect_results(page)
    expect(heading(page)).to_be_focused()
    page.keyboard.press("j")
    expect(page.locator(".tile-link").first).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("s")
    expect(heading(page)).to_have_text("24 nearest of 29 images")


def test_a_sheet_lists_the_keys_and_each_does_what_it_says(
    open_page: OpenPage, gallery: list[Image], other_encoder: Encoder
) -> None:
    page = open_page(f"/?image={gallery[0].pk}")
    page.on("filechooser", lambda chooser: chooser.set_files([as_file(jpeg_bytes(640, 480, seed=0))]))
    sheet = page.locator("#shortcuts")
    page.keyboard.press("?")
    expect(sheet).to_be_visible()
    keys = {"u", "/", "c", "j", "k", "Enter", "+", "-", "s", "x", "f", "v", "w", "Esc", "?"}
    assert keys <= set(sheet.locator("kbd").all_inner_texts())
    page.keyboard.press("j")  # nothing behind the sheet hears it
    page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()
    expect(page.locator(".tile-link:focus")).to_have_count(0)
    links = page.locator(".answer .tile-link")
    for key, place in (("j", 0), ("j", 1), ("j", 2), ("k", 1)):
        page.keyboard.press(key)
        expect(links.nth(place)).to_be_focused()
    page.keyboard.press("x")
    expect(page.locator(".selection-count")).to_have_text("1")
    page.keyboard.press("Enter")
    expect(page.locator("#lightbox")).to_be_visible()
    for key, view in (("2", "side"), ("3", "overlay"), ("4", "difference"), ("w", "why"), ("1", "single")):
        page.keyboard.press(key)
        expect(page.locator("#lightbox")).to_have_attribute("data-view", view)
    page.keyboard.press("Escape")
    for key, panel in (("f", "filters"), ("v", "beside")):
        page.locator("h1").focus()
        page.keyboard.press(key)
        expect(page.locator(f"details[data-panel={panel}]")).to_have_attribute("open", "")
        page.keyboard.press("Escape")
        expect(page.locator("details[open]")).to_have_count(0)
    page.keyboard.press("/")
    expect(page.get_by_label("Words in name, label or tags")).to_be_focused()
    page.keyboard.type("sju?")
    expect(page.get_by_label("Words in name, label or tags")).to_have_value("sju?")
    page.goto("/")
    page.keyboard.press("u")
    expect_results(page)
    page.goto("/")
    page.keyboard.press("/")
    expect(page.get_by_label("Or search by words")).to_be_focused()
    page.keyboard.type("picture 29")
    page.keyboard.press("Enter")
    expect(heading(page)).to_have_text("1 image with “picture 29”")
    page.get_by_role("button", name="Keyboard").click()
    expect(sheet).to_be_visible()


def test_recent_searches_are_shown_and_forgotten_and_a_hint_is_told_once(
    open_page: OpenPage, gallery: list[Image]
) -> None:
    page = open_page("/")
    recent = page.locator("#recent")
    expect(recent).to_be_hidden()
    choose(page, jpeg_bytes(640, 480, seed=0))
    expect_results(page)
    expect(page.locator("#hint")).to_be_visible()
    page.get_by_role("button", name="Got it").click()
    expect(page.locator("#hint")).to_be_hidden()
    page.goto(f"/?image={gallery[4].pk}")
    expect(heading(page)).to_have_text("24 nearest of 29 images")
    expect(page.locator("#hint")).to_be_hidden()
    page.wait_for_load_state("networkidle")
    page.goto("/")
    expect(recent.get_by_role("link")).to_have_count(2)
    expect(recent.get_by_role("img").first).to_have_attribute("alt", "picture 4.jpg")
    recent.get_by_role("link").last.click()
    expect_results(page)
    page.go_back()
    recent.get_by_role("button", name="Forget them").click()
    expect(recent).to_be_hidden()
    page.reload()
    expect(recent).to_be_hidden()


def test_colours_follow_the_system_until_they_are_chosen_and_nothing_moves_for_who_wants_that(
    open_page: OpenPage, gallery: list[Image]
) -> None:
    def background(page: Page) -> str:
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    page = open_page("/", color_scheme="light")
    light = background(page)
    page.emulate_media(color_scheme="dark")
    assert background(page) != light
    page.get_by_role("button", name="Switch to light colours").click()
    assert background(page) == light
    page.reload()
    assert background(page) == light
    slow = "() => parseFloat(getComputedStyle(document.querySelector('.tile-picture img')).transitionDuration) > 0.01"
    assert page.evaluate(slow)
    page.emulate_media(reduced_motion="reduce")
    assert not page.evaluate(slow)


def test_tiles_have_the_proportions_of_their_pictures_and_do_not_move(
    open_page: OpenPage, gallery: list[Image]
) -> None:
    page = open_page("about:blank")
    # A processor of a sixth of the speed paints the page while it is still being read.
    page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": 6})
    page.goto(f"/?image={gallery[0].pk}")
    page.wait_for_load_state("networkidle")
    for image in page.locator("#hits img").all()[:8]:
        box = image.bounding_box()
        natural = int(image.get_attribute("width") or 0) / int(image.get_attribute("height") or 1)
        assert box
        assert box["width"] / box["height"] == pytest.approx(natural, rel=0.04)
    shift = page.evaluate(
        """() => new Promise((done) => new PerformanceObserver((list) =>
            done(list.getEntries().reduce((sum, entry) => sum + entry.value, 0))
        ).observe({type: "layout-shift", buffered: true}) ?? setTimeout(() => done(0), 300))"""
    )
    assert shift < 0.01


@pytest.mark.parametrize("options", [{}, PHONE], ids=["desktop", "phone"])
def test_nothing_moves_when_the_results_of_another_picture_arrive(
    open_page: OpenPage, gallery: list[Image], options: dict[str, object]
) -> None:
    page = open_page("/", **options)
    choose(page, jpeg_bytes(640, 480, seed=0))
    expect_results(page)
    page.evaluate(WATCH_SHIFTS)
    before = shown(page)
    choose(page, jpeg_bytes(640, 480, seed=7))
    page.wait_for_function("first => document.querySelector('.answer .tile').dataset.id !== first", arg=before[0])
    assert shift_of(page) < 0.01


def test_a_picture_that_waits_says_so_until_it_is_embedded(
    open_page: OpenPage, add_image: Callable[..., Image], encoder: Encoder
) -> None:
    image = add_image("red", embedded=False, status="pending")
    page = open_page(f"/images/{image.pk}/")
    expect(page.get_by_text("This picture waits for its embedding.")).to_be_visible()
    expect(page.get_by_role("progressbar")).to_be_visible()
    embedding.embed(encoder, [image.pk])
    expect(page.get_by_role("link", name="Find similar")).to_be_visible()
    expect(page.get_by_role("progressbar")).to_have_count(0)


def test_keys_of_one_letter_can_be_switched_off(open_page: OpenPage, gallery: list[Image]) -> None:
    page = open_page(f"/?image={gallery[0].pk}")
    page.get_by_role("button", name="Got it").click()
    page.keyboard.press("?")
    page.get_by_label("Keys of one letter or sign do something").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("f")
    expect(page.locator("details[data-panel=filters]")).not_to_have_attribute("open", "")
    page.reload()
    page.keyboard.press("?")
    expect(page.locator("#shortcuts")).to_be_hidden()
    page.get_by_role("button", name="Keyboard").click()
    page.get_by_label("Keys of one letter or sign do something").check()
    page.keyboard.press("Escape")
    page.keyboard.press("f")
    expect(page.locator("details[data-panel=filters]")).to_have_attribute("open", "")
