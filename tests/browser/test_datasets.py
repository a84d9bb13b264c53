"""A dataset in a browser, from its making to what is deleted from it and comes back."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from search.models import Dataset, Encoder, Job
from search.work import queue
from tests.pictures import png_bytes

OpenPage = Callable[..., Page]

pytestmark = pytest.mark.django_db(transaction=True)


def drop_all(page: Page, files: dict[str, bytes]) -> None:
    """Drop several files on the page."""
    encoded = [[name, base64.b64encode(content).decode()] for name, content in files.items()]
    transfer = page.evaluate_handle(
        """(files) => {
            const transfer = new DataTransfer();
            for (const [name, encoded] of files) {
                const bytes = Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0));
                transfer.items.add(new File([bytes], name));
            }
            return transfer;
        }""",
        encoded,
    )
    for event in ("dragenter", "dragover", "drop"):
        page.dispatch_event("header", event, {"dataTransfer": transfer})


def test_a_dataset_is_made_filled_and_put_in_order(
    signed_in: OpenPage, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("send_embed", "send_after_load"):
        monkeypatch.setattr(queue, name, lambda *arguments: None)
    page = signed_in("/datasets/")
    page.get_by_role("link", name="New dataset").click()
    page.get_by_label("Name", exact=True).fill("Meadow")
    page.get_by_role("button", name="Make the dataset").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Upload into Meadow")

    files: dict[str, Any] = {f"{n}.png": png_bytes(40, 30, seed=n) for n in range(3)}
    drop_all(page, files | {"notes.jpg": b"no picture at all"})
    expect(page.get_by_text("4 of 4 sent, 1 refused")).to_be_visible()
    sent = page.locator("#sending-files li")
    expect(sent.filter(has_text="added")).to_have_count(3)
    expect(sent.filter(has_text="notes.jpg")).to_contain_text("refused: This is not a picture that ImgSim reads")
    job = Job.objects.get()
    expect(page.get_by_role("link", name="Watch the embedding")).to_have_attribute(
        "href", f"/datasets/meadow/uploads/{job.pk}/"
    )
    page.get_by_role("link", name="Show Meadow").click()
    expect(page.locator(".tile")).to_have_count(3)
    job.refresh_from_db()
    assert (job.state, job.refusals.count()) == ("embedding", 1)

    bar, boxes = page.locator("#selection"), page.locator(".tile-select input")
    for place in (0, 1):
        boxes.nth(place).check()
    bar.locator("details[data-panel=describe] summary").click()
    bar.get_by_label("Label", exact=True).fill("poppy")
    bar.get_by_role("button", name="Give this label").click()
    expect(page.get_by_text("2 images are labelled “poppy” now.")).to_be_visible()
    page.get_by_role("button", name="Select all on this page").click()
    expect(page.locator(".selection-count")).to_have_text("3")
    boxes.nth(2).uncheck()
    bar.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("2 images are deleted.")).to_be_visible()
    expect(page.locator(".tile")).to_have_count(1)
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("2 images are back.")).to_be_visible()
    expect(page.locator(".tile")).to_have_count(3)
    assert Dataset.objects.get().images.filter(label="poppy").count() == 2
