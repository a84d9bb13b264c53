"""Why a result is like the query, which parts could be searched with, and in words where neither can be told."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from django.core.cache import cache
from django.test import Client
from PIL import Image as Picture

from embeddings.encoder import NoLocations
from search import encoders
from search.asking import explaining, queries
from search.models import Dataset, Encoder, Image
from tests.pictures import photo, png_bytes, saved

AddImage = Callable[..., Image]


@pytest.fixture
def image(add_image: AddImage) -> Image:
    return add_image(content=png_bytes(80, 60, seed=1), source="first.png")


@pytest.fixture
def hit(add_image: AddImage) -> Image:
    return add_image(content=png_bytes(60, 80, seed=2), source="second.png")


def pictures(text: str) -> list[Picture.Image]:
    found = re.findall(r'src="data:image/jpeg;base64,([^"]*)"', text)
    return [Picture.open(BytesIO(base64.b64decode(one))) for one in found]


def square() -> bytes:
    """Return a picture with something in one corner of it."""
    pixels = np.full((120, 160, 3), 240, np.uint8)
    pixels[70:115, 100:155] = np.asarray(photo(55, 45, seed=5))
    return saved(Picture.fromarray(pixels), "PNG")


def test_it_shows_both_pictures_of_a_gallery(client: Client, image: Image, hit: Image) -> None:
    response = client.get(f"/images/{hit.pk}/why/", {"image": image.pk})
    assert response.status_code == 200
    first, second = pictures(response.text)
    assert (first.width > first.height, second.width > second.height) == (True, False)
    assert "By colours, in" in response.text
    assert "no-store" in response["Cache-Control"] or "no-cache" in response["Cache-Control"]


def test_the_same_picture_answers_to_itself_everywhere(client: Client, image: Image) -> None:
    text = client.get(f"/images/{image.pk}/why/", {"image": image.pk}).text
    assert "Equal numbers mark places that answer to each other." in text


def test_it_explains_an_upload(client: Client, hit: Image, encoder: Encoder) -> None:
    kept = queries.keep(queries.from_picture(png_bytes(80, 60, seed=1), encoder), encoder)
    response = client.get(f"/images/{hit.pk}/why/", {"q": kept.key})
    assert len(pictures(response.text)) == 2
    cache.delete(f"query:{kept.key}")
    gone = client.get(f"/images/{hit.pk}/why/", {"q": kept.key})
    assert gone.status_code == 410
    assert "Upload this one again." in gone.text


def test_what_lies_outside_the_part_is_dark_and_without_colour(client: Client, image: Image, hit: Image) -> None:
    first, _ = pictures(client.get(f"/images/{hit.pk}/why/", {"image": image.pk, "crop": "0,0,0.25,1"}).text)
    outside = np.asarray(first.convert("RGB"), np.int16)[:, first.width // 3 :]
    assert outside.max() < 90
    assert np.abs(outside[..., 0] - outside[..., 2]).max() < 12


def test_images_that_may_not_be_seen_are_not_found(client: Client, add_image: AddImage, image: Image) -> None:
    hidden = add_image("red", dataset=Dataset.objects.create(name="Secret", is_public=False))
    for address in (
        f"/images/{hidden.pk}/why/?image={image.pk}",
        f"/images/{image.pk}/why/?image={hidden.pk}",
        f"/images/{10**30}/why/?image={image.pk}",
        f"/regions.json?image={hidden.pk}",
    ):
        response = client.get(address)
        assert response.status_code == 404, address
        assert "Secret" not in response.text


@pytest.mark.parametrize(
    "asked", [{}, {"image": "abc"}, {"image": "1", "encoder": "unknown"}, {"image": "1", "k": "x"}]
)
def test_an_address_that_names_no_search_is_refused(client: Client, image: Image, asked: dict[str, str]) -> None:
    response = client.get(f"/images/{image.pk}/why/", asked)
    assert response.status_code == 400
    assert "This address names no search." in response.text
    regions = client.get("/regions.json", asked)
    assert (regions.status_code, regions.json()) == (400, {"regions": []})


def test_what_is_only_unlike_is_no_search(client: Client, image: Image) -> None:
    assert client.get(f"/images/{image.pk}/why/", {"less": image.pk}).status_code == 400
    assert client.get("/regions.json", {"less": image.pk}).json() == {"regions": []}


def test_an_encoder_without_places_says_so(
    client: Client, image: Image, hit: Image, network: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(images: Any) -> Any:
        raise NoLocations("nothing has a place")

    monkeypatch.setattr(network, "encode_locations", none)
    explaining.warm_up()
    response = client.get(f"/images/{hit.pk}/why/", {"image": image.pk})
    assert response.status_code == 200
    assert "This encoder has no parts to compare" in response.text
    assert client.get("/regions.json", {"image": image.pk}).json() == {"regions": []}


def test_a_file_that_is_gone_is_told_in_words(client: Client, image: Image, hit: Image) -> None:
    hit.original.unlink()
    response = client.get(f"/images/{hit.pk}/why/", {"image": image.pk})
    assert response.status_code == 422
    assert "The file cannot be read" in response.text
    assert str(hit.original.parent) not in response.text
    assert client.get("/regions.json", {"image": hit.pk}).json() == {"regions": []}


def test_an_encoder_whose_files_are_gone_is_told_in_words(
    client: Client, image: Image, hit: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(encoder: Encoder) -> Any:
        raise encoders.NoEncoder("The files of colours are gone.")

    monkeypatch.setattr(encoders, "network", gone)
    response = client.get(f"/images/{hit.pk}/why/", {"image": image.pk})
    assert response.status_code == 503
    assert "The files of colours are gone." in response.text


def test_without_a_cache_it_explains_all_the_same(
    client: Client, image: Image, hit: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise ConnectionError

    monkeypatch.setattr(cache, "get", broken)
    monkeypatch.setattr(cache, "set", broken)
    assert len(pictures(client.get(f"/images/{hit.pk}/why/", {"image": image.pk}).text)) == 2


def test_once_warm_it_encodes_nothing_but_the_two_pictures(
    client: Client, image: Image, hit: Image, network: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.clear()
    encoded: list[int] = []
    locate = network.encode_locations

    def counted(inputs: Any) -> Any:
        encoded.append(len(inputs))
        return locate(inputs)

    monkeypatch.setattr(network, "encode_locations", counted)
    explaining.warm_up()
    assert encoded == [1, 2]  # nothing; both images, whose likeness is the usual one
    client.get(f"/images/{hit.pk}/why/", {"image": image.pk})
    assert encoded == [1, 2, 2]


@pytest.mark.django_db
def test_warming_up_needs_no_encoder() -> None:
    explaining.warm_up()


@pytest.mark.parametrize("is_sent", [False, True])
def test_the_part_with_something_in_it_is_suggested(
    client: Client, add_image: AddImage, encoder: Encoder, is_sent: bool
) -> None:
    if is_sent:
        asked = {"q": queries.keep(queries.from_picture(square(), encoder), encoder).key}
    else:
        asked = {"image": add_image(content=square()).pk}
    regions = client.get("/regions.json", asked).json()["regions"]
    assert regions
    x, y, width, height = regions[0]
    assert x + width / 2 > 0.5
    assert y + height / 2 > 0.5
    assert all(min(one) >= 0 and one[0] + one[2] <= 1.001 and one[1] + one[3] <= 1.001 for one in regions)


def test_nothing_is_written_by_looking(client: Client, image: Image) -> None:
    assert client.post("/regions.json", {"image": image.pk}).status_code == 405
    assert client.post(f"/images/{image.pk}/why/", {"image": image.pk}).status_code == 405
