"""What is done with several images at once: labels given and taken back, and copies put into another dataset."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.auth.models import User
from django.core import signing
from django.core.files.storage import default_storage
from django.test import Client

from search.curating import selecting, trash
from search.models import Dataset, Embedding, Image
from search.views import deleted
from tests.pictures import plain_png

AddImage = Callable[..., Image]


@pytest.fixture
def ann(django_user_model: type[User]) -> User:
    return django_user_model.objects.create_user("ann")


@pytest.fixture
def own(ann: User) -> Dataset:
    return Dataset.objects.create(name="Own", is_public=False, owner=ann)


def choose(client: Client, do: str, images: list[Image], **fields: Any) -> Any:
    return client.post("/selection/", {"do": do, "chosen": [image.pk for image in images], **fields})


def told(client: Client) -> str:
    """Return what the next page says first."""
    return html.unescape(" ".join(str(message) for message in client.get("/").context["messages"]))


def test_an_owner_labels_and_takes_it_back(client: Client, add_image: AddImage, ann: User, own: Dataset) -> None:
    images = [add_image("red", dataset=own, label="old"), add_image("blue", dataset=own)]
    client.force_login(ann)
    response = choose(client, "label", images, new_label=" <new> ", image=images[0].pk, k="7")
    assert (response.status_code, response["Location"]) == (303, f"/?image={images[0].pk}&k=7")
    assert list(Image.objects.values_list("label", flat=True)) == ["<new>", "<new>"]
    page = client.get(response["Location"]).text
    assert "2 images are labelled “&lt;new&gt;” now." in page
    form = page[page.index('action="/selection/undo/"') :]
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form[: form.index("</form>")]))
    undone = client.post("/selection/undo/", {name: html.unescape(value) for name, value in fields.items()})
    assert undone["Location"] == f"/?image={images[0].pk}&k=7"
    assert list(Image.objects.values_list("label", flat=True)) == ["old", ""]
    assert "2 images have their old labels again." in told(client)


@pytest.mark.parametrize("do", ["label", "add"])
def test_nobody_changes_what_is_not_theirs(
    client: Client, add_image: AddImage, ann: User, own: Dataset, dataset: Dataset, do: str
) -> None:
    mine, other = add_image("red", dataset=own), add_image("blue", label="cold")
    for is_known in (False, True):
        if is_known:
            client.force_login(ann)
        assert choose(client, do, [mine, other], new_label="warm", into="colours").status_code == 303
        assert "Nothing was changed." in told(client)
    assert dict(Image.objects.values_list("pk", "label")) == {mine.pk: "", other.pk: "cold"}


def test_those_who_may_change_images_label_all(client: Client, add_image: AddImage, admin_user: User) -> None:
    image = add_image("red")
    client.force_login(admin_user)
    choose(client, "label", [image], new_label="warm")
    assert Image.objects.get().label == "warm"


def test_a_label_is_cut_and_holds_what_can_be_kept(
    client: Client, add_image: AddImage, ann: User, own: Dataset
) -> None:
    image = add_image("red", dataset=own)
    client.force_login(ann)
    choose(client, "label", [image], new_label="x" * 10_000)
    assert Image.objects.get().label == "x" * 200
    assert choose(client, "label", [image], new_label="a\0b").status_code == 303
    assert Image.objects.get().label == "a\ufffdb"


def undo(client: Client, labels: str, back: str = "/?image=1") -> Any:
    return client.post("/selection/undo/", {"labels": labels, "back": back})


def test_only_a_label_that_was_given_lately_is_taken_back(
    client: Client, add_image: AddImage, ann: User, own: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = add_image("red", dataset=own, label="now")
    client.force_login(ann)
    signed = signing.dumps({str(image.pk): "before"}, salt="search.selecting.undo", compress=True)
    for forged in ("", "x", signed[:-1], signing.dumps({str(image.pk): "x"}, salt="another"), "." + signed):
        undo(client, forged)
        assert "This can no longer be undone." in told(client)
    later = signing.time.time() + 86_401
    with monkeypatch.context() as patched:
        patched.setattr(signing.time, "time", lambda: later)
        undo(client, signed)
    assert "This can no longer be undone." in told(client)
    assert Image.objects.get().label == "now"
    undo(client, signed)
    assert Image.objects.get().label == "before"


def test_taking_back_is_for_those_who_may_label(client: Client, add_image: AddImage) -> None:
    image = add_image("red", label="now")
    undo(client, signing.dumps({str(image.pk): "before"}, salt="search.selecting.undo"))
    assert "Nothing was changed." in told(client)
    assert Image.objects.get().label == "now"


BACKS = ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", "", "/logout/", "/x/?a"]


@pytest.mark.parametrize("back", BACKS)
def test_taking_back_never_leads_off_the_search(client: Client, encoder: Any, back: str) -> None:
    assert undo(client, "x", back)["Location"] == "/"


@pytest.mark.parametrize("back", ["/?image=1\r\nX-Evil: 1", "/?//evil.example"])
def test_what_looks_like_a_search_is_one(client: Client, encoder: Any, back: str) -> None:
    response = undo(client, "x", back)
    assert response["Location"].startswith("/?")
    assert "X-Evil" not in response.headers


def test_images_are_added_with_files_and_vectors(client: Client, add_image: AddImage, ann: User, own: Dataset) -> None:
    image = add_image("red", label="warm", split="train")
    Image.objects.filter(pk=image.pk).update(tags=["poppy", "field"])
    client.force_login(ann)
    choose(client, "add", [image], into="own")
    assert "1 image was added to Own." in told(client)
    added = Image.objects.get(dataset=own)
    facts = "sha256 source label tags width height n_bytes format phash status"
    assert [getattr(added, fact) for fact in facts.split()] == [
        getattr(Image.objects.get(pk=image.pk), fact) for fact in facts.split()
    ]
    assert added.split == "none"
    assert added.original.read_bytes() == plain_png(64, 48, "red")
    assert added.original != image.original
    vectors = Embedding.objects.values_list("image", "dataset", "vector")
    assert {(one, where): vector for one, where, vector in vectors} == dict.fromkeys(
        [(image.pk, image.dataset_id), (added.pk, own.pk)], vectors[0][2]
    )


def test_what_was_added_stays_when_its_source_goes(
    client: Client, add_image: AddImage, ann: User, own: Dataset, django_capture_on_commit_callbacks: Any
) -> None:
    image = add_image("red")
    client.force_login(ann)
    choose(client, "add", [image], into="own")
    with django_capture_on_commit_callbacks(execute=True):
        image.delete()
    added = Image.objects.get()
    assert added.original.is_file()
    assert client.get(added.thumbnail_url).status_code == 200
    assert client.get("/", {"image": added.pk}).status_code == 200


def test_added_twice_is_there_once(client: Client, add_image: AddImage, ann: User, own: Dataset) -> None:
    images = [add_image("red"), add_image("blue")]
    client.force_login(ann)
    choose(client, "add", images[:1], into="own")
    told(client)
    choose(client, "add", images, into="own")
    assert "1 image was added to Own. 1 was there already." in told(client)
    assert Image.objects.filter(dataset=own).count() == 2


def test_a_dataset_that_is_not_there_and_one_that_may_not_be_seen_are_told_alike(
    client: Client, add_image: AddImage, own: Dataset, django_user_model: type[User]
) -> None:
    image = add_image("red")
    client.force_login(django_user_model.objects.create_user("ben"))
    for into in ("own", "nowhere", "", "a\0b", "x" * 10_000):
        assert choose(client, "add", [image], into=into).status_code == 303
        assert told(client) == "There is no such dataset any more."
    assert Image.objects.count() == 1


def test_a_dataset_that_is_deleted_meanwhile_is_told(
    client: Client, add_image: AddImage, ann: User, own: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = add_image("red")
    client.force_login(ann)
    monkeypatch.setattr(selecting, "hold", lambda dataset_id: False)
    choose(client, "add", [image], into="own")
    assert told(client) == "There is no such dataset any more."
    assert not Image.objects.filter(dataset=own).exists()


def test_images_that_may_not_be_seen_are_not_added(add_image: AddImage, ann: User, own: Dataset) -> None:
    hidden = add_image("red", dataset=Dataset.objects.create(name="Secret", is_public=False))
    assert selecting.add([hidden.pk], own, ann) == ([], 0, 0)
    assert not Image.objects.filter(dataset=own).exists()


def test_an_image_in_place_is_so_there_too(add_image: AddImage, ann: User, own: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "here.png"
    path.write_bytes(plain_png(64, 48, "red"))
    image = add_image("red")
    Image.objects.filter(pk=image.pk).update(file="", in_place_path=str(path))
    copies, *_ = selecting.add([image.pk], own, ann)
    added = Image.objects.get(dataset=own)
    assert (copies, added.file.name, added.original) == ([added.pk], "", path)


@pytest.mark.parametrize("lost", ["file", "thumbnail"])
def test_an_image_whose_files_are_lost_stays_where_it_is(
    client: Client, add_image: AddImage, ann: User, own: Dataset, lost: str
) -> None:
    broken, whole = add_image("red"), add_image("blue")
    default_storage.delete(getattr(broken, lost).name)
    client.force_login(ann)
    assert choose(client, "add", [broken, whole], into="own").status_code == 303
    assert "1 image was added to Own. 1 could not be read." in told(client)
    copied = Image.objects.get(dataset=own)
    assert copied.sha256 == whole.sha256
    kept = Path(default_storage.path(copied.thumbnail.name)).parents[1].rglob("*.jpg")
    assert [path.name for path in kept] == [Path(copied.thumbnail.name).name]


def test_what_is_written_is_what_enter_gives(client: Client, add_image: AddImage, ann: User, own: Dataset) -> None:
    image = add_image("red", dataset=own, label="old")
    client.force_login(ann)
    choose(client, "describe", [image], new_label="", new_tags="")
    assert "Nothing was changed" in told(client)
    choose(client, "label", [image], new_label=" ")
    assert told(client) == "Write the label first."
    image.refresh_from_db()
    assert image.label == "old"
    choose(client, "describe", [image], new_tags="a, b")
    choose(client, "describe", [image], new_label="new")
    image.refresh_from_db()
    assert (image.label, image.tags) == ("new", ["a", "b"])
    choose(client, "unlabel", [image])
    image.refresh_from_db()
    assert image.label == ""


def test_all_that_was_deleted_comes_back_at_once(
    client: Client, add_image: AddImage, ann: User, own: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deleted, "PER_PAGE", 2)
    images = [add_image(colour, dataset=own) for colour in ("red", "blue", "green")]
    other = add_image("black")
    client.force_login(ann)
    trash.discard([image.pk for image in [*images, other]])
    page = client.get("/datasets/own/trash/").text
    assert "Take all 3 images back" in page
    answer = client.post("/selection/restore/", {"all_of": "own", "back": "/datasets/own/trash/"})
    assert answer["Location"] == "/datasets/own/trash/"
    assert own.images.count() == 3
    client.post("/selection/restore/", {"all_of": other.dataset.slug})
    assert not other.dataset.images.exists()


def test_who_signs_in_comes_back_to_the_page_with_the_form(client: Client, own: Dataset) -> None:
    address = "/jobs/7/stop/"
    for referer, page in (
        ("http://testserver/jobs/7/?page=2", "/jobs/7/?page=2"),
        ("https://elsewhere.example/jobs/7/", "/"),
        ("http://[::1", "/"),
        ("", "/"),
    ):
        answer = client.post(address, headers={"Referer": referer})
        assert answer["Location"] == f"/login/?next={quote(page)}", referer
