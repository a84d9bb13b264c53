"""The search page in a browser: every way in, with and without JavaScript, by mouse and by keyboard, light and dark."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.core.management import call_command
from playwright.sync_api import FilePayload, Page, Route, expect

from embeddings import sample
from search import installing
from search.ingest import importing
from search.models import Dataset, Image
from search.progress import Bars
from tests.pictures import jpeg_bytes, plain_png

AddImage = Callable[..., Image]
OpenPage = Callable[..., Page]

pytestmark = pytest.mark.django_db(transaction=True)
SCREENSHOT = Path(__file__).parents[2] / "docs" / "screenshot.png"
# So few pictures are embedded in this process: those that are started for more would not see the tests' database.
SUBJECTS = {"chelsea the cat", "coffee", "astronaut", "dahlia", "horse", "pagoda"}
SIZES = [(640, 480), (480, 640), (600, 600), (720, 405), (640, 427)]


def as_file(content: bytes, name: str = "query.jpg", kind: str = "image/jpeg") -> FilePayload:
    return {"name": name, "mimeType": kind, "buffer": content}


@pytest.fixture
def gallery(add_image: AddImage) -> list[Image]:
    """Thirty pictures of different proportions."""
    return [
        add_image(
            content=jpeg_bytes(*SIZES[n % len(SIZES)], seed=n),
            label=f"family {n % 6}",
            source=f"drawn/picture {n}.jpg",
            width=SIZES[n % len(SIZES)][0],
            height=SIZES[n % len(SIZES)][1],
        )
        for n in range(30)
    ]


def choose(page: Page, content: bytes, **options: Any) -> None:
    page.locator("#id_picture").set_input_files(as_file(content, **options))


def expect_results(page: Page) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text("24 nearest of 30 images")
    expect(page.locator(".answer .tile")).to_have_count(24)


def drop(page: Page, content: bytes, name: str = "query.jpg", kind: str = "image/jpeg") -> None:
    """Drop a file on the header of the page."""
    transfer = page.evaluate_handle(
        """([encoded, name, type]) => {
            const bytes = Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], name, {type}));
            return transfer;
        }""",
        [base64.b64encode(content).decode(), name, kind],
    )
    for event in ("dragenter", "dragover", "drop"):
        page.dispatch_event("header", event, {"dataTransfer": transfer})


def test_a_chosen_picture_gives_results_and_an_address(open_page: OpenPage, gallery: list[Image]) -> None:
    page = open_page("/")
    choose(page, jpeg_bytes(640, 480, seed=0))
    expect_results(page)
    assert "?q=" in page.url
    expect(page.locator(".tile-number").first).to_have_text("1.000")
    page.reload()
    expect_results(page)


def test_the_picture_is_shown_before_the_server_has_answered(open_page: OpenPage, gallery: list[Image]) -> None:
    page = open_page("/")
    held: list[Route] = []
    page.route("**/", lambda route: held.append(route) if route.request.method == "POST" else route.continue_())
    choose(page, jpeg_bytes(640, 480, seed=0))
    expect(page.locator("#preview")).to_be_visible()
    assert page.locator("#preview").get_attribute("src").startswith("blob:")
    held[0].abort()
    expect(page.get_by_role("alert")).to_have_text("The server cannot be reached. Try again in a moment.")
    expect(page.locator("#preview")).to_be_hidden()


def test_back_leads_back(open_page: OpenPage, gallery: list[Image]) -> None:
    page = open_page("/")
    choose(page, jpeg_bytes(640, 480, seed=0))
    expect_results(page)
    page.locator(".answer .tile-link").first.click()
    page.get_by_role("link", name="Open its page").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("picture 0.jpg")
    page.go_back()
    expect_results(page)
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("Find the pictures that look like yours.")


def test_a_picture_is_dropped_anywhere(open_page: OpenPage, gallery: list[Image]) -> None:
    page = open_page("/")
    drop(page, jpeg_bytes(640, 480, seed=3))
    expect_results(page)
    drop(page, jpeg_bytes(480, 640, seed=1))
    expect(page.locator(".tile-origin").first).to_contain_text("picture 1.jpg")


def test_a_picture_is_pasted(open_page: OpenPage, gallery: list[Image]) -> None:
    page = open_page("/")
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
    expect_results(page)


def test_what_is_no_picture_is_refused_in_words_and_nothing_is_lost(open_page: OpenPage, gallery: list[Image]) -> None:
    page = open_page("/")
    choose(page, jpeg_bytes(640, 480, seed=0))
    expect_results(page)
    address = page.url
    choose(page, b"A letter.", name="letter.jpg")
    expect(page.get_by_role("alert")).to_contain_text("This is not a picture")
    expect_results(page)
    assert page.url == address


def test_the_query_picture_outlives_a_refused_one(open_page: OpenPage, gallery: list[Image]) -> None:
    page = open_page("/")
    choose(page, jpeg_bytes(640, 480, seed=0))
    expect_results(page)
    choose(page, b"A letter.", name="letter.jpg")
    expect(page.get_by_role("alert")).to_contain_text("This is not a picture")
    width = page.evaluate(
        """async () => {
            const picture = new Image();
            picture.src = document.getElementById("preview").getAttribute("href");
            await picture.decode();
            return picture.naturalWidth;
        }"""
    )
    assert width == 640


def test_show_more_says_when_the_picture_is_no_longer_kept(open_page: OpenPage, gallery: list[Image]) -> None:
    page = open_page("/")
    choose(page, jpeg_bytes(640, 480, seed=0))
    expect_results(page)
    cache.clear()
    page.get_by_role("link", name="Show more").click()
    expect(page.get_by_role("status").first).to_contain_text("kept for an hour")


def test_a_file_that_is_too_large_is_not_even_sent(open_page: OpenPage, gallery: list[Image]) -> None:
    page = open_page("/")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))
    page.evaluate(
        """() => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(25e6)], "large.jpg", {type: "image/jpeg"}));
            document.dispatchEvent(new DragEvent("drop", {dataTransfer: transfer}));
        }"""
    )
    expect(page.get_by_role("alert")).to_have_text("The file has 25 MB; the limit is 20 MB.")
    assert "POST" not in sent


def test_everything_works_without_javascript(open_page: OpenPage, gallery: list[Image]) -> None:
    page = open_page("/", java_script_enabled=False)
    choose(page, jpeg_bytes(640, 480, seed=0))
    page.get_by_role("spinbutton", name="Results").fill("10")
    page.locator("#upload").get_by_role("button", name="Search").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("10 nearest of 30 images")
    page.get_by_role("link", name="Show more").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("11 to 20 of 30 images")
    page.get_by_role("link", name="Find similar to picture 5.jpg").or_(
        page.get_by_role("link", name="Find similar").first
    ).first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("10 nearest of 29 images")


def test_changing_the_number_or_the_dataset_searches_again(open_page: OpenPage, gallery: list[Image]) -> None:
    Dataset.objects.create(name="Nothing in it")
    page = open_page(f"/?image={gallery[0].pk}")
    page.get_by_role("spinbutton", name="Results").fill("5")
    page.get_by_role("spinbutton", name="Results").press("Tab")
    expect(page.locator("#hits > li")).to_have_count(5)
    page.get_by_label("Search in").select_option("Nothing in it")
    expect(page.get_by_role("heading", level=1)).to_have_text("Nothing found")
    assert "dataset=nothing-in-it" in page.url


def test_show_more_adds_to_the_grid(open_page: OpenPage, gallery: list[Image]) -> None:
    page = open_page(f"/?image={gallery[0].pk}&k=20")
    page.get_by_role("link", name="Show more").click()
    expect(page.locator("#hits > li")).to_have_count(29)
    expect(page.get_by_text("That was all.")).to_be_visible()
    addresses = page.locator("#hits .tile-picture > a:first-child").evaluate_all("links => links.map((a) => a.href)")
    assert len(set(addresses)) == 29


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
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    page.keyboard.press("j")
    expect(page.get_by_role("link", name="picture 0.jpg", exact=False).first).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("s")
    expect(page.get_by_role("heading", level=1)).to_have_text("24 nearest of 29 images")


def test_the_theme_follows_the_system_until_it_is_chosen(open_page: OpenPage, gallery: list[Image]) -> None:
    def background(page: Page) -> str:
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    light, page = background(open_page("/", color_scheme="light")), open_page("/", color_scheme="dark")
    dark = background(page)
    assert dark != light
    page.get_by_role("button", name="Switch to light colours").click()
    assert background(page) == light
    page.reload()
    assert background(page) == light


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
        natural = int(image.get_attribute("width")) / int(image.get_attribute("height"))
        assert box["width"] / box["height"] == pytest.approx(natural, rel=0.04)
    shift = page.evaluate(
        """() => new Promise((done) => new PerformanceObserver((list) =>
            done(list.getEntries().reduce((sum, entry) => sum + entry.value, 0))
        ).observe({type: "layout-shift", buffered: true}) ?? setTimeout(() => done(0), 300))"""
    )
    assert shift < 0.01


@pytest.mark.parametrize("path", ["/", "/?image={}", "/images/{}/", "/datasets/", "/datasets/colours/", "/encoders/"])
def test_no_page_is_wider_than_the_window(open_page: OpenPage, gallery: list[Image], path: str) -> None:
    page = open_page(path.format(gallery[0].pk))
    for width in (360, 768, 1280, 2560):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_markup_in_a_label_runs_nothing(open_page: OpenPage, add_image: AddImage) -> None:
    image = add_image(content=plain_png(64, 48), label="<img src=x onerror='document.title=\"run\"'>", source="<b>.png")
    add_image("blue")
    page = open_page(f"/images/{image.pk}/")
    expect(page.get_by_role("heading", level=1)).to_have_text("<b>.png")
    assert page.title() == "<b>.png · ImgSim"


def test_styles_and_scripts_are_small(open_page: OpenPage, gallery: list[Image]) -> None:
    import gzip

    sizes: dict[str, int] = {}
    page = open_page("about:blank")
    page.on("response", lambda answer: sizes.update({answer.url: len(gzip.compress(answer.body()))}))
    page.goto("/")
    page.wait_for_load_state("networkidle")
    assert 15_000 < sum(size for url, size in sizes.items() if url.endswith((".css", ".js"))) < 100_000


def test_the_screenshot_of_the_readme(
    open_page: OpenPage, installed: Callable[[str], Any], tmp_path: Path, settings: Any
) -> None:
    """Taken with each run, by the real encoder; kept by `make screenshot`, so that other runs change no file."""
    settings.ENCODERS_ROOT = installed("mobilenet_v2").folder.parent
    installing.install("mobilenet_v2", None, report=lambda line: None)
    pictures = {picture.name: picture for picture in sample.photographs() if picture.label in SUBJECTS}
    query = pictures.pop("photographs/chelsea the cat/chelsea-the-cat-close.jpg")
    for name, picture in pictures.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(picture.content)
    request = importing.Request(
        path=tmp_path / "photographs", dataset="Sample photographs", embeds_here=True, waits=True
    )
    with Bars() as bars:
        importing.run(request, bars)
    # From then on hits say what their similarity is worth.
    call_command("evaluate_search", dataset="sample-photographs")
    page = open_page("/", viewport={"width": 1280, "height": 860})
    choose(page, query.content)
    expect(page.locator(".tile-label").first).to_have_text(query.label)
    expect(page.locator("#hits .tile-worth").first).to_contain_text("likely the same")
    page.wait_for_load_state("networkidle")
    path = SCREENSHOT if os.environ.get("KEEP_SCREENSHOT") else tmp_path / "screenshot.png"
    page.screenshot(path=path)
    assert path.stat().st_size > 100_000
