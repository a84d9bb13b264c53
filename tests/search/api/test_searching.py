"""`POST /api/v1/search`: by a file, by base64, by an image of a gallery; and each way to get it wrong."""

import base64
import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image as Picture

from search.models import Dataset, Encoder, Image
from tests.conftest import png
from tests.pictures import huge_header_png, truncated_jpeg

AddImage = Callable[..., Image]
pytestmark = pytest.mark.usefixtures("encoder")


def post(client: Client, content: bytes | None = None, **fields: Any) -> Any:
    form = {**fields, "image": SimpleUploadedFile("query.png", content)} if content is not None else fields
    return client.post("/api/v1/search", form)


def post_json(client: Client, **fields: Any) -> Any:
    return client.post("/api/v1/search", json.dumps(fields), content_type="application/json")


def test_a_file_gets_its_nearest_images(client: Client, add_image: AddImage) -> None:
    red, blue = add_image("red", label="warm"), add_image("blue")
    body = post(client, png("darkred")).json()
    assert [hit["id"] for hit in body["hits"]] == [red.pk, blue.pk]
    assert body["exact"] is True
    assert body["took_ms"].keys() == {"decode", "embed", "search"}
    hit = body["hits"][0]
    assert hit.keys() == {"id", "source", "label", "dataset", "distance", "similarity", "url", "thumbnail_url"}
    assert (hit["label"], hit["dataset"], hit["url"]) == ("warm", "Colours", f"/images/{red.pk}/")
    assert hit["similarity"] == pytest.approx(1 - hit["distance"], abs=1e-6)


def test_a_picture_that_is_in_the_gallery_finds_itself_at_distance_0(client: Client, add_image: AddImage) -> None:
    add_image("red")
    assert post(client, png("red")).json()["hits"][0]["distance"] == pytest.approx(0, abs=1e-3)


def test_base64_in_json_is_the_same_search(client: Client, add_image: AddImage) -> None:
    add_image("red")
    by_file = post(client, png("blue")).json()["hits"]
    assert post_json(client, image=base64.b64encode(png("blue")).decode()).json()["hits"] == by_file


def test_an_image_of_a_gallery_is_left_out_of_its_own_answer(client: Client, add_image: AddImage) -> None:
    red, blue = add_image("red"), add_image("blue")
    assert [hit["id"] for hit in post_json(client, image_id=red.pk).json()["hits"]] == [blue.pk]


def test_an_image_of_a_gallery_can_be_named_in_a_form_too(client: Client, add_image: AddImage) -> None:
    red, blue = add_image("red"), add_image("blue")
    assert [hit["id"] for hit in post(client, image_id=str(red.pk)).json()["hits"]] == [blue.pk]


def test_k_says_how_many(client: Client, add_image: AddImage) -> None:
    for colour in ("red", "blue", "green"):
        add_image(colour)
    assert len(post(client, png("red"), k="2").json()["hits"]) == 2


def test_a_crop_searches_with_a_part(client: Client, add_image: AddImage) -> None:
    red, blue = add_image("red"), add_image("blue")
    half_and_half = halves("red", "blue")
    assert post(client, half_and_half, crop="0,0,0.5,1").json()["hits"][0]["id"] == red.pk
    assert post(client, half_and_half, crop="0.5,0,0.5,1").json()["hits"][0]["id"] == blue.pk


def test_a_dataset_limits_the_answer(client: Client, add_image: AddImage) -> None:
    add_image("red")
    other = Dataset.objects.create(name="Other")
    image = add_image("blue", dataset=other)
    assert [hit["id"] for hit in post(client, png("red"), dataset="other").json()["hits"]] == [image.pk]


def test_a_private_dataset_answers_its_owner_and_nobody_else(client: Client, add_image: AddImage) -> None:
    owner = get_user_model().objects.create_user("owner")
    private = Dataset.objects.create(name="Private", is_public=False, owner=owner)
    image = add_image("red", dataset=private)
    assert post(client, png("red")).json()["hits"] == []
    assert post(client, png("red"), dataset="private").status_code == 404
    assert post_json(client, image_id=image.pk).status_code == 404
    client.force_login(owner)
    assert len(post(client, png("red")).json()["hits"]) == 1


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"this is a text file", "not_an_image"),
        (b"", "empty"),
        (truncated_jpeg(), "truncated"),
        (huge_header_png(), "too_many_pixels"),
    ],
)
def test_a_bad_picture_is_refused_with_its_reason(client: Client, content: bytes, code: str) -> None:
    response = post(client, content)
    assert response.status_code == 422
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["code"] == code
    assert len(response.json()["detail"]) > 15


@pytest.mark.parametrize(
    ("fields", "status", "detail"),
    [
        ({"k": "0"}, 400, "k must be from 1 to 1000; got 0."),
        ({"k": "100000"}, 400, "k must be from 1 to 1000; got 100000."),
        ({"k": "many"}, 400, "k must be a whole number from 1 to 1000; got 'many'."),
        ({"dataset": "nowhere"}, 404, "There is no dataset 'nowhere'. There are no datasets yet."),
        ({"encoder": "nothing"}, 404, "There is no encoder named 'nothing'. Installed: colours."),
        ({"dataset": "a\0b"}, 404, "There is no dataset 'a\\x00b'."),
        ({"encoder": "a\0b"}, 404, "There is no encoder named 'a\\x00b'."),
        ({"crop": "1,2"}, 400, "crop must be four numbers"),
        ({"crop": "0.9,0,0.5,1"}, 422, "The crop must be"),
    ],
)
def test_a_bad_word_is_told_with_what_would_do(
    client: Client, fields: dict[str, str], status: int, detail: str
) -> None:
    response = post(client, png(), **fields)
    assert (response.status_code, detail in response.json()["detail"]) == (status, True), response.content


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("{", 400),
        ("[]", 400),
        ("{}", 400),
        ('{"image": "%%%"}', 400),
        ('{"image_id": "x"}', 404),
        ('{"image_id": true}', 404),
        ('{"image": "éééé"}', 400),
        ('{"image": "\\ud800"}', 400),
        ("[" * 100_000, 400),
        ('{"image": ' + "[" * 200_000 + "]" * 200_000 + "}", 400),
        ('{"image_id": 99999999999999999999}', 404),
        ('{"image_id": 1, "dataset": "\\ud800"}', 404),
    ],
)
def test_bad_json_is_told_so(client: Client, body: str, status: int) -> None:
    response = client.post("/api/v1/search", body, content_type="application/json")
    assert response.status_code == status, response.content


def test_a_slug_that_is_another_datasets_name_means_the_slug(client: Client, add_image: AddImage) -> None:
    first, second = Dataset.objects.create(name="My Photos"), Dataset.objects.create(name="my-photos")
    image = add_image("red", dataset=first)
    add_image("blue", dataset=second)
    assert [hit["id"] for hit in post(client, png("red"), dataset="my-photos").json()["hits"]] == [image.pk]


def test_a_part_of_an_image_of_a_gallery_can_be_searched_with(client: Client, add_image: AddImage) -> None:
    red, blue = add_image("red"), add_image("blue")
    both = add_image(content=halves("red", "blue"))
    right = post_json(client, image_id=both.pk, crop="0.5,0,0.5,1").json()["hits"]
    assert [hit["id"] for hit in right] == [blue.pk, red.pk]


def test_a_field_that_is_empty_is_one_that_was_not_sent(client: Client, add_image: AddImage) -> None:
    add_image("red")
    assert post(client, png("red"), image_id="", k="", dataset="").status_code == 200


def test_another_method_is_told_what_would_do(client: Client) -> None:
    response = client.get("/api/v1/search")
    assert (response.status_code, response["Allow"], response.json()["code"]) == (405, "POST", "method_not_allowed")


def test_a_body_that_breaks_off_is_told_so(client: Client) -> None:
    response = client.post("/api/v1/search", b"--x", content_type="multipart/form-data; boundary=")
    assert (response.status_code, response["Content-Type"]) == (400, "application/problem+json")


def test_without_an_encoder_it_says_what_to_install(client: Client) -> None:
    Encoder.objects.all().delete()
    response = post(client, png())
    assert response.status_code == 503
    assert "install_encoder mobilenet_v2" in response.json()["detail"]


def test_the_api_describes_itself(client: Client) -> None:
    schema = client.get("/api/openapi.json").json()
    assert "multipart/form-data" in schema["paths"]["/api/v1/search"]["post"]["requestBody"]["content"]
    assert client.get("/api/docs").status_code == 200


def halves(left: str, right: str) -> bytes:
    picture = Picture.new("RGB", (64, 64), left)
    picture.paste(right, (32, 0, 64, 64))
    content = io.BytesIO()
    picture.save(content, "PNG")
    return content.getvalue()
