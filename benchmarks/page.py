"""The page as visitors see it: from dropping a 12-megapixel photo to the painted grid, and from a crop to results."""

from __future__ import annotations

import base64
import time
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from benchmarks import report
from benchmarks.importing import read_contents
from benchmarks.site import arguments, fresh_site, pictures_of, say
from imgsim_site import chromium

ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu"]
LARGE = (4000, 3000)
# Time runs from the event to the frame after all pictures in the window are there.
PAINTED = """() => new Promise((done) => {
    const shown = () => [...document.querySelectorAll(".answer .tile img")]
        .filter((picture) => picture.getBoundingClientRect().top < innerHeight);
    const look = () => {
        const pictures = shown();
        const isReady = window.measured.swapped && pictures.length && pictures.every((one) => one.complete);
        if (!isReady) requestAnimationFrame(look);
        else requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - window.measured.from)));
    };
    look();
})"""
WATCH = """() => {
    window.measured = {from: 0, swapped: false, shift: 0};
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.measured.shift += entry.value;
    }).observe({type: "layout-shift", buffered: true});
    document.addEventListener("htmx:afterSwap", () => { window.measured.swapped = true; });
}"""
DROP = """([encoded, name]) => {
    const bytes = Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0));
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([bytes], name, {type: "image/jpeg"}));
    window.measured.swapped = false;
    window.measured.from = performance.now();
    document.querySelector("header").dispatchEvent(new DragEvent("drop", {dataTransfer, bubbles: true}));
}"""
CROP = """(key) => {
    window.measured.swapped = false;
    window.measured.from = performance.now();
    document.querySelector(".crop-frame").dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
}"""


def main() -> None:
    parser = arguments(
        "Time in a browser from a dropped photo to the painted grid, and from a moved crop to its results."
    )
    parser.add_argument(
        "--photos", type=Path, help="what to search with, enlarged to 12 megapixels (default: PICTURES)"
    )
    options = parser.parse_args()
    with fresh_site(options.var) as site:
        pictures = pictures_of(options.pictures, site)
        command = ["import_images", str(pictures), "--dataset", options.dataset, "--sync"]
        imported = site.manage_json(*command, timeout=7200)
        say(f"{imported['found']} pictures, {imported['embedded']} embedded now")
        photos = read_contents(options.photos.expanduser() if options.photos else pictures)
        large = [_enlarged(photos[len(photos) * n // (options.runs + 2)]) for n in range(options.runs + 2)]
        with site.web() as url, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium.find(), args=ARGUMENTS)
            page = browser.new_page(base_url=url, viewport={"width": 1360, "height": 900})
            page.set_default_timeout(30_000)
            rows = _measure(page, large)
            browser.close()
    report.tell(
        f"In the browser, over {imported['found']} images and more, {options.runs} photos of 12 megapixels", rows
    )


def _measure(page: Page, photos: list[bytes]) -> list[dict[str, object]]:
    drops, crops, shifts = [], [], []
    for number, photo in enumerate(photos):
        page.goto("/")
        page.wait_for_load_state("networkidle")
        page.evaluate(WATCH)
        page.evaluate(DROP, [base64.b64encode(photo).decode(), f"photo-{number}.jpg"])
        drop = page.evaluate(PAINTED)
        page.locator("#crop-start").click()
        page.wait_for_load_state("networkidle")
        times = [_crop(page, key) for key in ("ArrowLeft", "ArrowUp", "ArrowRight", "ArrowDown")]
        if number >= 2:  # the first two warm browser, caches and network
            drops.append(drop)
            crops += times
            shifts.append(page.evaluate("() => window.measured.shift"))
    return [
        _row("drop to painted grid, ms", drops),
        _row("crop moved to painted results, ms", crops),
        _row("layout shift, all told", shifts),
    ]


def _crop(page: Page, key: str) -> float:
    page.evaluate(CROP, key)
    took: float = page.evaluate(PAINTED)
    time.sleep(0.2)
    return took


def _row(what: str, values: list[Any]) -> dict[str, object]:
    return {
        "what": what,
        "p50": float(report.median(values)),
        "p95": float(report.percentile(values, 0.95)),
        "least": float(min(values)),
        "n": len(values),
    }


def _enlarged(content: bytes) -> bytes:
    """Return the photo with 12 megapixels and the grain of a camera, as a JPEG of about 4 MB."""
    picture = Image.open(BytesIO(content)).convert("RGB").resize(LARGE, Image.Resampling.BICUBIC)
    grain = np.random.default_rng(0).normal(0, 4, (LARGE[1], LARGE[0], 1))
    noisy = np.clip(np.asarray(picture, np.float32) + grain, 0, 255).astype(np.uint8)
    written = BytesIO()
    Image.fromarray(noisy).save(written, "JPEG", quality=88)
    return written.getvalue()


if __name__ == "__main__":
    main()
