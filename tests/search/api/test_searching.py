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

from embeddings.images import decoding
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


def test_several_images_are_searched_with_and_do_not_answer(client: Client, add_image: AddImage) -> None:
    red, blue, dark, navy = (add_image(colour) for colour in ("red", "blue", "darkred", "navy"))
    body = post_json(client, image_ids=[red.pk], less_ids=[blue.pk]).json()
    assert [hit["id"] for hit in body["hits"]] == [dark.pk, navy.pk]
    assert body["worth"] == [None, None]
    by_form = post(client, image_ids=[str(red.pk), str(dark.pk)], less_ids=str(blue.pk)).json()
    assert [hit["id"] for hit in by_form["hits"]] == [navy.pk]


def test_a_picture_is_joined_by_images(client: Client, add_image: AddImage) -> None:
    red, blue, dark = (add_image(colour) for colour in ("red", "blue", "darkred"))
    hits = post(client, png("red"), less_ids=str(blue.pk)).json()["hits"]
    assert [hit["id"] for hit in hits] == [red.pk, dark.pk]


def test_a_vector_finds_what_its_picture_finds(client: Client, add_image: AddImage) -> None:
    red = add_image("red")
    add_image("blue")
    vector = client.get(f"/api/v1/images/{red.pk}/vector").json()["vector"]
    for length in (1, 1000):
        hits = post_json(client, vector=[length * one for one in vector], encoder="colours").json()["hits"]
        assert (hits[0]["id"], hits[0]["distance"]) == (red.pk, pytest.approx(0, abs=1e-3))


def test_filters_say_which_images_may_answer(client: Client, add_image: AddImage) -> None:
    warm = add_image("red", label="warm", split="test")
    add_image("blue", label="cold")
    for fields in ({"labels": ["warm"]}, {"splits": ["test"]}, {"words": "RED"}, {"max_distance": 0.01}):
        assert [hit["id"] for hit in post_json(client, image=_base64("red"), **fields).json()["hits"]] == [warm.pk]
    assert [hit["id"] for hit in post(client, png("red"), labels=["warm", "none"]).json()["hits"]] == [warm.pk]
    assert post(client, png("red"), orientation="portrait").json()["hits"] == []


def test_pages_go_on_after_the_last_hit(client: Client, add_image: AddImage) -> None:
    for level in range(5):
        add_image(content=png(f"rgb({40 * level + 20}, 0, 0)"))
    every = [hit["id"] for hit in post(client, png("red"), k="5").json()["hits"]]
    first = post(client, png("red"), k="2").json()
    second = post(client, png("red"), k="2", after=first["next"]).json()
    last = post(client, png("red"), k="2", after=second["next"]).json()
    assert [hit["id"] for page in (first, second, last) for hit in page["hits"]] == every
    assert last["next"] is None


@pytest.mark.parametrize(
    ("fields", "status", "detail"),
    [
        ({"vector": [1.0, 2.0]}, 400, "Name the encoder"),
        ({"vector": [1.0], "encoder": "colours"}, 400, "A vector of colours has 12 numbers; got 1."),
        ({"vector": [0.0] * 12, "encoder": "colours"}, 400, "length above 0"),
        ({"vector": "x", "encoder": "colours"}, 422, "vector: Input should be a valid list"),
        ({"vector": ["x"], "encoder": "colours"}, 422, "vector.0: Input should be a valid number"),
        ({"vector": [1e308] * 12, "encoder": "colours"}, 400, "numbers below 65,504"),
        ({"image_ids": [0]}, 422, "image_ids.0: Input should be greater than or equal to 1"),
        ({"image_ids": [999_999]}, 404, "There is no image 999999."),
        ({"image_ids": list(range(1, 23))}, 422, "at most 20 items"),
        ({"image_ids": list(range(1, 20)), "less_ids": [30, 31]}, 400, "A search takes 20 pictures at most."),
        ({"less_ids": [1]}, 404, "There is no image 1."),
        ({"image_id": 1, "splits": ["half"]}, 422, "splits.0: Input should be 'none', 'train', 'val' or 'test'"),
        ({"image_id": 1, "labels": ["a\0"]}, 422, "labels.0"),
        ({"image_id": 1, "added_from": "yesterday"}, 422, "added_from"),
        ({"image_id": 1, "max_distance": -1}, 422, "max_distance"),
        ({"image_id": 1, "after": "x"}, 400, "after must be what an answer before gave"),
        ({"image_id": 1, "after": "2~nan~1"}, 400, "after must be what an answer before gave"),
    ],
)
def test_a_field_that_makes_no_sense_is_told_so(
    client: Client, fields: dict[str, Any], status: int, detail: str
) -> None:
    response = post_json(client, **fields)
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    assert detail in response.json()["detail"]


def test_what_is_not_wanted_says_nothing_alone(client: Client, add_image: AddImage) -> None:
    response = post_json(client, less_ids=[add_image("red").pk])
    assert (response.status_code, response.json()["code"]) == (400, "nothing_wanted")


def _base64(colour: str) -> str:
    return base64.b64encode(png(colour)).decode()


def test_a_field_that_there_is_not_is_told(client: Client, add_image: AddImage) -> None:
    image = add_image("red")
    for answer in (post_json(client, image_id=image.pk, label="warm"), post(client, image_id=image.pk, label="warm")):
        assert (answer.status_code, answer.json()["code"]) == (400, "unknown_field")
        assert "There is no field 'label'. There are: image, added_from" in answer.json()["detail"]


def test_whole_numbers_may_have_a_point(client: Client, add_image: AddImage) -> None:
    red, blue = add_image("red"), add_image("blue")
    assert [hit["id"] for hit in post_json(client, image_id=float(red.pk), k=5.0).json()["hits"]] == [blue.pk]


def test_distances_that_are_lengths_say_no_similarity(client: Client, add_image: AddImage) -> None:
    add_image("red")
    Encoder.objects.update(distance="l2")
    (hit,) = post(client, png("darkred")).json()["hits"]
    assert hit["similarity"] is None
    assert hit["distance"] > 0


def test_a_file_that_is_too_large_is_told_as_that(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "MAX_FILE_BYTES", 50)
    answer = post(client, png("red"))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large_file")
