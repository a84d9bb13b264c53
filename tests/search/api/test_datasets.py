"""Datasets by the API: listed page by page, made, changed, put into the trash, by those who may."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone

from search.api import datasets
from search.models import Dataset, Image
from tests.search.api.conftest import Program

AddImage = Callable[..., Image]
MakeProgram = Callable[..., Program]


def test_a_dataset_is_told_with_its_counts(anybody: Program, mine: Program, add_image: AddImage) -> None:
    add_image("red")
    add_image("blue", embedded=False)
    told = anybody.get("/datasets/colours").json()
    assert (told["name"], told["n_images"], told["n_ready"], told["n_pending"]) == ("Colours", 2, 1, 1)
    assert (told["url"], told["is_public"], told["may_change"]) == ("/datasets/colours/", True, False)
    assert mine.get("/datasets/colours").json()["may_change"] is True


def test_pages_go_on_where_the_one_before_ended(anybody: Program) -> None:
    for number in range(5):
        Dataset.objects.create(name=f"Set {number}")
    found: list[str] = []
    words: dict[str, Any] = {"limit": 2}
    while True:
        page = anybody.get("/datasets", **words).json()
        found += [one["slug"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        words["cursor"] = page["next_cursor"]
        Dataset.objects.filter(slug="set-0").delete()  # what goes meanwhile moves nothing
    assert found == [f"set-{number}" for number in range(5)]


def test_a_dataset_is_made_and_is_its_makers(mine: Program, owner: Any) -> None:
    response = mine.post("/datasets", name=" Birds ", description="Of the garden", is_public=False)
    assert (response.status_code, response["Location"]) == (201, "/api/v1/datasets/birds")
    made = Dataset.objects.get(slug="birds")
    assert (made.name, made.owner, made.is_public) == ("Birds", owner, False)
    assert mine.get("/datasets/birds").json() == response.json()


def test_a_name_that_is_taken_is_refused(mine: Program) -> None:
    response = mine.post("/datasets", name="Colours")
    assert (response.status_code, response.json()["code"]) == (409, "name_taken")


def test_who_may_not_make_datasets_is_told_so(program: MakeProgram, stranger: Any) -> None:
    assert program(stranger).post("/datasets", name="Birds").status_code == 403


def test_a_dataset_is_shared_with_groups_that_one_is_in(mine: Program, owner: Any, dataset: Dataset) -> None:
    mates, others = Group.objects.create(name="mates"), Group.objects.create(name="others")
    owner.groups.add(mates)
    dataset.groups.add(others)
    told = mine.patch("/datasets/colours", groups=["mates"]).json()
    assert told["groups"] == ["mates", "others"]  # what somebody else gave stays
    assert mine.patch("/datasets/colours", groups=["others"]).json()["code"] == "unknown_group"
    assert mine.patch("/datasets/colours", groups=[]).json()["groups"] == ["others"]
    assert mine.post("/datasets", name="Birds", groups=["mates"]).json()["groups"] == ["mates"]


def test_groups_are_told_to_those_who_may_change_it(anybody: Program, dataset: Dataset) -> None:
    dataset.groups.add(Group.objects.create(name="mates"))
    assert anybody.get("/datasets/colours").json()["groups"] == []


def test_a_deleted_dataset_is_taken_back(
    mine: Program, program: MakeProgram, stranger: Any, add_image: AddImage
) -> None:
    add_image("red")
    assert mine.delete("/datasets/colours").status_code == 204
    assert program(stranger).post("/datasets/colours/restore").status_code == 404
    told = mine.post("/datasets/colours/restore").json()
    assert (told["slug"], told["n_ready"]) == ("colours", 1)
    assert mine.post("/datasets/colours/restore").json() == told
    assert program(stranger).post("/datasets/colours/restore").status_code == 403


def test_what_is_left_out_of_a_change_stays(mine: Program) -> None:
    told = mine.patch("/datasets/colours", description="Plain ones", is_public=False).json()
    assert (told["name"], told["slug"], told["description"]) == ("Colours", "colours", "Plain ones")
    assert Dataset.objects.get().is_public is False
    assert mine.patch("/datasets/colours", name="Shades").json()["slug"] == "colours"


def test_others_change_and_delete_nothing(program: MakeProgram, stranger: Any, dataset: Dataset) -> None:
    asking = program(stranger)
    assert asking.patch("/datasets/colours", name="Mine").status_code == 403
    assert asking.delete("/datasets/colours").status_code == 403
    Dataset.objects.update(is_public=False)
    assert asking.delete("/datasets/colours").status_code == 404
    assert Dataset.objects.get().name == "Colours"


@pytest.mark.parametrize("who", ["owner", "chief"])
def test_a_deleted_dataset_lies_in_the_trash(
    request: pytest.FixtureRequest, program: MakeProgram, dataset: Dataset, who: str
) -> None:
    asking = program(request.getfixturevalue(who))
    assert asking.delete("/datasets/colours").status_code == 204
    assert asking.get("/datasets/colours").status_code == 404
    assert Dataset.everything.get(pk=dataset.pk).trashed_at is not None


def test_a_change_leaves_alone_what_others_change_meanwhile(mine: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    mine.post("/datasets", name="Birds", is_public=True)
    read = datasets.own_dataset

    def slowly(*arguments: Any) -> Dataset:
        found = read(*arguments)
        Dataset.objects.filter(pk=found.pk).update(is_public=False, trashed_at=timezone.now())
        return found

    monkeypatch.setattr(datasets, "own_dataset", slowly)
    mine.patch("/datasets/birds", description="of the garden")
    kept = Dataset.everything.get(slug="birds")
    assert (kept.description, kept.is_public, kept.trashed_at is None) == ("of the garden", False, False)
