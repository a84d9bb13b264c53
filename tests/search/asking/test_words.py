"""Images found by words, without a picture: which, in what order, and whose."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from search.models import Dataset, Encoder, Image

AddImage = Callable[..., Image]


def found(client: Client, words: str, **asked: Any) -> list[str]:
    response = client.get("/", {"words": words, **asked})
    assert response.status_code == 200
    return [image.name for image in response.context["found"].images]


def test_words_are_looked_for_in_name_label_and_tags(client: Client, add_image: AddImage) -> None:
    add_image("red", source="trip/Poppies.png")
    add_image("blue", source="b.png", label="Poppy field")
    tagged = add_image("green", source="c.png")
    Image.objects.filter(pk=tagged.pk).update(tags=["poppy"])
    add_image("black", source="coal.png")
    assert set(found(client, "POPP")) == {"Poppies.png", "b.png", "c.png"}
    assert found(client, "poppy field") == ["b.png"]
    assert found(client, "trip popp") == ["Poppies.png"]
    assert found(client, "coal trip") == []


def test_it_says_how_many_and_each_can_be_searched_with(client: Client, add_image: AddImage) -> None:
    image = add_image("red")
    add_image("darkred")
    text = html.unescape(client.get("/", {"words": "red"}).text)
    assert "2 images with “red”" in text
    assert f'href="/?image={image.pk}"' in text


@pytest.mark.parametrize(("words", "names"), [("%", ["50%.png"]), ("_", ["a_b.png"]), ("\\", [])])
def test_the_signs_of_a_pattern_stand_for_themselves(
    client: Client, add_image: AddImage, words: str, names: list[str]
) -> None:
    for colour, source in (("red", "50%.png"), ("green", "a_b.png"), ("blue", "plain.png")):
        add_image(colour, source=source)
    assert found(client, words) == names


def test_private_images_are_found_by_those_who_may_see_them(
    client: Client, add_image: AddImage, django_user_model: type[User]
) -> None:
    ann, ben = (django_user_model.objects.create_user(name) for name in ("ann", "ben"))
    add_image("red", dataset=Dataset.objects.create(name="Anns", is_public=False, owner=ann))
    add_image("darkred")
    assert found(client, "red") == ["darkred.png"]
    client.force_login(ben)
    assert found(client, "red") == ["darkred.png"]
    assert "Anns" not in client.get("/", {"words": "red"}).text
    client.force_login(ann)
    assert found(client, "red") == ["darkred.png", "red.png"]


def test_images_that_cannot_be_searched_with_are_not_found(client: Client, add_image: AddImage) -> None:
    add_image("red", embedded=False)
    add_image("darkred", embedded=False, status="refused")
    assert found(client, "red") == []


def test_they_come_by_label_and_name_or_as_was_asked(client: Client, add_image: AddImage) -> None:
    for colour, source, label, width in (("red", "x2", "b", 3), ("green", "x1", "b", 9), ("blue", "x3", "a", 6)):
        image = add_image(colour, source=source, label=label)
        Image.objects.filter(pk=image.pk).update(width=width)
    assert found(client, "x") == ["x3", "x1", "x2"]
    assert found(client, "x", sort="newest") == ["x3", "x1", "x2"]
    assert found(client, "x", sort="oldest") == ["x2", "x1", "x3"]
    assert found(client, "x", sort="largest") == ["x1", "x3", "x2"]
    assert found(client, "x", sort="smallest") == ["x2", "x3", "x1"]


def test_pages_follow_each_other_by_their_links(client: Client, add_image: AddImage) -> None:
    for place in range(5):
        add_image(f"#{place:02x}0000", source=f"x{place}")
    address, names = "/?words=x&k=2", []
    while address:
        response = client.get(address)
        names += [image.name for image in response.context["found"].images]
        more = re.search(r'hx-get="(/\?[^"]*)"', response.text[response.text.index('<nav id="more"') :])
        address = html.unescape(more[1]) if more else ""
    assert names == ["x0", "x1", "x2", "x3", "x4"]
    assert "That was all." in response.text


def test_filters_hold_beside_words(client: Client, add_image: AddImage) -> None:
    add_image("red", label="warm")
    add_image("darkred")
    assert found(client, "red", label="warm") == ["red.png"]
    assert found(client, "red", dataset="colours", format="JPEG") == []


def test_nothing_found_is_said_with_what_to_do(client: Client, add_image: AddImage) -> None:
    add_image("red")
    text = html.unescape(client.get("/", {"words": "<zebra>"}).text)
    assert "No image has “<zebra>” in its name, label or tags" in text
    assert "Other words, or a picture" in text
    assert "<zebra>" not in client.get("/", {"words": "<zebra>"}).text


def test_blanks_are_no_words(client: Client, encoder: Encoder) -> None:
    assert "found" not in client.get("/", {"words": "  "}).context


def test_past_the_last_page_the_images_are_still_counted(client: Client, add_image: AddImage) -> None:
    add_image("red", label="apple")
    response = client.get("/", {"words": "apple", "offset": 50})
    assert "1 image with “apple”" in response.text
    assert "There are no more" in response.text
