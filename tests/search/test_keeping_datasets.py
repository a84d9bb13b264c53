"""Datasets made, described, deleted and taken back in the browser."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.utils import timezone

from search.models import Dataset, Image

AddImage = Callable[..., Image]


@pytest.fixture
def ann(django_user_model: type[User]) -> User:
    """Somebody who may make datasets."""
    ann = django_user_model.objects.create_user("ann")
    ann.user_permissions.add(Permission.objects.get(codename="add_dataset"))
    return ann


@pytest.fixture
def own(ann: User) -> Dataset:
    return Dataset.objects.create(name="Own", is_public=False, owner=ann)


def told(client: Client, address: str = "/datasets/") -> str:
    return " ".join(str(message) for message in client.get(address).context["messages"])


def test_who_makes_a_dataset_owns_it(client: Client, ann: User) -> None:
    client.force_login(ann)
    assert 'href="/datasets/new/"' in client.get("/datasets/").text
    response = client.post("/datasets/new/", {"name": " Meadow ", "description": "Flowers"})
    made = Dataset.objects.get()
    assert response["Location"] == "/datasets/meadow/upload/"
    assert (made.name, made.description, made.is_public, made.owner) == ("Meadow", "Flowers", False, ann)


def test_others_make_none(client: Client, django_user_model: type[User]) -> None:
    assert client.get("/datasets/new/")["Location"] == "/login/?next=/datasets/new/"
    client.force_login(django_user_model.objects.create_user("ben"))
    assert client.post("/datasets/new/", {"name": "Meadow"}).status_code == 403
    assert "/datasets/new/" not in client.get("/datasets/").text
    assert not Dataset.objects.exists()


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"name": ""}, "Give the dataset a name."),
        ({"name": "Own"}, "There is a dataset of this name already."),
        ({"name": "x" * 101}, "at most 100 characters"),
        ({"name": "New", "groups": ["99999"]}, "99999 is not one of the available choices"),
    ],
)
def test_what_cannot_be_kept_is_told(
    client: Client, ann: User, own: Dataset, fields: dict[str, Any], reason: str
) -> None:
    client.force_login(ann)
    response = client.post("/datasets/new/", fields)
    assert response.status_code == 422
    assert reason in response.text
    assert Dataset.objects.count() == 1


def test_a_name_that_is_given_away_meanwhile_is_told(
    client: Client, ann: User, own: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Dataset, "clean", lambda dataset: None)
    client.force_login(ann)
    response = client.post("/datasets/new/", {"name": "Own"})
    assert response.status_code == 422
    assert "There is a dataset of this name already." in response.text


def test_no_dataset_takes_the_address_of_a_page(client: Client, ann: User) -> None:
    client.force_login(ann)
    client.post("/datasets/new/", {"name": "New"})
    assert Dataset.objects.get().slug == "new-2"


def test_an_owner_changes_it(client: Client, ann: User, own: Dataset) -> None:
    mine, other = Group.objects.create(name="mine"), Group.objects.create(name="other")
    ann.groups.add(mine)
    own.groups.add(other)
    client.force_login(ann)
    text = client.get("/datasets/own/edit/").text
    assert "mine" in text
    assert "other" not in text
    client.post("/datasets/own/edit/", {"name": "Owned", "is_public": "on", "groups": [mine.pk], "owner_name": "x"})
    own.refresh_from_db()
    assert (own.name, own.slug, own.is_public, own.owner) == ("Owned", "own", True, ann)
    assert set(own.groups.all()) == {mine, other}


def test_staff_give_it_to_somebody_else(admin_client: Client, ann: User, dataset: Dataset) -> None:
    response = admin_client.post("/datasets/colours/edit/", {"name": "Colours", "owner_name": "nobody"})
    assert (response.status_code, "There is no user named nobody." in response.text) == (422, True)
    admin_client.post("/datasets/colours/edit/", {"name": "Colours", "owner_name": "ann"})
    dataset.refresh_from_db()
    assert dataset.owner == ann


@pytest.mark.parametrize("page", ["edit", "delete"])
def test_others_change_nothing(
    client: Client, own: Dataset, dataset: Dataset, django_user_model: type[User], page: str
) -> None:
    client.force_login(django_user_model.objects.create_user("ben"))
    for method in (client.get, client.post):
        assert method(f"/datasets/own/{page}/").status_code == 404
        assert method(f"/datasets/colours/{page}/").status_code == 403
    assert f"/datasets/colours/{page}/" not in client.get("/datasets/colours/").text
    assert Dataset.objects.count() == 2


def test_a_dataset_is_deleted_and_taken_back(client: Client, ann: User, own: Dataset, add_image: AddImage) -> None:
    add_image("red", dataset=own)
    client.force_login(ann)
    assert "1 image goes with it" in client.get("/datasets/own/delete/").text
    assert client.post("/datasets/own/delete/")["Location"] == "/datasets/"
    page = client.get("/datasets/").text
    assert client.get("/datasets/own/").status_code == 404
    assert "Own is deleted. It is kept for a day." in page
    assert page.count('action="/datasets/restore/"') == 2  # the message's, and that of the list
    assert re.findall(r'name="dataset" value="(\d+)"', page) == [str(own.pk)] * 2
    assert client.post("/datasets/restore/", {"dataset": own.pk})["Location"] == "/datasets/own/"
    assert "Own is back." in told(client)
    assert client.get("/datasets/own/").context["page"].paginator.count == 1


@pytest.mark.parametrize("text", ["", "x", "0", "9" * 40])
def test_only_ones_own_is_taken_back(
    client: Client, own: Dataset, ann: User, django_user_model: type[User], text: str
) -> None:
    Dataset.objects.filter(pk=own.pk).update(trashed_at=timezone.now() - timedelta(hours=1))
    for is_known in (False, True):
        if is_known:
            client.force_login(django_user_model.objects.create_user("ben"))
        assert client.post("/datasets/restore/", {"dataset": own.pk}).status_code == 404
        assert "Own" not in client.get("/datasets/").text
    client.force_login(ann)
    assert client.post("/datasets/restore/", {"dataset": text}).status_code == 404
    assert not Dataset.objects.exists()


def test_those_who_may_delete_all_do_so(admin_client: Client, dataset: Dataset) -> None:
    admin_client.post("/datasets/colours/delete/")
    assert not Dataset.objects.exists()
    admin_client.post("/datasets/restore/", {"dataset": dataset.pk})
    assert Dataset.objects.get() == dataset


def test_the_admin_tells_of_a_name_that_is_taken(admin_client: Client, dataset: Dataset) -> None:
    response = admin_client.post("/admin/search/dataset/add/", {"name": "Colours"})
    assert response.status_code == 200
    assert "There is a dataset of this name already." in response.text
