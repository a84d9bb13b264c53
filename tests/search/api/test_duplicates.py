"""Duplicates by the API: looked for, listed, decided and undone."""

from __future__ import annotations

from typing import Any

import pytest

from search.models import Dataset, Image
from search.reviewing import running
from search.work import queue
from search.work.progress import Bars
from tests.search.api.conftest import Program
from tests.search.reviewing.conftest import AddPicture, add_picture, whole  # noqa: F401 -- a fixture


@pytest.fixture
def pair(owner: Any, dataset: Dataset, add_picture: AddPicture) -> tuple[Image, Image]:  # noqa: F811
    """Two images of one picture, the larger one first, as the last search found them."""
    found = add_picture(whole(), label="sky"), add_picture(whole().resize((160, 120)), tags=["blue"])
    running.carry_out(running.begin(dataset), Bars(quiet=True))
    return found


def groups(program: Program) -> list[tuple[int, list[int]]]:
    told = program.get("/datasets/colours/duplicates").json()
    assert told["n_groups"] == len(told["items"])
    return [(group["best"]["id"], [one["image"]["id"] for one in group["others"]]) for group in told["items"]]


def test_a_group_is_listed_decided_and_taken_back(mine: Program, pair: tuple[Image, Image]) -> None:
    large, small = (image.pk for image in pair)
    (group,) = mine.get("/datasets/colours/duplicates").json()["items"]
    assert (group["best"]["id"], group["reason"], group["labels"]) == (large, "pixels", ["sky"])
    ((other),) = group["others"]
    assert (other["image"]["id"], other["relation"]) == (small, "same")
    made = mine.post("/datasets/colours/duplicates/decisions", images=[large, small], keep=large)
    assert made.status_code == 201
    told = made.json()
    assert (told["kept"], told["discarded"], told["merged"]) == (large, [small], {"tags": [[], ["blue"]]})
    assert groups(mine) == []
    assert mine.get(f"/images/{small}").status_code == 404
    assert [one["batch"] for one in mine.get("/datasets/colours/duplicates/decisions").json()["items"]] == [
        told["batch"]
    ]
    undo = f"/datasets/colours/duplicates/decisions/{told['batch']}/undo"
    assert mine.post(undo).json() == {"n_reviews": 1, "n_restored": 1, "n_lost": 0}
    assert mine.post(undo).json()["code"] == "undone"
    assert groups(mine) == [(large, [small])]


def test_all_of_a_group_are_kept(mine: Program, pair: tuple[Image, Image]) -> None:
    told = mine.post("/datasets/colours/duplicates/decisions", images=[image.pk for image in pair]).json()
    assert (told["kept"], told["discarded"]) == (None, [])
    assert groups(mine) == []


def test_it_has_to_be_said_which_label_stays(mine: Program, pair: tuple[Image, Image]) -> None:
    large, small = (image.pk for image in pair)
    Image.objects.filter(pk=small).update(label="sea")
    asked = {"images": [large, small], "keep": large}
    assert mine.post("/datasets/colours/duplicates/decisions", **asked).json()["code"] == "labels_differ"
    told = mine.post("/datasets/colours/duplicates/decisions", **asked, label="sea").json()
    assert told["merged"]["label"] == ["sky", "sea"]


def test_what_is_no_group_is_not_decided(mine: Program, pair: tuple[Image, Image], add_picture: AddPicture) -> None:  # noqa: F811
    other = add_picture(whole(seed=5)).pk
    told = mine.post("/datasets/colours/duplicates/decisions", images=[pair[0].pk, other], keep=other)
    assert (told.status_code, told.json()["code"]) == (409, "not_a_group")


def test_pages_of_groups_follow_each_other(mine: Program, dataset: Dataset, add_picture: AddPicture) -> None:  # noqa: F811
    wanted = []
    for seed in range(5, 8):
        large, small = add_picture(whole(seed)), add_picture(whole(seed).resize((160, 120)))
        wanted.append((large.pk, [small.pk]))
    running.carry_out(running.begin(dataset), Bars(quiet=True))
    found, cursor = [], {}
    for _ in wanted:
        page = mine.get("/datasets/colours/duplicates", limit=1, **cursor).json()
        found += [(group["best"]["id"], [one["image"]["id"] for one in group["others"]]) for group in page["items"]]
        cursor = {"cursor": page["next_cursor"]}
    assert (found, page["next_cursor"], page["n_groups"]) == (wanted, None, 3)


def test_a_search_is_left_to_a_worker(mine: Program, dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []
    monkeypatch.setattr(queue, "send_find_duplicates", sent.append)
    other = Dataset.objects.create(name="Other", owner=dataset.owner)
    answer = mine.post("/datasets/colours/duplicates/search", also=["other"])
    assert (answer.status_code, answer.json()["kind"], sent) == (202, "duplicates", [answer.json()["id"]])
    assert answer.json()["parameters"]["also_ids"] == [other.pk]
    assert mine.post("/datasets/colours/duplicates/search").json()["code"] == "running"


def test_only_with_what_one_may_change(mine: Program, dataset: Dataset, stranger: Any) -> None:
    Dataset.objects.create(name="Theirs", owner=stranger)
    assert mine.post("/datasets/colours/duplicates/search", also=["theirs"]).status_code == 403
    assert mine.post("/datasets/colours/duplicates/search", also=["nowhere"]).status_code == 404
    assert mine.post("/datasets/colours/duplicates/search", encoder="nobody").json()["code"] == "no_encoder"
