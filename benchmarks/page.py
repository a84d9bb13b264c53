"""The page as visitors see it: from dropping a 12-megapixel photo to the painted grid, and from a crop to results.

The floor is the same browser before a server that repeats its answers from memory: no server can be quicker than that.
"""

from __future__ import annotations

import base64
import contextlib
import time
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from benchmarks import report
from benchmarks.importing import read_contents
from benchmarks.replay import Replay
from benchmarks.site import arguments, fresh_site, pictures_of, say
from imgsim_site import chromium

ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu"]
LARGE = (4000, 3000)
WARM_UP = 2  # photos: of browser, caches and network
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
            rows = _measure(browser, url, large)
            browser.close()
    report.tell(
        f"In the browser, over {imported['found']} images and more, {options.runs} photos of 12 megapixels", rows
    )


def _measure(browser: Browser, url: str, photos: list[bytes]) -> list[dict[str, object]]:
    replay = Replay(url)
    site, floor = _Times(), _Times()
    with replay.serving() as replay_url:
        for number, photo in enumerate(photos):
            replay.is_recording = True
            _visit(browser, replay_url, photo)
            replay.is_recording = False
            sides = [(url, site), (replay_url, floor)]
            for address, times in sides if number % 2 else reversed(sides):
                drop, crops, shift = _visit(browser, address, photo)
                if number >= WARM_UP:
                    times.drops.append(drop)
                    times.crops += crops
                    times.shifts.append(shift)
    return [
        _row("drop to painted grid, ms", site.drops, floor.drops),
        _row("crop moved to painted results, ms", site.crops, floor.crops),
        _row("layout shift, all told", site.shifts, floor.shifts),
    ]


@dataclass
class _Times:
    drops: list[float] = field(default_factory=list)
    crops: list[float] = field(default_factory=list)
    shifts: list[float] = field(default_factory=list)


def _visit(browser: Browser, url: str, photo: bytes) -> tuple[float, list[float], float]:
    """Drop a photo and move its crop four times, as a visitor whose browser has nothing of the site yet."""
    with contextlib.closing(browser.new_page(base_url=url, viewport={"width": 1360, "height": 900})) as page:
        page.set_default_timeout(30_000)
        page.goto("/")
        page.wait_for_load_state("networkidle")
        page.evaluate(WATCH)
        page.evaluate(DROP, [base64.b64encode(photo).decode(), "photo.jpg"])
        drop = float(page.evaluate(PAINTED))
        page.locator("#crop-start").click()
        page.wait_for_load_state("networkidle")
        crops = []
        for key in ("ArrowLeft", "ArrowUp", "ArrowRight", "ArrowDown"):
            page.evaluate(CROP, key)
            crops.append(float(page.evaluate(PAINTED)))
            time.sleep(0.2)
        return drop, crops, float(page.evaluate("() => window.measured.shift"))


def _row(what: str, values: list[float], floor: list[float]) -> dict[str, object]:
    return {
        "what": what,
        "p50": report.median(values),
        "p95": report.percentile(values, 0.95),
        "least": min(values),
        "floor p50": report.median(floor),
        "floor least": min(floor),
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
