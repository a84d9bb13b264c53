"""A page of hits: copies apart, other orders, the page after it, where it ends, and what its distances are worth."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from pgvector import HalfVector
from PIL.Image import Resampling

from search.asking import examples
from search.asking.examples import Mix, Wish, Wishes
from search.asking.results import Page, Results, find
from search.models import Dataset, Embedding, Encoder, Image
from search.neighbours import Scope
from search.quality import calibrating
from tests.pictures import photo, plain_png, saved

AddImage = Callable[..., Image]
PHOTO = saved(photo(320, 240, seed=3), "PNG")
SMALLER = saved(photo(320, 240, seed=3).resize((160, 120), Resampling.LANCZOS), "JPEG", quality=85)


def get(client: Client, **asked: Any) -> Results:
    return client.get("/", asked).context["results"]


def ids(results: Results) -> list[int]:
    return [hit.id for hit in results.hits]


def copies(results: Results) -> tuple[list[int], list[int]]:
    return [one.hit.id for one in results.exact_copies], [one.hit.id for one in results.near_copies]


def upload(client: Client, content: bytes, **fields: Any) -> Any:
    return client.post("/", {"picture": SimpleUploadedFile("query.png", content), **fields}, follow=True)


def tiles(response: Any) -> list[int]:
    """Return the images of the grid of similar ones, as the page shows it."""
    grid = response.text[response.text.index('<ol id="hits"') : response.text.index('<nav id="more"')]
    return [int(text) for text in re.findall(r'data-id="(\d+)"', grid)]


def next_address(response: Any) -> str:
    """Return where the page's own link to the next one leads; nothing where it has none."""
    more = response.text[response.text.index('<nav id="more"') :]
    found = re.search(r'hx-get="([^"]*)"', more[: more.index("</nav>")])
    return html.unescape(found[1]) if found else ""


def asked_with(image: Image, encoder: Encoder) -> Mix:
    return examples.recall(Wishes(images=[Wish(name=str(image.pk))]), encoder, None)


@pytest.fixture
def many(add_image: AddImage, encoder: Encoder, dataset: Dataset) -> Image:
    """An image among 1,100 more, each a little farther from it and smaller than the one before."""
    query = add_image("red")
    facts = {"source": "x.png", "format": "PNG", "height": 1, "n_bytes": 1, "status": "ready"}
    angles = np.linspace(0.1, 1.4, 1100)
    vectors = np.zeros((len(angles), encoder.dim), np.float32)
    vectors[:, 0], vectors[:, 1] = np.cos(angles), np.sin(angles)
    Embedding.objects.filter(image=query).update(vector=HalfVector(np.eye(1, encoder.dim, dtype=np.float32)[0]))
    images = Image.objects.bulk_create(
        Image(dataset=dataset, sha256=f"{n:064d}", width=2000 - n, **facts) for n in range(len(angles))
    )
    Embedding.objects.bulk_create(
        Embedding(image=image, encoder=encoder, dataset=dataset, vector=HalfVector(vector))
        for image, vector in zip(images, vectors, strict=True)
    )
    return query


def test_copies_stand_apart_from_what_is_similar(client: Client, add_image: AddImage) -> None:
    exact = add_image(content=PHOTO, dataset=Dataset.objects.create(name="Elsewhere"))
    near, other, red = add_image(content=SMALLER), add_image(content=saved(photo(seed=9), "PNG")), add_image("red")
    response = upload(client, PHOTO)
    results = response.context["results"]
    assert copies(results) == ([exact.pk], [near.pk])
    assert set(tiles(response)) == {other.pk, red.pk}
    assert (results.n_searched, results.n_similar) == (4, 2)
    headings = [re.sub(r"<.*?>", "", text) for text in re.findall(r'class="kind-head"[^>]*>(.*?)</h2>', response.text)]
    assert headings == ["Exact copies 1", "Near-duplicates 1", "Similar 2"]
    assert "the same file" in response.text


def test_an_image_of_a_gallery_has_copies_too_but_is_none_itself(client: Client, add_image: AddImage) -> None:
    image = add_image(content=PHOTO)
    exact = add_image(content=PHOTO, dataset=Dataset.objects.create(name="Elsewhere"))
    near = add_image(content=SMALLER)
    add_image("red")
    assert copies(get(client, image=image.pk)) == ([exact.pk], [near.pk])


def test_copies_in_datasets_that_may_not_be_seen_are_not_told(client: Client, add_image: AddImage) -> None:
    add_image(content=PHOTO, dataset=Dataset.objects.create(name="Secret", is_public=False))
    add_image("red")
    response = upload(client, PHOTO)
    assert copies(response.context["results"]) == ([], [])
    assert "Secret" not in response.text


def test_filters_hold_for_copies(client: Client, add_image: AddImage) -> None:
    image = add_image(content=PHOTO, label="apple")
    near = add_image(content=SMALLER, label="pear")
    add_image("red", label="apple")
    assert copies(get(client, image=image.pk)) == ([], [near.pk])
    assert copies(get(client, image=image.pk, label="apple")) == ([], [])
    assert copies(get(client, image=image.pk, label="pear")) == ([], [near.pk])


def test_copies_are_not_shown_again_on_the_next_page(client: Client, add_image: AddImage, encoder: Encoder) -> None:
    image, near = add_image(content=PHOTO), add_image(content=SMALLER)
    others = [add_image(colour).pk for colour in ("red", "green", "blue")]
    # A copy that is far by its vector, and sure only when it is looked at, because its hash differs in some bits.
    Embedding.objects.filter(image=near).update(vector=HalfVector([-1.0] + [0.0] * (encoder.dim - 1)))
    bits = Image.objects.values_list("phash", flat=True).get(pk=image.pk)
    text = bits if isinstance(bits, str) else bits.to_text()
    Image.objects.filter(pk=near.pk).update(phash=text[:58] + "".join("10"[int(bit)] for bit in text[58:]))
    first = client.get("/", {"image": image.pk, "k": 2})
    assert copies(first.context["results"]) == ([], [near.pk])
    second = client.get(next_address(first))
    assert {*tiles(first), *tiles(second)} == set(others)
    assert near.pk in ids(second.context["results"])


@pytest.mark.parametrize("asked", [{"crop": "0,0,0.5,0.5"}, {"more": True}])
def test_a_part_or_several_pictures_have_no_copies(client: Client, add_image: AddImage, asked: dict[str, Any]) -> None:
    image, other = add_image(content=PHOTO), add_image("red")
    add_image(content=PHOTO, dataset=Dataset.objects.create(name="Elsewhere"))
    if asked.pop("more", False):
        asked = {"image": [image.pk, other.pk]}
    assert not get(client, **{"image": image.pk, **asked}).has_copies


@pytest.mark.parametrize("sort", ["newest", "oldest", "largest", "smallest"])
def test_hits_come_in_the_order_that_was_asked_for(client: Client, add_image: AddImage, sort: str) -> None:
    query = add_image("red")
    now = timezone.now()
    placed = {}
    for colour, days, width in (("orange", 2, 500), ("blue", 1, 900), ("tomato", 3, 700)):
        image = add_image(colour)
        Image.objects.filter(pk=image.pk).update(created_at=now - timedelta(days=days), width=width)
        placed[colour] = image.pk
    expected = {
        "newest": ["blue", "orange", "tomato"],
        "oldest": ["tomato", "orange", "blue"],
        "largest": ["blue", "tomato", "orange"],
        "smallest": ["orange", "tomato", "blue"],
    }[sort]
    first = client.get("/", {"image": query.pk, "sort": sort, "k": 2})
    second = client.get(next_address(first))
    assert [*tiles(first), *tiles(second)] == [placed[colour] for colour in expected]
    assert "after=" not in next_address(first)
    assert next_address(second) == ""


def test_other_orders_are_of_the_nearest_thousand(many: Image, encoder: Encoder, dataset: Dataset) -> None:
    scope = Scope(dataset_ids=(dataset.pk,))
    mix = asked_with(many, encoder)
    pages = [find(mix, encoder, scope, Page(k=400, offset=offset, sort="smallest")) for offset in (0, 400, 800)]
    widths = [hit.width for page in pages for hit in page.hits]
    assert widths == list(range(1001, 2001))
    assert [page.next_offset for page in pages] == [400, 800, None]


def test_pages_follow_each_other_past_a_thousand(many: Image, encoder: Encoder, dataset: Dataset) -> None:
    scope = Scope(dataset_ids=(dataset.pk,))
    mix = asked_with(many, encoder)
    pages = [find(mix, encoder, scope, Page(k=400))]
    while pages[-1].next_offset is not None:
        pages.append(find(mix, encoder, scope, Page(k=400, offset=pages[-1].last, after=pages[-1].next_place)))
    assert [(page.first, page.last) for page in pages] == [(1, 400), (401, 800), (801, 1100)]
    assert [hit.width for page in pages for hit in page.hits] == list(range(2000, 900, -1))


def test_the_link_to_the_next_page_leaves_no_gap_when_images_go_and_come(client: Client, add_image: AddImage) -> None:
    images = [add_image(f"#{red:02x}2040") for red in range(0, 200, 25)]
    first = client.get("/", {"image": images[0].pk, "k": 3})
    Image.objects.filter(pk=images[1].pk).delete()
    add_image("#012040")  # nearer than all that are to come
    second = client.get(next_address(first))
    third = client.get(next_address(second))
    assert tiles(first) == [image.pk for image in images[1:4]]
    assert [*tiles(second), *tiles(third)] == [image.pk for image in images[4:]]


def test_hits_of_equal_distance_are_divided_between_pages(client: Client, add_image: AddImage) -> None:
    query = add_image("red")
    alike = [add_image(content=plain_png(20 + n, 20, "blue")).pk for n in range(5)]
    first = client.get("/", {"image": query.pk, "k": 2})
    second = client.get(next_address(first))
    assert [*tiles(first), *tiles(second)] == alike[:4]


def test_results_end_at_the_similarity_that_was_asked_for(client: Client, add_image: AddImage) -> None:
    query, tomato, _ = add_image("red"), add_image("tomato"), add_image("blue")
    response = client.get("/", {"image": query.pk, "least": "90"})
    assert tiles(response) == [tomato.pk]
    assert next_address(response) == ""
    assert "All others are less similar than you asked for." in response.text
    assert ids(get(client, image=query.pk, least="100")) == []
    assert ids(get(client, image=query.pk, least="90", sort="oldest")) == [tomato.pk]


def test_lengths_have_no_least_similarity(client: Client, add_image: AddImage, encoder: Encoder) -> None:
    query, _, _ = add_image("red"), add_image("tomato"), add_image("blue")
    Encoder.objects.filter(pk=encoder.pk).update(distance="l2")
    assert len(get(client, image=query.pk, least="99").hits) == 2


def test_none_of_the_images_that_are_searched_with_answers(client: Client, add_image: AddImage) -> None:
    red, tomato, blue, green = (add_image(colour).pk for colour in ("red", "tomato", "blue", "green"))
    results = get(client, image=[red, tomato], less=blue)
    assert ids(results) == [green]
    assert results.n_searched == 1
    assert ids(get(client, image=[red, tomato], less=blue, sort="newest")) == [green]


def test_what_a_distance_is_worth_is_told_of_single_pictures_alone(
    client: Client, add_image: AddImage, encoder: Encoder, dataset: Dataset
) -> None:
    chances = {"distances": [0.0, 2.0], "probabilities": [0.9, 0.9]}
    calibrating.keep(encoder, dataset, chances=chances, pairs={}, n_images=3)
    red, tomato, _ = add_image("red"), add_image("tomato"), add_image("blue")
    alone = client.get("/", {"image": red.pk})
    assert [worth.chance for worth in alone.context["results"].worths] == [0.9, 0.9]
    assert "likely the same" in alone.text
    mixed = client.get("/", {"image": [red.pk, tomato.pk]})
    assert mixed.context["results"].worths == [None]
    assert "likely the same" not in mixed.text
