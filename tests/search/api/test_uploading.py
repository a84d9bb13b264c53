"""Uploads by the API: taken once, the same answer for the same key, refused with a reason."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile

from search.models import Dataset, Image
from tests.conftest import png
from tests.search.api.conftest import Program

IMAGES = "/datasets/colours/images"
pytestmark = pytest.mark.usefixtures("encoder")


@pytest.fixture(autouse=True)
def _forget() -> None:
    cache.clear()


def upload(program: Program, content: bytes, key: str = "", **fields: str) -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return program.form(IMAGES, {"image": SimpleUploadedFile("red.png", content), **fields}, **headers)


def test_a_picture_is_added_once(mine: Program) -> None:
    response = upload(mine, png("red"), label="warm", split="test")
    told = response.json()
    assert (response.status_code, told["is_new"], response["Location"]) == (201, True, f"/api/v1/images/{told['id']}")
    assert (told["name"], told["label"], told["split"], told["status"]) == ("red.png", "warm", "test", "pending")
    again = upload(mine, png("red"), label="cold")
    assert (again.status_code, again.json()["is_new"], again.json()["label"]) == (200, False, "warm")
    assert Image.objects.get().pk == told["id"] == again.json()["id"]


def test_the_same_key_gives_the_same_answer(mine: Program) -> None:
    first = upload(mine, png("red"), key="a")
    Image.objects.update(label="changed since")
    again = upload(mine, png("red"), key="a")
    assert (again.status_code, again.json()) == (201, first.json())


def test_the_same_key_with_another_picture_or_label_is_refused(mine: Program) -> None:
    upload(mine, png("red"), key="a")
    for response in (upload(mine, png("blue"), key="a"), upload(mine, png("red"), key="a", label="warm")):
        assert (response.status_code, response.json()["code"]) == (409, "key_used")
    assert upload(mine, png("blue"), key="b").status_code == 201


def test_the_key_of_another_user_is_another_key(mine: Program, program: Callable[..., Program], chief: Any) -> None:
    upload(mine, png("red"), key="a")
    assert upload(program(chief), png("blue"), key="a").status_code == 201


def test_a_cache_that_is_out_of_reach_keeps_nobody_from_uploading(
    mine: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise ConnectionError

    for method in ("add", "get", "set"):
        monkeypatch.setattr(cache, method, fail)
    assert upload(mine, png("red"), key="a").status_code == 201


def test_a_picture_is_told_why_it_is_refused(mine: Program) -> None:
    response = upload(mine, b"no picture")
    assert (response.status_code, response.json()["code"]) == (422, "not_an_image")
    response = upload(mine, png("red") + b"\0" * 20_000_000)
    assert (response.status_code, response.json()["code"]) == (413, "too_large_file")
    assert not Image.objects.exists()


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"split": "all"}, "form.split"),
        ({"label": "a\0b"}, "form.label"),
        ({"label": "a" * 201}, "form.label"),
    ],
)
def test_a_field_that_makes_no_sense_is_named(mine: Program, fields: dict[str, str], where: str) -> None:
    response = upload(mine, png("red"), **fields)
    assert (response.status_code, response.json()["errors"][0]["where"]) == (422, where)


def test_a_picture_has_to_be_sent_as_a_file(mine: Program) -> None:
    response = mine.form(IMAGES, {"image": "red"})
    assert (response.status_code, response.json()["errors"][0]["where"]) == (422, "file.image")
    response = mine.post(IMAGES, image="red")
    assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")


def test_only_who_may_change_a_dataset_adds_to_it(
    program: Callable[..., Program], stranger: Any, anybody: Program, dataset: Dataset
) -> None:
    assert upload(program(stranger), png("red")).status_code == 403
    assert upload(anybody, png("red")).status_code == 401
    assert not Image.objects.exists()
