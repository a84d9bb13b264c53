"""Searches with a link: refused where the site allows none, and like an upload where it does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from search.links import fetching
from search.links.fetching import LinkRefused
from search.models import Encoder, Image
from tests.pictures import plain_png

AddImage = Callable[..., Image]
LINK = "https://pictures.example/red.png"


@pytest.fixture
def fetched(settings: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Allow links; each leads to a red picture. The links that were followed."""
    settings.ALLOW_LINKS = True
    followed: list[str] = []

    def fetch(link: str) -> bytes:
        followed.append(link)
        return plain_png(80, 60, "red")

    monkeypatch.setattr(fetching, "fetch", fetch)
    return followed


def test_links_are_off_unless_the_site_allows_them(client: Client, add_image: AddImage) -> None:
    add_image("red")
    assert "/by-link/" not in client.get("/").text
    response = client.post("/by-link/", {"link": LINK})
    assert response.status_code == 422
    assert "Searching by link is off on this site. Save the picture and upload it." in response.text


def test_the_picture_of_a_link_is_searched_with(client: Client, add_image: AddImage, fetched: list[str]) -> None:
    for colour in ("blue", "red"):
        add_image(colour, label=colour)
    assert "/by-link/" in client.get("/").text
    response = client.post("/by-link/", {"link": f" {LINK} "}, follow=True)
    assert fetched == [LINK]
    assert response.redirect_chain[0][0].startswith("/?q=")
    assert [hit.label for hit in response.context["results"].hits] == ["red", "blue"]
    assert LINK not in response.text


def test_htmx_gets_the_results_at_once(client: Client, add_image: AddImage, fetched: list[str]) -> None:
    add_image("red")
    response = client.post("/by-link/", {"link": LINK}, headers={"HX-Request": "true"})
    assert response.status_code == 200
    assert response["HX-Push-Url"].startswith("/?q=")


@pytest.mark.parametrize(("link", "reason"), [("", "Give the address of a picture."), ("x" * 2001, "at most 2000")])
def test_what_is_no_link_is_refused_and_not_followed(
    client: Client, encoder: Encoder, fetched: list[str], link: str, reason: str
) -> None:
    response = client.post("/by-link/", {"link": link})
    assert response.status_code == 422
    assert reason in response.text
    assert fetched == []


def test_why_a_link_was_not_followed_is_told(
    client: Client, encoder: Encoder, fetched: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(link: str) -> bytes:
        raise LinkRefused("private", "<b>router</b> is no public address.")

    monkeypatch.setattr(fetching, "fetch", refuse)
    response = client.post("/by-link/", {"link": LINK})
    assert response.status_code == 422
    assert "&lt;b&gt;router&lt;/b&gt; is no public address." in response.text
    assert response["HX-Push-Url"] == "false"


def test_a_link_to_a_page_is_refused_in_words(
    client: Client, encoder: Encoder, fetched: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "fetch", lambda link: b"<!doctype html><title>No picture</title>")
    response = client.post("/by-link/", {"link": LINK})
    assert response.status_code == 422
    assert "This is not a picture" in response.text


def test_a_link_is_followed_for_the_site_s_own_forms_alone(fetched: list[str], encoder: Encoder) -> None:
    stranger = Client(enforce_csrf_checks=True)
    assert stranger.post("/by-link/", {"link": LINK}).status_code == 403
    looked = stranger.get("/by-link/", {"link": LINK})
    assert (looked.status_code, looked["Location"]) == (302, "/")
    assert fetched == []


def test_without_an_encoder_no_link_is_followed(client: Client, db: None, fetched: list[str]) -> None:
    assert client.post("/by-link/", {"link": LINK}).status_code == 503
    assert fetched == []
