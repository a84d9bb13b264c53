"""The same search through several encoders: their columns, what they have in common, and which is which, or not."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from search import embedding, encoders
from search.asking import beside, queries
from search.models import Encoder, Image
from tests.pictures import plain_png

AddImage = Callable[..., Image]
AddEncoder = Callable[[str], Encoder]
HTMX = {"HX-Request": "true"}


@pytest.fixture
def images(add_image: AddImage) -> list[Image]:
    return [add_image(colour) for colour in ("red", "tomato", "orange", "blue")]


@pytest.fixture
def shapes(add_encoder: AddEncoder, images: list[Image]) -> Encoder:
    """An encoder that has embedded only some of the images."""
    shapes = add_encoder("shapes")
    embedding.embed(shapes, [images[0].pk, images[1].pk, images[3].pk])
    return shapes


def columns(response: Any) -> dict[str, list[int]]:
    return {
        column.encoder.name: [hit.id for hit in column.results.hits]
        for column in response.context["comparison"].columns
    }


def send(client: Client, **fields: Any) -> Any:
    picture = SimpleUploadedFile("query.png", plain_png(8, 8))
    return client.post("/", {"picture": picture, **fields}, headers=HTMX)


def columns_in_html(response: Any) -> str:
    """Return the columns, without the addresses that links lead to."""
    text = response.text[response.text.index('<div class="beside">') : response.text.index("<dialog")]
    return re.sub(r'(href|src|data-picture)="[^"]*"', "", text)


def test_each_encoder_has_a_column_of_its_own_ranking(client: Client, images: list[Image], shapes: Encoder) -> None:
    red, tomato, orange, blue = (image.pk for image in images)
    response = client.get("/", {"image": red, "beside": "shapes"})
    assert columns(response) == {"colours": [tomato, orange, blue], "shapes": [tomato, blue]}
    assert list(columns(response)) == ["colours", "shapes"]
    assert "12 numbers" in response.text


def test_what_several_found_is_counted(client: Client, images: list[Image], shapes: Encoder) -> None:
    red, tomato, orange, blue = (image.pk for image in images)
    response = client.get("/", {"image": red, "beside": "shapes"})
    assert response.context["comparison"].n_common == 2
    assert response.context["comparison"].found_by == {tomato: 2, blue: 2}
    assert "2 images were found by all 2 encoders." in response.text
    assert client.get("/", {"image": red, "beside": "shapes", "k": 1}).context["comparison"].n_common == 1
    assert orange not in response.context["comparison"].found_by


def test_filters_hold_in_every_column(client: Client, images: list[Image], shapes: Encoder) -> None:
    response = client.get("/", {"image": images[0].pk, "beside": "shapes", "words": "blue"})
    assert columns(response) == {"colours": [images[3].pk], "shapes": [images[3].pk]}


def test_an_encoder_that_has_embedded_nothing_says_so(
    client: Client, images: list[Image], add_encoder: AddEncoder
) -> None:
    add_encoder("textures")
    response = client.get("/", {"image": images[0].pk, "beside": "textures", "blind": "1"})
    assert columns(response)["textures"] == []
    assert "It has embedded none of these images." in response.text
    assert "Which is better?" not in response.text


def test_three_fit_beside_the_first_and_not_one_more(
    client: Client, images: list[Image], add_encoder: AddEncoder
) -> None:
    names = [add_encoder(name).name for name in "abcd"]
    response = client.get("/", {"image": images[0].pk, "beside": ["colours", *names[:3]]})
    assert list(columns(response)) == ["colours", "a", "b", "c"]
    response = client.get("/", {"image": images[0].pk, "beside": names})
    assert response.status_code == 400
    assert "Four encoders fit beside each other at most" in response.text


def test_an_unknown_encoder_beside_is_refused(client: Client, images: list[Image]) -> None:
    response = client.get("/", {"image": images[0].pk, "beside": "resnet9000"})
    assert response.status_code == 400
    assert "resnet9000 is not one of the available choices" in response.text


def test_a_picture_sent_from_a_comparison_is_compared_at_once(client: Client, shapes: Encoder) -> None:
    response = send(client, beside="shapes")
    assert response.status_code == 200
    assert {name: len(found) for name, found in columns(response).items()} == {"colours": 4, "shapes": 3}
    again = client.get(response["HX-Push-Url"])
    assert columns(again) == columns(response)


def test_a_picture_added_to_a_comparison_is_one_of_it_in_every_column(
    client: Client, images: list[Image], shapes: Encoder
) -> None:
    response = send(client, beside="shapes", add="1", image=images[3].pk)
    assert [len(column.results.examples) for column in response.context["comparison"].columns] == [2, 2]
    assert columns(client.get(response["HX-Push-Url"])) == columns(response)


def test_a_picture_that_cannot_be_kept_is_searched_with_by_one_encoder(
    client: Client, shapes: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "keep", lambda query, encoder: query)
    response = send(client, beside="shapes")
    assert response.status_code == 200
    assert len(response.context["results"].hits) == 4


@pytest.mark.parametrize("is_sent", [False, True])
def test_an_encoder_whose_files_are_gone_is_told_in_words(
    client: Client, images: list[Image], shapes: Encoder, network: Any, monkeypatch: pytest.MonkeyPatch, is_sent: bool
) -> None:
    add_to = client.get("/", {"image": images[2].pk}).context["asked"]  # shapes has to embed it now

    def found(encoder: Encoder) -> Any:
        if encoder == shapes:
            raise encoders.NoEncoder("The files of shapes are gone.")
        return network

    monkeypatch.setattr(encoders, "network", found)
    response = send(client, beside="shapes") if is_sent else client.get("/", {**add_to.dict(), "beside": "shapes"})
    assert response.status_code == 503
    assert "The files of shapes are gone." in response.text


def test_blind_nothing_in_the_columns_tells_which_is_which(
    client: Client, images: list[Image], encoder: Encoder, shapes: Encoder
) -> None:
    Encoder.objects.filter(pk=encoder.pk).update(name="palette")
    asked = {"image": images[0].pk, "beside": "shapes"}
    named = columns_in_html(client.get("/", asked))
    assert all(told in named for told in ("palette", "shapes", "12 numbers", "ms"))
    blind = columns_in_html(client.get("/", {**asked, "blind": "1"}))
    assert not any(told in blind for told in ("palette", "shapes", "12 numbers", "ms"))
    assert re.findall(r"<h2>(.)</h2>", blind) == ["A", "B"]
    assert re.findall(r'<section aria-label="([^"]*)">', blind) == ["A", "B"]


def test_blind_the_fields_and_links_are_the_same_whichever_column_is_whose(
    client: Client, images: list[Image], shapes: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = []
    for turn in (False, True):
        monkeypatch.setattr(beside, "shuffled", lambda shown, _, turn=turn: shown[::-1] if turn else list(shown))
        text = client.get("/", {"image": images[0].pk, "beside": "shapes", "blind": "1", "k": 1}).text
        pages.append(re.sub(r'value="\w{64}"', "", text))
    # With one hit each, the same: nothing but the order of the columns could differ.
    assert pages[0] == pages[1]


def test_the_form_to_vote_carries_the_encoders(client: Client, images: list[Image], shapes: Encoder) -> None:
    text = client.get("/", {"image": images[0].pk, "beside": "shapes", "blind": "1"}).text
    form = text[text.index('<form class="vote"') :]
    assert '<input type="hidden" name="beside" value="shapes">' in form[: form.index("</form>")]
    assert re.findall(r'name="choice" value="(\w+)"', form) == ["A", "B", "none"]


def test_the_order_is_the_same_whenever_the_question_is(client: Client, images: list[Image], shapes: Encoder) -> None:
    asked = {"image": images[0].pk, "beside": "shapes", "blind": "1"}
    first = columns(client.get("/", asked))
    assert list(columns(client.get("/", {**asked, "k": 7}))) == list(first)
    assert list(columns(client.get("/", {**asked, "encoder": "shapes", "beside": "colours"}))) == list(first)


def test_the_order_changes_with_the_question_and_is_nobodys_guess(add_encoder: AddEncoder, encoder: Encoder) -> None:
    both = [encoder, add_encoder("shapes")]
    first = [beside.shuffled(both, f"image={n}")[0].name for n in range(60)]
    assert 15 < first.count("shapes") < 45
    assert [one.name for one in beside.shuffled(both[::-1], "image=1")] == [
        one.name for one in beside.shuffled(both, "image=1")
    ]
