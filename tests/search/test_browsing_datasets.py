"""The page of one's own dataset: sorted, filtered, and many images changed at once; what was deleted, and back."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from search.models import Dataset, Embedding, Image
from search.views import choosing
from search.work import queue

AddImage = Callable[..., Image]


@pytest.fixture
def ann(django_user_model: type[User], client: Client) -> User:
    """The owner, who is signed in."""
    ann = django_user_model.objects.create_user("ann")
    client.force_login(ann)
    return ann


@pytest.fixture
def own(ann: User) -> Dataset:
    return Dataset.objects.create(name="Own", is_public=False, owner=ann)


def change(client: Client, do: str, images: list[Image] | None = None, **fields: Any) -> str:
    """Do something with images of the dataset's page; return what the page says then."""
    chosen = {"chosen": [image.pk for image in images]} if images is not None else {"scope": "all"}
    response = client.post("/selection/", {"do": do, "gallery": "own", **chosen, **fields})
    assert response.status_code == 303
    return html.unescape(client.get(response["Location"]).text)


def press_undo(client: Client, page: str) -> str:
    """Send the form of the page's message; return what the page says then."""
    form = page[page.index('class="notice') :]
    form = form[form.index("<form") : form.index("</form>")]
    action = re.findall(r'action="([^"]+)"', form)[0]
    response = client.post(action, dict(re.findall(r'name="(\w+)" value="([^"]*)"', form)))
    return html.unescape(client.get(response["Location"]).text)


@pytest.mark.parametrize(
    ("sort", "names"),
    [
        ("", ["b", "c", "a"]),
        ("newest", ["a", "c", "b"]),
        ("name", ["a", "b", "c"]),
        ("label", ["c", "a", "b"]),
        ("size", ["c", "b", "a"]),
        ("bytes", ["a", "b", "c"]),
    ],
)
def test_a_dataset_is_sorted(client: Client, add_image: AddImage, sort: str, names: list[str]) -> None:
    add_image("red", source="z/b.png", label="warm", width=20, height=20, n_bytes=500, embedded=False)
    add_image("blue", source="y/c.png", label="cold", width=90, height=5, n_bytes=4, embedded=False)
    add_image("green", source="x/y/a.png", label="fresh", width=10, height=10, n_bytes=9000, embedded=False)
    page = client.get("/datasets/colours/", {"sort": sort}).context["page"]
    assert [image.name.removesuffix(".png") for image in page] == names


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"format": "GIF"}, ["b"]),
        ({"split": "test"}, ["c"]),
        ({"reason": "too_large"}, ["a"]),
        ({"split": "none", "format": "PNG"}, ["a"]),
    ],
)
def test_a_dataset_is_filtered_further(
    client: Client, add_image: AddImage, wanted: dict[str, str], found: list[str]
) -> None:
    add_image("red", source="a.png", embedded=False, status="refused", error_code="too_large")
    add_image("blue", source="b.gif", embedded=False, format="GIF")
    add_image("green", source="c.png", embedded=False, split="test")
    page = client.get("/datasets/colours/", wanted).context["page"]
    assert [image.name[0] for image in page] == found


def test_readers_get_the_reading_page(client: Client, add_image: AddImage) -> None:
    add_image("red")
    text = client.get("/datasets/colours/").text
    for of_owners in ("tile-select", 'id="selection"', "/edit/", "selection.js"):
        assert of_owners not in text


def test_tags_are_added_taken_off_and_given_back(client: Client, add_image: AddImage, own: Dataset) -> None:
    images = [add_image("red", dataset=own, tags=["old"]), add_image("blue", dataset=own)]
    page = change(client, "tag", images, new_tags=" sea ,, old,two  words")
    assert "2 images are tagged sea, old, two words now." in page
    assert sorted(Image.objects.values_list("tags", flat=True)) == [
        ["old", "sea", "two words"],
        ["sea", "old", "two words"],
    ]
    untagged = change(client, "untag", images, new_tags="sea,old")
    assert list(Image.objects.values_list("tags", flat=True)) == [["two words"]] * 2
    press_undo(client, untagged)
    assert "2 images have their old tags again." in press_undo(client, page)
    assert [image.tags for image in Image.objects.order_by("pk")] == [["old"], []]
    assert "Write the tags first" in change(client, "tag", images, new_tags=" , ")


def test_a_split_is_given_and_given_back(client: Client, add_image: AddImage, own: Dataset) -> None:
    images = [add_image("red", dataset=own, split="train"), add_image("blue", dataset=own)]
    page = change(client, "split", images, new_split="test", sort="name")
    assert "2 images belong to Test now." in page
    assert set(Image.objects.values_list("split", flat=True)) == {"test"}
    assert "2 images are in their old splits again." in press_undo(client, page)
    assert [image.split for image in Image.objects.order_by("pk")] == ["train", "none"]
    assert "Choose one of the splits." in change(client, "split", images, new_split="best")


def test_the_fields_of_an_undo_are_kept_apart(client: Client, add_image: AddImage, own: Dataset) -> None:
    image = add_image("red", dataset=own)
    page = change(client, "label", [image], new_label="warm")
    signed = re.findall(r'name="labels" value="([^"]+)"', page)[0]
    client.post("/selection/undo/", {"labels": signed, "field": "tags"})
    image.refresh_from_db()
    assert (image.label, image.tags) == ("warm", [])
    assert client.post("/selection/undo/", {"labels": signed, "field": "sha256"}).status_code == 404


def test_images_are_moved_with_their_vectors(client: Client, add_image: AddImage, own: Dataset, ann: User) -> None:
    other = Dataset.objects.create(name="Other", owner=ann)
    add_image("blue", dataset=other)
    images = [add_image("red", dataset=own, label="warm", split="test"), add_image("blue", dataset=own)]
    page = change(client, "move", images, into="other")
    assert "1 image was moved to Other. 1 was there already." in page
    moved = Image.objects.get(pk=images[0].pk)
    assert (moved.dataset, moved.label, moved.split) == (other, "warm", "test")
    assert Embedding.objects.get(image=moved).dataset_id == other.pk
    assert "1 image is back where it was." in press_undo(client, page)
    assert list(own.images.order_by("pk")) == images
    assert Embedding.objects.get(image=moved).dataset_id == own.pk


def test_images_come_back_only_into_what_is_still_ones_own(
    client: Client, add_image: AddImage, own: Dataset, ann: User
) -> None:
    other = Dataset.objects.create(name="Other", owner=ann)
    page = change(client, "move", [add_image("red", dataset=own)], into="other")
    Dataset.objects.filter(pk=own.pk).update(owner=None)
    assert "Nothing was changed." in press_undo(client, page)
    assert other.images.count() == 1


def test_copies_are_made_and_thrown_away_again(client: Client, add_image: AddImage, own: Dataset, ann: User) -> None:
    other = Dataset.objects.create(name="Other", owner=ann)
    images = [add_image("red", dataset=own), add_image("blue", dataset=own)]
    page = change(client, "add", images, into="other")
    assert other.images.count() == 2
    assert "Undo" not in change(client, "add", images, into="other")
    assert "2 copies are deleted." in press_undo(client, page)
    assert (own.images.count(), other.images.count()) == (2, 0)


@pytest.mark.parametrize("do", ["tag", "untag", "split", "move", "discard", "embed"])
def test_nobody_changes_what_is_not_theirs(
    client: Client, add_image: AddImage, own: Dataset, dataset: Dataset, do: str
) -> None:
    other = add_image("blue", tags=["sky"], split="val")
    mine = add_image("red", dataset=own)
    fields = {"new_tags": "sky", "new_split": "test", "into": "own"}
    assert "Nothing was changed." in change(client, do, [mine, other], **fields)
    other.refresh_from_db()
    mine.refresh_from_db()
    assert (other.tags, other.split, other.dataset, other.status) == (["sky"], "val", dataset, "ready")
    assert (mine.tags, mine.split, mine.dataset, mine.status) == ([], "none", own, "ready")


def test_images_are_moved_into_ones_own_datasets_only(
    client: Client, add_image: AddImage, own: Dataset, dataset: Dataset
) -> None:
    assert "Nothing was changed." in change(client, "move", [add_image("red", dataset=own)], into="colours")
    assert own.images.count() == 1


def test_deleted_images_come_back_by_undo(client: Client, add_image: AddImage, own: Dataset) -> None:
    images = [add_image("red", dataset=own), add_image("blue", dataset=own)]
    page = change(client, "discard", images[:1], sort="name")
    assert "1 image is deleted. What is deleted is kept for a day." in page
    assert list(own.images.all()) == images[1:]
    assert "Recently deleted (1)" in page
    assert "1 image is back." in press_undo(client, page)
    assert set(own.images.all()) == set(images)


def test_deleted_images_are_shown_to_their_owner_and_taken_back(
    client: Client, add_image: AddImage, own: Dataset
) -> None:
    image = add_image("red", dataset=own)
    change(client, "discard", [image])
    page = client.get("/datasets/own/trash/").text
    address = re.findall(r'src="([^"]+\.jpg)"', page)[0]
    assert client.get(address)["Content-Type"] == "image/jpeg"
    assert client.get(image.thumbnail_url).status_code == 404
    response = client.post("/selection/restore/", {"images": [image.pk], "back": "/datasets/own/trash/"})
    assert response["Location"] == "/datasets/own/trash/"
    assert "Nothing was deleted within the last day" in client.get(response["Location"]).text
    assert client.get(address).status_code == 404
    assert own.images.get() == image


def test_nobody_takes_back_or_sees_what_is_not_theirs(
    client: Client, add_image: AddImage, own: Dataset, django_user_model: type[User]
) -> None:
    image = add_image("red", dataset=own)
    change(client, "discard", [image])
    address = re.findall(r'src="([^"]+\.jpg)"', client.get("/datasets/own/trash/").text)[0]
    for is_known in (False, True):
        client.logout()
        if is_known:
            client.force_login(django_user_model.objects.create_user("ben"))
        client.post("/selection/restore/", {"images": f"{image.pk},x,{'9' * 30}"})
        assert client.get("/datasets/own/trash/").status_code == client.get(address).status_code == 404
    assert not own.images.exists()


def test_all_that_match_are_changed_at_once(client: Client, add_image: AddImage, own: Dataset) -> None:
    for colour in ("red", "orange", "blue"):
        add_image(colour, dataset=own, label="cold" if colour == "blue" else "warm")
    assert "2 images are labelled “hot” now." in change(client, "label", label="warm", new_label="hot")
    assert own.images.filter(label="hot").count() == 2
    assert "Select some results first." in change(client, "label", status="nonsense", new_label="hot")


def test_too_many_at_once_are_told(
    client: Client, add_image: AddImage, own: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choosing, "MOST_MATCHING", 1)
    images = [add_image("red", dataset=own), add_image("blue", dataset=own)]
    assert "More than 1 images match. Narrow the filter" in change(client, "discard")
    assert own.images.count() == len(images)


def test_all_of_a_dataset_that_one_may_not_see_are_none(
    client: Client, ann: User, add_image: AddImage, encoder: Any
) -> None:
    hidden = Dataset.objects.create(name="Secret", is_public=False)
    add_image("red", dataset=hidden)
    client.post("/selection/", {"do": "csv", "gallery": "secret", "scope": "all"})
    assert "Select some results first." in html.unescape(client.get("/").text)


def test_refused_images_get_another_try(
    client: Client,
    add_image: AddImage,
    own: Dataset,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Any,
) -> None:
    sent: list[int] = []
    monkeypatch.setattr(queue, "send_embed", lambda encoder, ids, *_: sent.extend(ids))
    fine = add_image("blue", dataset=own)
    broken = add_image("red", dataset=own, embedded=False, status="refused", error_code="crashed", error_detail="Odd.")
    page = client.get("/datasets/own/").text
    assert "Try the refused one again" in page
    assert "Odd." in page
    with django_capture_on_commit_callbacks(execute=True):
        assert "1 image waits for the workers." in change(client, "embed", status="refused")
    broken.refresh_from_db()
    assert (broken.status, broken.error_code, sent) == ("pending", "", [broken.pk])
    assert Embedding.objects.filter(image=fine).exists()


def test_what_an_address_asks_for_is_not_done(client: Client, add_image: AddImage, own: Dataset) -> None:
    add_image("red", dataset=own)
    form = client.get("/datasets/own/", {"do": "discard", "chosen": "1", "sort": "name"}).text
    form = form[form.index('id="selection"') :]
    form = form[: form.index("</form>")]
    assert re.findall(r'type="hidden" name="(\w+)"', form) == ["csrfmiddlewaretoken", "sort", "gallery"]
