"""The search page: pictures in, nearest images out, and a sentence for everything that cannot be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client

from search import indexing
from search.asking import queries
from search.models import Dataset, Encoder, Image
from search.neighbours import MAX_HITS, Hit
from tests.pictures import huge_header_png, plain_png, truncated_jpeg

AddImage = Callable[..., Image]


def upload(client: Client, content: bytes, name: str = "query.png", **fields: Any) -> HttpResponse:
    follow = fields.pop("follow", True)
    headers = fields.pop("headers", {})
    picture = SimpleUploadedFile(name, content)
    return client.post("/", {"picture": picture, **fields}, follow=follow, headers=headers)


def hits(response: HttpResponse) -> list[Hit]:
    return response.context["results"].hits


def test_it_shows_the_nearest_images_first(client: Client, add_image: AddImage) -> None:
    for colour in ("blue", "orange", "red"):
        add_image(colour, label=colour)
    response = upload(client, plain_png(80, 60, "red"))
    assert [hit.label for hit in hits(response)] == ["red", "orange", "blue"]
    assert "3 nearest of 3 images" in response.text
    assert "every image compared" in response.text


def test_an_upload_leads_to_an_address_that_can_be_reloaded(client: Client, add_image: AddImage) -> None:
    add_image("red")
    response = upload(client, plain_png(80, 60, "red"), follow=False, k="5")
    assert response.status_code == 303
    assert client.get(response["Location"]).status_code == 200
    assert response["Location"].endswith("&k=5")


def test_htmx_gets_the_results_at_once_and_the_address_beside_them(client: Client, add_image: AddImage) -> None:
    add_image("red")
    response = upload(client, plain_png(80, 60, "red"), headers={"HX-Request": "true"})
    assert response.redirect_chain == []
    assert response["HX-Push-Url"].startswith("/?q=")
    assert "decode " in response.text


def test_a_picture_is_decoded_and_embedded_once(client: Client, add_image: AddImage, network: Any) -> None:
    add_image("red")
    before = network.n_encoded
    upload(client, plain_png(80, 60, "red"))
    assert network.n_encoded == before + 1


def test_without_a_cache_the_results_come_with_the_upload(
    client: Client, add_image: AddImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_image("red")
    monkeypatch.setattr(queries, "keep", lambda query, encoder: query)
    response = upload(client, plain_png(80, 60, "red"), follow=False)
    assert response.status_code == 200
    assert "data:image/jpeg;base64," in response.text


def test_the_query_picture_is_served_again(client: Client, encoder: Encoder, dataset: Dataset) -> None:
    response = upload(client, plain_png(80, 60, "red"))
    picture = client.get(response.context["results"].query.preview_url)
    assert picture.content.startswith(b"\xff\xd8")
    assert picture["Cache-Control"].startswith("private")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"This is a letter, not a picture.", "This is not a picture"),
        (truncated_jpeg(), "breaks off"),
        (huge_header_png(), "megapixels"),
        (b"", "The file is empty."),
        (plain_png(8, 8) + bytes(20_000_000), "the limit is 20 MB"),
    ],
    ids=["text", "truncated", "huge", "empty", "too many bytes"],
)
def test_a_picture_that_cannot_be_read_is_refused_in_words(
    client: Client, encoder: Encoder, content: bytes, reason: str
) -> None:
    response = upload(client, content, "holiday.jpg")
    assert response.status_code == 422
    assert reason in response.text
    assert response["HX-Push-Url"] == "false"


def test_no_picture_at_all_is_refused_in_words(client: Client, encoder: Encoder) -> None:
    response = client.post("/")
    assert response.status_code == 422
    assert "Choose a picture to search with." in response.text


@pytest.mark.parametrize("k", ["0", "-1", "100000", "abc", "1.5"])
def test_a_number_of_results_that_makes_no_sense_is_refused(client: Client, encoder: Encoder, k: str) -> None:
    assert upload(client, plain_png(8, 8), k=k).status_code == 422
    response = client.get("/", {"k": k})
    assert response.status_code == 400
    assert "whole number from 1 to 1,000" in response.text


def test_an_unknown_dataset_is_refused_with_those_there_are(client: Client, encoder: Encoder, dataset: Dataset) -> None:
    response = client.get("/", {"dataset": "birds"})
    assert response.status_code == 400
    assert "There is no dataset &#x27;birds&#x27;. There are: colours." in response.text


def test_a_private_dataset_is_told_like_one_that_is_not_there(client: Client, encoder: Encoder) -> None:
    Dataset.objects.create(name="Secret", is_public=False)
    response = client.get("/", {"dataset": "secret"})
    assert "There is no dataset &#x27;secret&#x27;. There are no datasets yet." in response.text


def test_an_unknown_encoder_is_refused_with_those_there_are(client: Client, encoder: Encoder) -> None:
    response = upload(client, plain_png(8, 8), encoder="resnet9000")
    assert response.status_code == 422
    assert "There is no encoder named &#x27;resnet9000&#x27;. Installed: colours." in response.text


@pytest.mark.parametrize("image", ["999999", "9223372036854775807"])
def test_an_unknown_image_is_not_found(client: Client, encoder: Encoder, image: str) -> None:
    response = client.get("/", {"image": image})
    assert response.status_code == 404
    assert "There is no such page" in response.text


def test_an_image_id_that_is_no_number_is_refused(client: Client, encoder: Encoder) -> None:
    assert client.get("/", {"image": "abc"}).status_code == 400
    assert client.get("/", {"image": "99999999999999999999"}).status_code == 400


def test_find_similar_leaves_the_image_itself_out(client: Client, add_image: AddImage) -> None:
    red, orange, _ = add_image("red"), add_image("orange"), add_image("blue")
    response = client.get("/", {"image": red.pk})
    assert hits(response)[0].id == orange.pk
    assert "2 nearest of 2 images" in response.text


def test_find_similar_keeps_dataset_and_number(client: Client, add_image: AddImage) -> None:
    red, orange = add_image("red"), add_image("orange")
    response = client.get("/", {"image": red.pk, "dataset": "colours", "k": 7})
    assert f"?dataset=colours&amp;k=7&amp;image={orange.pk}" in response.text


def test_an_image_of_a_private_dataset_cannot_be_searched_with(client: Client, add_image: AddImage) -> None:
    secret = add_image("red", dataset=Dataset.objects.create(name="Secret", is_public=False))
    assert client.get("/", {"image": secret.pk}).status_code == 404


def test_private_images_are_found_by_their_owner_alone(
    client: Client, add_image: AddImage, django_user_model: Any
) -> None:
    owner = django_user_model.objects.create_user("ada")
    add_image("red", dataset=Dataset.objects.create(name="Secret", is_public=False, owner=owner))
    assert hits(upload(client, plain_png(8, 8))) == []
    client.force_login(owner)
    assert len(hits(upload(client, plain_png(8, 8)))) == 1


def test_pages_follow_each_other_without_gap_or_repetition(client: Client, add_image: AddImage) -> None:
    images = [add_image(f"#{red:02x}2040") for red in range(0, 250, 25)]
    first = client.get("/", {"image": images[0].pk, "k": 4})
    second = client.get("/", {"image": images[0].pk, "k": 4, "offset": 4})
    third = client.get("/", {"image": images[0].pk, "k": 4, "offset": 8})
    ids = [hit.id for page in (first, second, third) for hit in hits(page)]
    assert ids == [image.pk for image in images[1:]]
    assert "offset=4" in first.text
    assert "5 to 8 of 9 images" in second.text
    assert "That was all." in third.text


def test_a_page_past_the_last_rank_is_shorter_and_not_an_error(client: Client, add_image: AddImage) -> None:
    red = add_image("red")
    assert client.get("/", {"image": red.pk, "k": 24, "offset": MAX_HITS - 10}).status_code == 200
    assert "There are no more" in client.get("/", {"image": red.pk, "offset": 10**9}).text
    assert client.get("/", {"image": red.pk, "offset": 10**9 + 1}).status_code == 400


def test_an_expired_query_asks_for_the_picture_again(client: Client, encoder: Encoder) -> None:
    response = client.get("/", {"q": "long-gone"})
    assert response.status_code == 410
    assert "Upload this one again." in response.text


def test_without_an_encoder_it_says_what_to_run(client: Client, db: None) -> None:
    response = client.get("/")
    assert response.status_code == 200
    assert "manage.py install_encoder mobilenet_v2" in response.text
    assert upload(client, plain_png(8, 8)).status_code == 503


def test_without_datasets_it_says_how_to_import(client: Client, encoder: Encoder) -> None:
    assert "manage.py import_images" in client.get("/").text


def test_images_that_wait_for_their_embedding_are_counted(client: Client, add_image: AddImage) -> None:
    add_image("red", embedded=False)
    assert "1 picture is on the way" in client.get("/").text
    add_image("blue")
    assert "1 more picture waits for its embedding" in upload(client, plain_png(8, 8)).text


def test_labels_and_names_with_markup_show_harmlessly(client: Client, add_image: AddImage) -> None:
    evil = "<script>alert(1)</script>"
    add_image("red", label=evil, source=f"{evil}.png")
    text = upload(client, plain_png(8, 8)).text
    assert evil not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


@pytest.mark.django_db(transaction=True)  # an index is built outside transactions
def test_an_answer_through_the_index_says_so(
    client: Client, add_image: AddImage, encoder: Encoder, settings: Any
) -> None:
    images = [add_image(f"#{red:02x}8040") for red in range(0, 200, 10)]
    settings.EXACT_SEARCH_UP_TO = 5
    indexing.build(encoder)
    response = client.get("/", {"image": images[0].pk, "k": 3})
    assert "approximate" in response.text
    assert len(hits(response)) == 3


def test_no_page_holds_inline_script_or_style(client: Client, add_image: AddImage) -> None:
    add_image("red")
    text = upload(client, plain_png(8, 8)).text
    assert "style=" not in text
    assert "<style" not in text
    assert "<script>" not in text
