"""What was deleted: out of sight at once, back within a day, gone afterwards with its files."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.files.storage import default_storage
from django.test import Client
from django.utils import timezone

from search.curating import selecting, trash
from search.curating.moving import move
from search.models import Dataset, Embedding, Image
from search.neighbours import Scope, nearest

AddImage = Callable[..., Image]


def found(client: Client, image: Image) -> list[str]:
    """Return the names of the images that a search by an image finds."""
    return [hit.name for hit in client.get("/", {"image": image.pk}).context["results"].hits]


def age(hours: float) -> None:
    """Let what is in the trash have been there for hours."""
    then = timezone.now() - timedelta(hours=hours)
    Image.objects.filter(trashed_at__isnull=False).update(trashed_at=then)
    Dataset.everything.filter(trashed_at__isnull=False, trash_of=None).update(trashed_at=then)


def test_a_deleted_image_is_nowhere_and_comes_back(client: Client, add_image: AddImage, dataset: Dataset) -> None:
    kept, gone = add_image("red", label="tomato"), add_image("blue", label="sky")
    assert gone.name in found(client, kept)
    assert trash.discard([gone.pk]) == 1
    assert gone.name not in found(client, kept)
    for address in (f"/images/{gone.pk}/", gone.thumbnail_url, f"/?image={gone.pk}"):
        assert client.get(address).status_code in (404, 410, 422), address
    assert "sky" not in client.get(dataset.get_absolute_url()).text
    assert [one.name for one in Dataset.objects.all()] == [dataset.name]
    assert trash.restore([gone.pk]) == 1
    assert gone.name in found(client, kept)
    assert client.get(gone.thumbnail_url).status_code == 200


def test_staff_see_nothing_of_the_trash_either(admin_client: Client, add_image: AddImage, dataset: Dataset) -> None:
    gone = add_image("red")
    trash.discard([gone.pk])
    assert admin_client.get(f"/images/{gone.pk}/").status_code == 404
    assert admin_client.get(gone.thumbnail_url).status_code == 404
    listed = admin_client.get("/admin/search/dataset/").text
    assert listed.count('<th class="field-name">') == 1
    assert gone.name not in admin_client.get("/admin/search/image/").text


def test_what_is_deleted_twice_is_there_once(add_image: AddImage, dataset: Dataset) -> None:
    first = add_image("red")
    trash.discard([first.pk])
    again = add_image("red")
    assert trash.discard([again.pk]) == 1
    assert list(Image.objects.values_list("pk", flat=True)) == [again.pk]
    assert trash.restore([again.pk]) == 1


def test_what_was_imported_anew_stays(add_image: AddImage, dataset: Dataset) -> None:
    first = add_image("red")
    trash.discard([first.pk])
    anew = add_image("red")
    assert trash.restore([first.pk]) == 0
    assert list(dataset.images.values_list("pk", flat=True)) == [anew.pk]


@pytest.mark.django_db(transaction=True)
def test_after_a_day_it_is_gone_with_its_files(add_image: AddImage, dataset: Dataset) -> None:
    gone, kept = add_image("red"), add_image("blue")
    trash.discard([gone.pk])
    age(23.9)
    assert trash.purge() == 0
    age(24.1)
    assert trash.purge() == 1
    assert not default_storage.exists(gone.file.name)
    assert default_storage.exists(kept.file.name)
    assert list(Embedding.objects.values_list("image", flat=True)) == [kept.pk]


@pytest.mark.django_db(transaction=True)
def test_a_file_that_two_images_share_stays(add_image: AddImage, dataset: Dataset) -> None:
    gone = add_image("red")
    trash.discard([gone.pk])
    anew = add_image("red")  # the same content: the same files
    assert anew.file.name == gone.file.name
    age(25)
    assert trash.purge() == 1
    assert default_storage.exists(anew.file.name)
    assert default_storage.exists(anew.thumbnail.name)


def test_a_dataset_comes_back(client: Client, add_image: AddImage, dataset: Dataset) -> None:
    image = add_image("red")
    trash.discard_dataset(dataset)
    assert client.get(dataset.get_absolute_url()).status_code == 404
    assert client.get(image.thumbnail_url).status_code == 404
    assert trash.restore_dataset(dataset) == dataset
    assert client.get(dataset.get_absolute_url()).status_code == 200


def test_a_name_that_was_given_away_is_given_back_with_a_number(dataset: Dataset) -> None:
    trash.discard_dataset(dataset)
    other = Dataset.objects.create(name=dataset.name)
    assert other.slug == dataset.slug
    back = trash.restore_dataset(dataset)
    assert (back.name, back.slug) == (f"{dataset.name} (2)", f"{dataset.slug}-2")


@pytest.mark.django_db(transaction=True)
def test_a_dataset_goes_after_a_day_with_what_was_deleted_from_it(add_image: AddImage, dataset: Dataset) -> None:
    first, second = add_image("red"), add_image("blue")
    trash.discard([first.pk])
    trash.discard_dataset(dataset)
    assert trash.restore([first.pk]) == 0
    age(25)
    trash.purge()
    assert not Dataset.everything.exists()
    assert not Image.objects.exists()
    assert not default_storage.exists(second.file.name)


def test_moving_takes_vectors_along_and_doubles_nothing(encoder: Any, add_image: AddImage, dataset: Dataset) -> None:
    other = Dataset.objects.create(name="Other")
    red, blue = add_image("red"), add_image("blue")
    there = add_image("blue", dataset=other)
    assert move([red.pk, blue.pk], other.pk) == [red.pk]
    vector = Embedding.objects.get(image=red, encoder=encoder).vector
    vector = np.array(vector, np.float32)
    assert {hit.id for hit in nearest(vector, encoder, Scope(dataset_ids=(other.pk,))).hits} == {red.pk, there.pk}
    assert {hit.id for hit in nearest(vector, encoder, Scope(dataset_ids=(dataset.pk,))).hits} == {blue.pk}


@pytest.mark.parametrize("is_member", [False, True])
def test_members_of_a_group_see_its_datasets(
    client: Client, django_user_model: type[User], add_image: AddImage, dataset: Dataset, is_member: bool
) -> None:
    image = add_image("red")
    dataset.is_public = False
    dataset.save()
    group = Group.objects.create(name="botanists")
    dataset.groups.add(group, Group.objects.create(name="others"))
    user = django_user_model.objects.create_user("ann")
    if is_member:
        user.groups.set(Group.objects.all())
    client.force_login(user)
    for address in (dataset.get_absolute_url(), image.get_absolute_url(), image.thumbnail_url):
        assert client.get(address).status_code == (200 if is_member else 404)
    assert Dataset.objects.visible_to(user).count() == is_member


@pytest.mark.django_db(transaction=True)
def test_a_dataset_that_is_taken_back_while_others_go_stays(
    add_image: AddImage, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_image("red")
    other = Dataset.objects.create(name="Zoo")
    image = add_image("blue", dataset=other)
    trash.discard_dataset(dataset)
    trash.discard_dataset(other)
    age(25)
    hold = trash.deleting

    def deleting(ids: list[int]) -> Any:
        if ids == [dataset.pk]:
            trash.restore_dataset(other)
        return hold(ids)

    monkeypatch.setattr(trash, "deleting", deleting)
    assert trash.purge() == 1
    assert Dataset.objects.get() == other
    assert Image.objects.get() == image
    assert default_storage.exists(image.file.name)


@pytest.mark.django_db(transaction=True)
def test_a_storage_that_fails_once_keeps_no_other_files(
    add_image: AddImage, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = [add_image(colour) for colour in ("red", "blue", "green")]
    trash.discard([image.pk for image in images])
    age(25)
    delete, asked = default_storage.delete, list[str]()

    def fail_once(name: str) -> None:
        asked.append(name)
        if len(asked) == 1:
            raise OSError(5, "Input/output error")
        delete(name)

    monkeypatch.setattr(default_storage, "delete", fail_once)
    assert trash.purge() == 3
    names = [file.name for image in images for file in (image.file, image.thumbnail)]
    assert [name for name in names if default_storage.exists(name)] == asked[:1]


def test_only_staff_take_back_what_is_anothers(dataset: Dataset, django_user_model: type[User]) -> None:
    trash.discard_dataset(dataset)
    curator = django_user_model.objects.create_user("curator")
    curator.user_permissions.add(Permission.objects.get(codename="delete_dataset"))
    assert not trash.datasets_of(curator).exists()
    assert not selecting.may_delete(curator, dataset)
    curator.is_staff = True
    assert trash.datasets_of(curator).get() == dataset
    assert selecting.may_delete(curator, dataset)
