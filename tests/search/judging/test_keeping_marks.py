"""Marks kept from the page: for those with an account, of what they see, and refused in words."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from search.asking import queries
from search.models import Dataset, Encoder, Image, Mark
from tests.pictures import plain_png

AddImage = Callable[..., Image]


@pytest.fixture
def ids(add_image: AddImage) -> list[int]:
    return [add_image(colour).pk for colour in ("red", "tomato", "blue")]


@pytest.fixture
def ann(client: Client, django_user_model: type[User]) -> User:
    """Somebody who is signed in."""
    user = django_user_model.objects.create_user("ann")
    client.force_login(user)
    return user


def rows() -> set[tuple[int, int, bool]]:
    return set(Mark.objects.values_list("image", "sign", "is_query"))


def keep(client: Client, **asked: Any) -> str:
    """Keep marks, and return what is said then."""
    response = client.post("/marks/", asked, follow=True)
    assert response.redirect_chain[0][1] == 303
    return html.unescape(" ".join(str(message) for message in response.context["messages"]))


def test_marks_are_kept_for_those_with_an_account_alone(client: Client, ids: list[int]) -> None:
    response = client.post("/marks/", {"image": ids[:2]})
    # Whoever signs in is back at the search: nothing is kept by a GET.
    assert (response.status_code, response["Location"]) == (
        302,
        f"/login/?next=/%3Fimage%3D{ids[0]}%26image%3D{ids[1]}",
    )
    assert not Mark.objects.exists()


def test_what_the_search_was_told_is_kept(client: Client, ann: User, ids: list[int]) -> None:
    assert "3 marks are kept." in keep(client, image=ids[:2], less=ids[2])
    assert rows() == {(ids[0], 1, True), (ids[1], 1, False), (ids[2], -1, False)}
    assert set(Mark.objects.values_list("user", flat=True)) == {ann.pk}


def test_it_leads_back_to_the_same_search(client: Client, ann: User, ids: list[int]) -> None:
    response = client.post("/marks/", {"image": [ids[0], f"{ids[1]}~2"], "k": "5", "label": "warm"})
    assert response["Location"] == f"/?image={ids[0]}&image={ids[1]}~2&k=5&label=warm"


def test_an_upload_is_not_kept_itself(client: Client, ann: User, ids: list[int], encoder: Encoder) -> None:
    kept = queries.keep(queries.from_picture(plain_png(8, 8), encoder), encoder)
    keep(client, q=kept.key, image=ids[0], less=ids[2])
    assert rows() == {(ids[0], 1, False), (ids[2], -1, False)}


def test_marks_that_tell_nothing_are_refused_in_words(client: Client, ann: User, ids: list[int]) -> None:
    assert "Mark at least one image" in keep(client, image=ids[0])
    assert "cannot be like and unlike" in keep(client, image=ids[:2], less=ids[1])
    assert not Mark.objects.exists()


@pytest.mark.parametrize(
    "asked", [{"image": "abc"}, {"image": "1", "k": "many"}, {"image": "9" * 5000}, {"less": "-1"}]
)
def test_what_is_no_search_is_refused_in_words(
    client: Client, ann: User, encoder: Encoder, asked: dict[str, str]
) -> None:
    response = client.post("/marks/", asked)
    assert response.status_code == 400
    assert response.text == "This address names no search."


def test_images_that_are_not_there_or_may_not_be_seen_are_left_out(
    client: Client, ann: User, ids: list[int], add_image: AddImage
) -> None:
    hidden = add_image("green", dataset=Dataset.objects.create(name="Secret", is_public=False)).pk
    response = client.post("/marks/", {"image": [ids[0], hidden, 9_999_999_999_999_999_999], "less": ids[2]})
    assert response.status_code == 303
    assert rows() == {(ids[0], 1, True), (ids[2], -1, False)}


def test_marks_need_the_token_of_the_page(ids: list[int], ann: User) -> None:
    stranger = Client(enforce_csrf_checks=True)
    stranger.force_login(ann)
    assert stranger.post("/marks/", {"image": ids[:2]}).status_code == 403
    assert stranger.get("/marks/", {"image": ids[:2]}).status_code == 405
