"""The page of an image, its picture and its thumbnail."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from PIL import Image as Picture

from search.models import Dataset, Image
from tests.pictures import saved

AddImage = Callable[..., Image]


def picture_url(image: Image) -> str:
    return reverse("picture", args=[image.pk, image.sha256[:12]])


def test_it_shows_what_is_known_of_an_image(client: Client, add_image: AddImage) -> None:
    image = add_image("red", label="warm", tags=["poppy", "field"], split="train")
    text = client.get(f"/images/{image.pk}/").text
    for fact in ("red.png", "Colours", "warm", "poppy", "Train", "64 × 48 pixels", "PNG", "(12 numbers)"):
        assert fact in text


def test_it_shows_the_nearest_images_without_the_image_itself(client: Client, add_image: AddImage) -> None:
    red, orange = add_image("red"), add_image("orange")
    response = client.get(f"/images/{red.pk}/")
    assert [hit.id for hit in response.context["results"].hits] == [orange.pk]


def test_only_staff_see_where_it_came_from(client: Client, admin_client: Client, add_image: AddImage) -> None:
    image = add_image("red", source="holiday/rome/red.png")
    assert "holiday/rome/red.png" not in client.get(f"/images/{image.pk}/").text
    assert "holiday/rome/red.png" in admin_client.get(f"/images/{image.pk}/").text


def test_an_image_that_waits_says_so(client: Client, add_image: AddImage) -> None:
    image = add_image("red", embedded=False)
    text = client.get(f"/images/{image.pk}/").text
    assert "waits for its embedding" in text
    assert "Find similar" not in text


def test_a_refused_image_says_why(client: Client, add_image: AddImage) -> None:
    image = add_image("red", embedded=False, status="refused", error_detail="The file breaks off.")
    assert "The file breaks off." in client.get(f"/images/{image.pk}/").text


def test_an_unknown_image_is_not_found(client: Client, db: None) -> None:
    response = client.get("/images/999999999999999999999/")
    assert response.status_code == 404
    assert "There is no such page" in response.text


@pytest.mark.parametrize("address", ["image", "picture", "thumbnail"])
def test_a_private_image_is_not_there_for_strangers(
    client: Client, admin_client: Client, add_image: AddImage, address: str
) -> None:
    image = add_image("red", dataset=Dataset.objects.create(name="Secret", is_public=False))
    arguments = [image.pk] if address == "image" else [image.pk, image.sha256[:12]]
    assert client.get(reverse(address, args=arguments)).status_code == 404
    assert admin_client.get(reverse(address, args=arguments)).status_code == 200


def test_a_thumbnail_shows_to_whom_its_dataset_shows(add_image: AddImage, django_user_model: Any) -> None:
    owner, stranger = (django_user_model.objects.create_user(name, password="x") for name in ("ann", "bob"))
    staff = django_user_model.objects.create_user("eve", password="x", is_staff=True)
    own = Dataset.objects.create(name="Own", is_public=False, owner=owner)
    nobodys = Dataset.objects.create(name="Nobody's", is_public=False)
    public = Dataset.objects.create(name="Public", owner=stranger)
    for dataset in (own, nobodys, public):
        image = add_image("red", dataset=dataset)
        for user in (None, owner, stranger, staff):
            client = Client()
            if user:
                client.force_login(user)
            is_shown = client.get(image.thumbnail_url).status_code == 200
            assert is_shown == Dataset.objects.visible_to(user).filter(pk=dataset.pk).exists()


def test_a_thumbnail_of_a_number_that_no_image_can_have_is_not_found(client: Client, db: None) -> None:
    assert client.get(reverse("thumbnail", args=[10**30, "0" * 12])).status_code == 404


def test_the_picture_is_a_jpeg_of_at_most_1600_pixels(client: Client, add_image: AddImage) -> None:
    image = add_image(content=saved(Picture.new("RGB", (2400, 900), "teal"), "PNG"))
    response = client.get(picture_url(image))
    assert Picture.open(BytesIO(response.content)).size == (1600, 600)
    assert response["Content-Type"] == "image/jpeg"


def test_the_picture_tells_nothing_that_its_file_holds_besides(client: Client, add_image: AddImage) -> None:
    exif = Picture.Exif()
    exif[0x010E] = "taken at home"
    image = add_image(content=saved(Picture.new("RGB", (64, 48), "teal"), "JPEG", exif=exif))
    assert b"taken at home" in image.original.read_bytes()
    assert b"taken at home" not in client.get(picture_url(image)).content


@pytest.mark.parametrize("address", ["picture", "thumbnail"])
def test_the_browser_keeps_pictures_and_asks_with_an_etag(client: Client, add_image: AddImage, address: str) -> None:
    image = add_image("red")
    url = reverse(address, args=[image.pk, image.sha256[:12]])
    first = client.get(url)
    assert first["Cache-Control"] == "private, max-age=31536000, immutable"
    assert client.get(url, headers={"If-None-Match": first["ETag"]}).status_code == 304


def test_a_picture_of_another_content_is_not_found(client: Client, add_image: AddImage) -> None:
    image = add_image("red")
    assert client.get(reverse("picture", args=[image.pk, "0" * 12])).status_code == 404


def test_a_file_that_is_gone_is_not_found(client: Client, add_image: AddImage, monkeypatch: Any) -> None:
    image = add_image("red")
    monkeypatch.setattr(Image, "original", image.original.with_name("gone.png"))
    assert client.get(picture_url(image)).status_code == 404
    Image.objects.filter(pk=image.pk).update(thumbnail="gone.jpg")
    assert client.get(image.thumbnail_url).status_code == 404


def test_markup_in_a_name_shows_harmlessly(client: Client, add_image: AddImage) -> None:
    evil = "<img src=x onerror=alert(1)>"
    image = add_image("red", source=evil, label=evil, tags=[evil])
    assert evil not in client.get(f"/images/{image.pk}/").text
