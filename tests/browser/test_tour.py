"""The pictures of README and docs/tour.md, taken by the real encoder on the sample, and looked over as they are taken.

Each run takes them; `make screenshot` keeps them, so that other runs change no file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from PIL import Image as Picture
from playwright.sync_api import Page, expect

from embeddings import sample
from embeddings.sample import SamplePicture
from search.encoders import installing
from search.ingest import importing
from search.models import Image
from search.work.progress import Bars
from tests.browser.steps import DARK, PHONE, choose, heading, point

OpenPage = Callable[..., Page]

pytestmark = pytest.mark.django_db(transaction=True)
DOCS = Path(__file__).parents[2] / "docs"
KEEPS = bool(os.environ.get("KEEP_SCREENSHOT"))
# So few pictures are embedded in this process: those that are started for more would not see the tests' database.
SUBJECTS = {"chelsea the cat", "coffee", "astronaut", "dahlia", "horse", "pagoda"}
N_DRAWINGS = 8  # of each family
MOST_BYTES = 400_000
DESKTOP = {"viewport": {"width": 1440, "height": 900}}
QUERY = "photographs/chelsea the cat/chelsea-the-cat-bright.jpg"
N_FRAMES = 10


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Where pictures are put: docs/ itself, or a place that is forgotten."""
    folder = DOCS if KEEPS else tmp_path / "docs"
    (folder / "tour").mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def photographs() -> dict[str, SamplePicture]:
    return {picture.name: picture for picture in sample.photographs() if picture.label in SUBJECTS}


@pytest.fixture
def taught(
    installed: Callable[[str], Any], photographs: dict[str, SamplePicture], tmp_path: Path, settings: Any
) -> str:
    """Two galleries, one of them evaluated with a head that was trained on it; return the head's name."""
    settings.ENCODERS_ROOT = tmp_path / "encoders"
    settings.ENCODERS_ROOT.mkdir()
    (settings.ENCODERS_ROOT / "mobilenet_v2").symlink_to(installed("mobilenet_v2").folder)
    installing.install("mobilenet_v2", None, report=lambda line: None)
    import_pictures("Photographs", (one for name, one in photographs.items() if name != QUERY), tmp_path)
    drawings = (one for one in sample.drawings() if int(one.name[-6:-4]) <= N_DRAWINGS)
    import_pictures("Drawings", drawings, tmp_path)
    call_command("evaluate_search", dataset="photographs")
    call_command("evaluate_search", dataset="drawings")
    call_command("train_encoder", preset="linear-head", dataset="drawings")
    head = "mobilenet_v2-drawings-head"
    call_command("evaluate_search", dataset="drawings", encoder=head)
    return head


def import_pictures(dataset: str, pictures: Iterable[SamplePicture], folder: Path) -> None:
    for picture in pictures:
        path = folder / dataset / picture.name.partition("/")[2]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture.content)
    with Bars() as bars:
        importing.run(importing.Request(path=folder / dataset, dataset=dataset, embeds_here=True, waits=True), bars)


def side_by_side(*pictures: SamplePicture) -> bytes:
    """Return a JPEG of pictures beside each other, equally high: one picture of several things."""
    opened = [Picture.open(BytesIO(picture.content)) for picture in pictures]
    scaled = [one.resize((round(one.width * 320 / one.height), 320)) for one in opened]
    whole = Picture.new("RGB", (sum(one.width for one in scaled), 320))
    for n, one in enumerate(scaled):
        whole.paste(one, (sum(before.width for before in scaled[:n]), 0))
    content = BytesIO()
    whole.save(content, "JPEG", quality=90)
    return content.getvalue()


def settle(page: Page) -> None:
    """Wait for all pictures in view, and take the mouse out of the way."""
    page.mouse.move(0, 0)
    page.wait_for_function("() => !document.querySelector('[aria-busy]')")
    page.wait_for_load_state("networkidle")
    page.evaluate(
        """() => Promise.all([...document.images]
            .filter((one) => one.src && one.getBoundingClientRect().top < innerHeight)
            .map((one) => one.decode().catch(() => {})))"""
    )
    page.wait_for_timeout(250)


def take(page: Page, path: Path) -> None:
    """Take a picture of the window."""
    settle(page)
    Picture.open(BytesIO(page.screenshot())).convert("RGB").save(path, quality=85, method=6)
    assert 8_000 < path.stat().st_size < MOST_BYTES


def animate(frames: list[bytes], path: Path) -> None:
    pictures = [Picture.open(BytesIO(frame)).convert("RGB").resize((1008, 630)) for frame in frames]
    durations = [900, *[220] * (len(pictures) - 2), 2200]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=durations, loop=0, quality=70, method=4)
    assert path.stat().st_size < 1_500_000


@pytest.mark.thorough
def test_the_screenshots_of_readme_and_tour(
    open_page: OpenPage, taught: str, photographs: dict[str, SamplePicture], out: Path
) -> None:
    tour = out / "tour"
    page = open_page("/", **DESKTOP)
    take(page, tour / "start.webp")
    choose(page, photographs[QUERY].content)
    expect(page.locator("#hits .tile-worth").first).to_contain_text("likely the same")
    page.get_by_role("button", name="Got it").click()
    page.set_viewport_size({"width": 1440, "height": 1230})  # so that what is similar is seen below the copies
    take(page, out / "screenshot.webp")
    page.set_viewport_size(DESKTOP["viewport"])

    two_things = side_by_side(
        photographs["photographs/coffee/coffee-middle.jpg"],
        photographs["photographs/chelsea the cat/chelsea-the-cat-mirrored.jpg"],
    )
    choose(page, two_things)
    expect(page.locator(".query-facts")).to_contain_text("× 320")
    settle(page)
    whole = page.locator("#preview")
    frames = [page.screenshot()]
    left, top = point(whole, 0.52, 0.06)
    page.mouse.move(left, top)
    page.mouse.down()
    for n in range(1, N_FRAMES):
        page.mouse.move(*point(whole, 0.52 + 0.46 * n / (N_FRAMES - 1), 0.06 + 0.9 * n / (N_FRAMES - 1)))
        page.wait_for_timeout(250)
        page.wait_for_load_state("networkidle")
        frames.append(page.screenshot())
    page.mouse.up()
    expect(page.locator("#hits .tile-label").first).to_have_text("chelsea the cat")
    take(page, tour / "crop.webp")
    animate([*frames, page.screenshot()], tour / "crop-animated.webp")

    coffee = Image.objects.get(source__endswith="coffee-left.jpg")
    dahlia = Image.objects.get(source__endswith="dahlia.jpg")
    page.goto(f"/?image={coffee.pk}&image={dahlia.pk}&dataset=photographs")
    take(page, tour / "marks.webp")

    page.goto(f"/?image={Image.objects.get(source__endswith='pagoda-left.jpg').pk}&dataset=photographs")
    page.locator("#hits .tile-link").nth(2).click()
    page.keyboard.press("w")
    expect(page.locator("#why img")).to_have_count(2)
    take(page, tour / "why.webp")

    drawing = Image.objects.get(source__endswith="leaves-03.jpg")
    page.goto(f"/?image={drawing.pk}&dataset=drawings&beside={taught}&k=12")
    expect(page.locator(".beside > section")).to_have_count(2)
    take(page, tour / "beside.webp")
    page.goto(f"/?image={coffee.pk}&orientation=landscape&words=coffee")
    page.locator("details[data-panel=filters] summary").click()
    take(page, tour / "filters.webp")
    page.goto("/datasets/drawings/comparison/")
    expect(heading(page)).to_contain_text("Drawings")
    take(page, tour / "comparison.webp")

    dark = open_page(f"/?image={coffee.pk}&dataset=photographs", **DESKTOP, **DARK)
    dark.get_by_role("button", name="Got it").click()
    take(dark, tour / "dark.webp")
    phone = open_page(f"/?image={dahlia.pk}&dataset=photographs", **PHONE, device_scale_factor=2)
    phone.get_by_role("button", name="Got it").click()
    take(phone, tour / "phone.webp")
