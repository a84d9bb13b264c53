"""What pages do while the site's own parts fail: they keep what they show, say so in words, and go on by themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.template.loader import render_to_string
from playwright.sync_api import Page, Route, expect

from search.models import Encoder, Job
from tests.browser.steps import PHONE
from tests.pictures import png_bytes

OpenPage = Callable[..., Page]

pytestmark = pytest.mark.django_db(transaction=True)


def silent(route: Route) -> None:
    route.fulfill(status=503, content_type="text/html", body=render_to_string("503.html"))


def test_a_job_is_shown_on_when_the_database_is_back(signed_in: OpenPage) -> None:
    job = Job.objects.create(kind=Job.Kind.EMBED, state=Job.State.RUNNING, n_done=3, n_total=9)
    page = signed_in(f"/jobs/{job.pk}/")
    expect(page.locator("#job")).to_contain_text("3")
    page.route("**/jobs/*/", silent)
    for _ in range(2):
        with page.expect_response(lambda response: response.status == 503):
            expect(page.locator("#job")).to_contain_text("3")
    page.unroute("**/jobs/*/")
    Job.objects.filter(pk=job.pk).update(state=Job.State.DONE, message="All were embedded.")
    expect(page.locator("#job")).to_contain_text("All were embedded.")


@pytest.mark.parametrize("size", [{}, PHONE], ids=["desktop", "phone"])
def test_a_search_that_cannot_be_answered_says_that_it_can_be_tried_again(
    open_page: OpenPage, encoder: Encoder, size: dict[str, Any]
) -> None:
    page = open_page("/", **size)
    page.route("**/", lambda route: silent(route) if route.request.method == "POST" else route.continue_())
    page.locator("#upload input[type=file]").first.set_input_files(
        {"name": "a.png", "mimeType": "image/png", "buffer": png_bytes(60, 40, seed=1)}
    )
    expect(page.get_by_role("heading", name="Back in a moment")).to_be_visible()
