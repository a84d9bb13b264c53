"""Images by the API: listed by filters, changed, deleted and taken back; their pictures and vectors."""

from collections.abc import Callable
from typing import Any

import pytest

from search.curating import trash
from search.ingest.adding import add
from search.models import Dataset, Image
from tests.conftest import png
from tests.search.api.conftest import Program

AddImage = Callable[..., Image]
MakeProgram = Callable[..., Program]


def test_an_image_is_told(anybody: Program, add_image: AddImage) -> None:
    image = add_image("red", label="warm", tags=["plain"], split="test")
    told = anybody.get(f"/images/{image.pk}").json()
    assert (told["id"], told["dataset"], told["name"], told["label"]) == (image.pk, "colours", "red.png", "warm")
    assert (told["tags"], told["split"], told["status"], told["refusal"]) == (["plain"], "test", "ready", None)
    assert (told["width"], told["height"], told["sha256"]) == (64, 48, image.sha256)


def test_an_image_that_was_refused_says_why(anybody: Program, add_image: AddImage) -> None:
    image = add_image("red", embedded=False, status="refused", error_code="damaged", error_detail="It is damaged.")
    assert anybody.get(f"/images/{image.pk}").json()["refusal"] == {"code": "damaged", "reason": "It is damaged."}


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ({}, ["red", "blue", "green"]),
        ({"label": "warm"}, ["red"]),
        ({"tag": "sea"}, ["blue"]),
        ({"split": "train"}, ["green"]),
        ({"status": "pending"}, ["green"]),
        ({"name": "RE"}, ["red", "green"]),
        ({"name": "RE", "status": "ready"}, ["red"]),
    ],
)
def test_filters_say_which_images_are_listed(
    anybody: Program, add_image: AddImage, words: dict[str, str], found: list[str]
) -> None:
    add_image("red", label="warm")
    add_image("blue", tags=["sea"])
    add_image("green", embedded=False, split="train")
    items = anybody.get("/datasets/colours/images", **words).json()["items"]
    assert [item["name"].removesuffix(".png") for item in items] == found


def test_a_list_goes_on_after_the_last_image(anybody: Program, add_image: AddImage) -> None:
    ids = [add_image(colour, label="x").pk for colour in ("red", "blue", "green")]
    first = anybody.get("/datasets/colours/images", limit=2, label="x").json()
    assert [item["id"] for item in first["items"]] == ids[:2]
    last = anybody.get("/datasets/colours/images", limit=2, label="x", cursor=first["next_cursor"]).json()
    assert ([item["id"] for item in last["items"]], last["next_cursor"]) == (ids[2:], None)


def test_a_label_tags_and_a_split_are_changed(mine: Program, add_image: AddImage) -> None:
    image = add_image("red", label="warm", tags=["plain"])
    told = mine.patch(f"/images/{image.pk}", tags=["a", "b", "a"], split="val").json()
    assert (told["label"], told["tags"], told["split"]) == ("warm", ["a", "b"], "val")
    assert mine.patch(f"/images/{image.pk}", label="", tags=[]).json()["label"] == ""
    image.refresh_from_db()
    assert (image.label, image.tags, image.split) == ("", [], "val")


def test_others_change_and_delete_no_image(program: MakeProgram, stranger: Any, add_image: AddImage) -> None:
    image = add_image("red")
    asking = program(stranger)
    assert asking.patch(f"/images/{image.pk}", label="mine").status_code == 403
    assert asking.delete(f"/images/{image.pk}").status_code == 403
    Dataset.objects.update(is_public=False)
    assert asking.patch(f"/images/{image.pk}", label="mine").status_code == 404


def test_a_deleted_image_can_be_taken_back(
    mine: Program, program: MakeProgram, stranger: Any, add_image: AddImage
) -> None:
    image = add_image("red", label="warm")
    assert mine.delete(f"/images/{image.pk}").status_code == 204
    assert mine.get(f"/images/{image.pk}").status_code == 404
    assert program(stranger).post(f"/images/{image.pk}/restore").status_code == 404
    assert mine.post(f"/images/{image.pk}/restore").json()["label"] == "warm"
    assert mine.post(f"/images/{image.pk}/restore").status_code == 200
    assert mine.get(f"/images/{image.pk}/vector").status_code == 200


def test_what_was_added_anew_meanwhile_stays(mine: Program, add_image: AddImage) -> None:
    image = add_image("red")
    trash.discard([image.pk])
    add(image.dataset, "red.png", png("red"), job=None)
    response = mine.post(f"/images/{image.pk}/restore")
    assert (response.status_code, response.json()["code"]) == (409, "replaced")


@pytest.mark.parametrize("kind", ["picture", "thumbnail"])
def test_pictures_of_private_images_are_served_to_tokens(
    mine: Program, anybody: Program, add_image: AddImage, kind: str
) -> None:
    image = add_image("red")
    Dataset.objects.update(is_public=False)
    address = mine.get(f"/images/{image.pk}").json()[f"{kind}_url"].removeprefix("/api/v1")
    response = mine.get(address)
    assert (response.status_code, response["Content-Type"], response.content[:2]) == (200, "image/jpeg", b"\xff\xd8")
    assert response["Cache-Control"] == "private, no-store"
    assert anybody.get(address).status_code == 404


def test_a_picture_that_is_gone_is_told_so(anybody: Program, add_image: AddImage) -> None:
    image = add_image("red")
    image.original.unlink()
    Image.objects.update(thumbnail="")
    assert anybody.get(f"/images/{image.pk}/picture").status_code == 404
    assert anybody.get(f"/images/{image.pk}/thumbnail").json()["code"] == "no_thumbnail"


def test_an_image_has_a_vector_of_each_encoder_that_embedded_it(anybody: Program, add_image: AddImage) -> None:
    image = add_image("red")
    told = anybody.get(f"/images/{image.pk}/vector").json()
    assert (told["encoder"], told["dim"], len(told["vector"])) == ("colours", 12, 12)
    assert sum(number**2 for number in told["vector"]) == pytest.approx(1, abs=1e-2)
    assert anybody.get(f"/images/{image.pk}/vector", encoder="other").json()["code"] == "no_encoder"
    waiting = add_image("blue", embedded=False)
    assert anybody.get(f"/images/{waiting.pk}/vector").json()["code"] == "not_embedded"
