"""What is no picture, too large or unusual, given in a browser: refused in words or read, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import pytest
from playwright.sync_api import Page, expect

from search.models import Image
from tests.browser.steps import choose, drop, expect_results, shown
from tests.pictures import animated_gif, cmyk_jpeg, grey16_png, jpeg_bytes, photo, rotated_jpeg

OpenPage = Callable[..., Page]

pytestmark = pytest.mark.django_db(transaction=True)
HEIC = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + b"\x00" * 100
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="90" height="60"><path d="M0 0h90v60z"/></svg>'


def avif() -> bytes:
    content = BytesIO()
    photo(64, 48).save(content, "AVIF")
    return content.getvalue()


def test_what_is_no_picture_is_refused_in_words_and_nothing_is_lost(open_page: OpenPage, gallery: list[Image]) -> None:
    page = open_page("/")
    choose(page, jpeg_bytes(640, 480, seed=0))
    expect_results(page)
    address, before = page.url, shown(page)
    for content, name, kind, reason in (
        (b"A letter.", "letter.jpg", "image/jpeg", "This is not a picture"),
        (b"%PDF-1.7\n" + b" " * 900, "paper.pdf", "application/pdf", "PDF"),
        (HEIC, "photo.heic", "", "HEIC"),
        (SVG, "drawing.svg", "image/svg+xml", "SVG"),
        (b"", "empty.png", "image/png", "The file is empty."),
        (jpeg_bytes(320, 240)[:2000], "half.jpg", "image/jpeg", "breaks off"),
    ):
        drop(page, content, name, kind)
        expect(page.get_by_role("alert")).to_contain_text(reason)
        expect(page.locator("main[aria-busy]")).to_have_count(0)
        assert (page.url, shown(page)) == (address, before)
        # The picture that was searched with is shown again.
        width = page.evaluate(
            """async () => {
                const picture = new Image();
                picture.src = document.getElementById("preview").getAttribute("href");
                await picture.decode();
                return picture.naturalWidth;
            }"""
        )
        assert width == 640
    drop(page, jpeg_bytes(480, 640, seed=1))
    expect(page.locator(".tile-origin").first).to_contain_text("picture 1.jpg")
    expect(page.get_by_role("alert")).to_be_hidden()


def test_files_that_are_too_large_are_not_even_sent(open_page: OpenPage, gallery: list[Image]) -> None:
    page = open_page("/")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))
    for size, words in (("25e6", "25 MB"), ("2 * 2 ** 30", "2,147.5 MB")):
        # No file of such a size is made: it only says so.
        page.evaluate(
            f"""() => {{
                const file = new File(["x"], "large.jpg", {{type: "image/jpeg"}});
                Object.defineProperty(file, "size", {{value: {size}}});
                const dropped = new DragEvent("drop", {{dataTransfer: new DataTransfer()}});
                const files = {{files: [file], items: [], getData: () => ""}};
                Object.defineProperty(dropped, "dataTransfer", {{value: files}});
                Object.defineProperty(DataTransfer.prototype, "files", {{value: [file]}});
                DataTransferItemList.prototype.add = () => {{}};
                Object.defineProperty(HTMLInputElement.prototype, "files", {{set() {{}}, configurable: true}});
                document.dispatchEvent(dropped);
            }}"""
        )
        expect(page.get_by_role("alert")).to_have_text(f"The file has {words}; the limit is 20 MB.")
        page.reload()
    assert "POST" not in sent


def test_unusual_pictures_are_read_as_they_are_seen(open_page: OpenPage, gallery: list[Image]) -> None:
    page = open_page("/")
    for content, name, kind, facts in (
        (animated_gif(), "moving.gif", "image/gif", "GIF · 20 × 20"),
        (avif(), "new.avif", "image/avif", "AVIF · 64 × 48"),
        (cmyk_jpeg((0, 200, 200, 0)), "print.jpg", "image/jpeg", "JPEG · 32 × 32"),
        (grey16_png(30_000), "deep.png", "image/png", "PNG · 32 × 32"),
        (rotated_jpeg(6, 64, 48), "turned.jpg", "image/jpeg", "JPEG · 48 × 64"),
    ):
        drop(page, content, name, kind)
        expect(page.locator(".query-facts")).to_contain_text(facts)
        expect_results(page)
        expect(page.get_by_role("alert")).to_be_hidden()
