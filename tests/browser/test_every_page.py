"""What holds for every page in a browser: it fits its window, its scripts are small, it breaks no rule of WCAG."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import pytest
from django.core.management import call_command
from playwright.sync_api import Page, expect

from search.models import Encoder, Evaluation, Image, Job
from tests.browser.steps import DARK, PHONE
from tests.pictures import plain_png

AddImage = Callable[..., Image]
OpenPage = Callable[..., Page]

pytestmark = pytest.mark.django_db(transaction=True)
RULES = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]
AXE = files("axe_playwright_python").joinpath("axe.min.js")


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
    sizes: dict[str, int] = {}
    page = open_page("about:blank")
    page.on("response", lambda answer: sizes.update({answer.url: len(gzip.compress(answer.body()))}))
    page.goto("/")
    page.wait_for_load_state("networkidle")
    assert 15_000 < sum(size for url, size in sizes.items() if url.endswith((".css", ".js"))) < 100_000


@pytest.fixture
def pages(gallery: list[Image], other_encoder: Encoder, dataset: Any, add_image: AddImage) -> list[str]:
    """The addresses of all pages, each with something on it."""
    add_image("red", embedded=False, status="pending")
    call_command("evaluate_search", dataset="colours")
    call_command("evaluate_search", dataset="colours", encoder="shapes")
    job = Job.objects.create(kind=Job.Kind.IMPORT, state=Job.State.RUNNING, n_total=9, n_done=4)
    ended = Job.objects.create(kind=Job.Kind.IMPORT, state=Job.State.DONE)
    Image.objects.filter(pk=gallery[3].pk).update(job=ended)
    first, second = gallery[0].pk, gallery[1].pk
    return [
        "/",
        f"/?image={first}&label=family+1&sort=newest",
        f"/?image={first}&image={second}&less={gallery[2].pk}",
        f"/?image={first}&beside=shapes",
        f"/?image={first}&beside=shapes&blind=1",
        "/?words=picture",
        f"/images/{second}/why/?image={first}",
        f"/images/{first}/",
        f"/images/{Image.objects.get(status='pending').pk}/",
        "/datasets/",
        "/datasets/colours/",
        "/datasets/new/",
        *(f"/datasets/colours/{what}/" for what in ("edit", "delete", "upload", "statistics", "export", "trash")),
        "/datasets/colours/duplicates/",
        "/datasets/colours/duplicates/decided/",
        "/datasets/colours/evaluate/",
        "/datasets/colours/comparison/",
        *(f"/evaluations/{one.pk}/" for one in Evaluation.objects.all()[:1]),
        "/encoders/",
        "/encoders/colours/",
        "/encoders/shapes/",
        "/encoders/shapes/default/",
        "/encoders/shapes/remove/",
        "/encoders/install/",
        "/jobs/",
        f"/jobs/{job.pk}/",
        f"/jobs/{ended.pk}/discard/",
        "/jobs/workers/",
        "/train/",
        "/account/tokens/",
        "/nowhere/",
    ]


def broken_rules(page: Page) -> list[str]:
    """Return what axe finds of serious or critical impact, each with where."""
    if not page.evaluate("Boolean(window.axe)"):
        page.evaluate(AXE.read_text())
    found = page.evaluate("tags => axe.run(document, {runOnly: tags, resultTypes: ['violations']})", RULES)
    return [
        f"{page.url} {rule['id']}: {node['target']} {node['failureSummary']}"
        for rule in found["violations"]
        if rule["impact"] in {"serious", "critical"}
        for node in rule["nodes"]
    ]


def look(page: Page, paths: list[str]) -> list[str]:
    """Look at pages, and at what opens on one of results."""
    broken = []
    for path in paths:
        page.goto(path)
        broken += broken_rules(page)
    page.goto(paths[1])
    page.locator("details[data-panel=filters] summary").click()
    page.locator("[name=chosen]").nth(1).evaluate("box => box.click()")
    broken += broken_rules(page)
    page.keyboard.press("Escape")
    page.keyboard.press("c")
    expect(page).to_have_url(re.compile("crop="))
    expect(page.locator("[aria-busy]")).to_have_count(0)  # no press on what gives way to other results meanwhile
    page.locator(".answer .tile-link").first.click()
    broken += broken_rules(page)
    page.keyboard.press("w")
    expect(page.locator("#why img")).to_have_count(2)
    broken += broken_rules(page)
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    return broken + broken_rules(page)


@pytest.mark.parametrize(
    "options", [{}, pytest.param(PHONE | DARK, marks=pytest.mark.thorough)], ids=["desktop-light", "phone-dark"]
)
def test_no_page_breaks_a_serious_rule_of_wcag(
    signed_in: OpenPage, open_page: OpenPage, pages: list[str], options: dict[str, Any]
) -> None:
    # Scripts of others run where the policy is set aside; it is held by all other tests.
    page = signed_in("/", bypass_csp=True, reduced_motion="reduce", **options)
    broken = look(page, pages)
    # Colours are the same at any width, and places the same in any colours.
    page.emulate_media(color_scheme="dark" if options == {} else "light")
    broken += look(page, pages[:3])
    page.keyboard.press("Escape")  # behind a sheet nothing is looked at
    expect(page.locator("dialog[open]")).to_have_count(0)
    page.evaluate("document.querySelector('h1').append(document.createElement('img'))")
    assert "image-alt" in "".join(broken_rules(page))  # it would be noticed
    page.context.clear_cookies()
    for path in ("/", "/login/"):
        page.goto(path)
        broken += broken_rules(page)
    assert broken == []
