"""The page with everything real: Chromium, the web server as it is deployed, a worker, the network, the servers."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.running import Site

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}


def test_a_picture_is_searched_with_while_a_worker_embeds_others(
    site: Site,
    pictures: Path,
    browser: Browser,
    tmp_path: Path,
) -> None:
    for label in ("rocket", "coffee"):
        shutil.copytree(pictures / "photographs" / label, tmp_path / label)
    site.manage_json("import_images", str(tmp_path), "--dataset", "seen", "--sync")
    report = site.manage_json("import_images", str(pictures / "drawings" / "fish"), "--dataset", "seen")
    ((pending,),) = site.sql("SELECT min(id) FROM search_image WHERE job_id = %s", report["job"])
    with site.web() as url:
        context = browser.new_context(base_url=url, **PHONE)
        page = context.new_page()
        page.goto(f"/images/{pending}/")
        expect(page.get_by_text("This picture waits for its embedding.")).to_be_visible()
        with site.worker(concurrency=1):
            # Nobody reloads the page.
            expect(page.get_by_role("link", name="Find similar").first).to_be_visible(timeout=60_000)
        page.goto("/?dataset=seen")
        page.locator("#id_picture").set_input_files(pictures / "photographs/rocket/rocket.jpg")
        expect(page.get_by_role("heading", name=re.compile("^Exact copies"))).to_be_visible()
        expect(page.locator("#hits .tile-label").first).to_have_text("rocket")
        before = page.locator("#hits .tile-link").first.get_attribute("href")
        page.get_by_role("button", name="Search a part").click()
        expect(page).to_have_url(re.compile("crop="))
        expect(page.locator("#hits .tile-link").first).not_to_have_attribute("href", before or "")
        context.close()
