"""Marks and votes in the admin: looked at and deleted, never made or changed by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from search.judging import marks, votes
from search.models import Encoder, Image, Mark, Vote

AddImage = Callable[..., Image]


@pytest.fixture
def judged(encoder: Encoder, add_image: AddImage) -> None:
    """Four marks of two searches, and three votes."""
    red, blue, green = (add_image(colour).pk for colour in ("red", "blue", "green"))
    marks.keep([blue], [], [red], None)
    marks.keep([], [green], [red], None)
    other = Encoder.objects.create(name="shapes", family="x", dim=3, weights_sha256="1" * 64)
    for ballot, winner in (("one", encoder), ("two", other), ("three", None)):
        votes.cast(ballot, None, [encoder, other], winner, None)


@pytest.mark.parametrize(("name", "words"), [("mark", "less like this"), ("vote", "colours, shapes")])
def test_they_are_listed(admin_client: Client, judged: None, name: str, words: str) -> None:
    page = admin_client.get(f"/admin/search/{name}/")
    assert words in page.text
    assert admin_client.get(f"/admin/search/{name}/add/").status_code == 403


@pytest.mark.parametrize("name", ["mark", "vote"])
def test_a_list_costs_the_same_for_many(
    admin_client: Client, judged: None, name: str, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(11):
        admin_client.get(f"/admin/search/{name}/")


def test_marks_are_found_by_search_and_deleted(admin_client: Client, judged: None) -> None:
    mark = Mark.objects.get(image__source="colours/green.png")
    found = admin_client.get("/admin/search/mark/", {"q": str(mark.search)})
    assert {one.search for one in found.context["cl"].result_list} == {mark.search}
    form = {"action": "delete_selected", "_selected_action": [mark.pk], "post": "yes"}
    admin_client.post("/admin/search/mark/", form)
    assert Mark.objects.count() == 3


def test_they_cannot_be_changed(admin_client: Client, judged: None) -> None:
    vote = Vote.objects.get(ballot="three")
    admin_client.post(f"/admin/search/vote/{vote.pk}/change/", {"ballot": "four"})
    assert Vote.objects.filter(ballot="three").exists()
    assert admin_client.get(f"/admin/search/vote/{vote.pk}/change/").status_code == 200
