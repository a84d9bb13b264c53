"""The admin: what staff see, change and may not do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from search.models import Dataset, Embedding, Encoder, Image, Refusal
from search.work import jobs

AddImage = Callable[..., Image]
LISTS = ["dataset", "image", "encoder", "job"]


@pytest.mark.parametrize("name", LISTS)
def test_every_list_opens_and_can_be_searched(admin_client: Client, add_image: AddImage, name: str) -> None:
    add_image("red", tags=["poppy"])
    jobs.begin("import", {})
    assert admin_client.get(f"/admin/search/{name}/").status_code == 200
    assert admin_client.get(f"/admin/search/{name}/", {"q": "popp"}).status_code == 200


@pytest.mark.parametrize("words", ["popp", "warm", "red.png"])
def test_images_are_found_by_tag_label_and_source(admin_client: Client, add_image: AddImage, words: str) -> None:
    add_image("red", tags=["poppy"], label="warm")
    add_image("blue")
    response = admin_client.get("/admin/search/image/", {"q": words})
    assert [image.name for image in response.context["cl"].result_list] == ["red.png"]


def test_images_are_listed_with_their_thumbnails(admin_client: Client, add_image: AddImage) -> None:
    image = add_image("red")
    assert f'<img src="{image.thumbnail_url}" width="72" height="54"' in admin_client.get("/admin/search/image/").text


@pytest.mark.parametrize("name", LISTS)
def test_a_list_of_many_costs_as_many_statements_as_a_list_of_few(
    admin_client: Client, add_image: AddImage, django_assert_max_num_queries: Any, name: str
) -> None:
    for n, colour in enumerate(("red", "green", "blue", "black", "white", "orange")):
        add_image(colour, label=colour, dataset=Dataset.objects.create(name=f"Set {n}"))
        jobs.begin("import", {})
    with django_assert_max_num_queries(10):
        admin_client.get(f"/admin/search/{name}/")


@pytest.mark.parametrize("filters", [{"status": "ready"}, {"format": "PNG"}, {"split": "none"}, {"label": "warm"}])
def test_images_are_filtered(admin_client: Client, add_image: AddImage, filters: dict[str, str]) -> None:
    add_image("red", label="warm")
    query = {f"{name}__exact" if name != "label" else name: value for name, value in filters.items()}
    response = admin_client.get("/admin/search/image/", query)
    assert response.status_code == 200
    assert response.context["cl"].result_count == 1


def test_labels_are_set_for_many_at_once(admin_client: Client, add_image: AddImage) -> None:
    images = [add_image("red"), add_image("blue")]
    chosen = {"action": "set_label", "label": "seen", "_selected_action": [image.pk for image in images]}
    response = admin_client.post("/admin/search/image/", chosen, follow=True)
    assert "2 images are labelled &#x27;seen&#x27; now." in response.text
    assert set(Image.objects.values_list("label", flat=True)) == {"seen"}


def test_the_page_of_an_image_shows_its_facts_and_changes_its_label(admin_client: Client, add_image: AddImage) -> None:
    image = add_image("red")
    address = f"/admin/search/image/{image.pk}/change/"
    assert image.sha256 in admin_client.get(address).text
    admin_client.post(address, {"label": "warm", "tags": "poppy,field", "split": "test", "sha256": "0" * 64})
    changed = Image.objects.get(pk=image.pk)
    assert (changed.label, changed.tags, changed.split, changed.sha256) == (
        "warm", ["poppy", "field"], "test", image.sha256,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["image", "encoder", "job"])
def test_what_commands_and_workers_make_cannot_be_added_by_hand(admin_client: Client, name: str) -> None:
    assert admin_client.get(f"/admin/search/{name}/add/").status_code == 403


def test_embeddings_have_no_place_in_the_admin(admin_client: Client) -> None:
    assert admin_client.get("/admin/search/embedding/").status_code == 404


def test_jobs_show_what_they_refused_and_cannot_be_changed(admin_client: Client) -> None:
    job = jobs.begin("import", {"path": "photos.zip"})
    Refusal.objects.create(job=job, source="notes.jpg", code="not_an_image", reason="No picture.")
    response = admin_client.get(f"/admin/search/job/{job.pk}/change/")
    assert "No picture." in response.text
    assert admin_client.post(f"/admin/search/job/{job.pk}/change/", {"state": "done"}).status_code == 403


@pytest.mark.parametrize("by_action", [False, True])
def test_deleting_a_dataset_asks_and_says_how_many_images_go(
    admin_client: Client, add_image: AddImage, dataset: Dataset, by_action: bool
) -> None:
    add_image("red"), add_image("blue")
    address = "/admin/search/dataset/" if by_action else f"/admin/search/dataset/{dataset.pk}/delete/"
    chosen = {"action": "delete_selected", "_selected_action": [dataset.pk]} if by_action else {}
    asked = admin_client.post(address, chosen) if by_action else admin_client.get(address)
    assert "Dataset Colours with 2 images and their embeddings" in asked.text
    admin_client.post(address, {**chosen, "post": "yes"})
    assert (Dataset.objects.count(), Image.objects.count(), Embedding.objects.count()) == (0, 0, 0)


def test_the_default_encoder_cannot_be_deleted(admin_client: Client, encoder: Encoder) -> None:
    admin_client.post(f"/admin/search/encoder/{encoder.pk}/delete/", {"post": "yes"})
    chosen = {"action": "delete_selected", "_selected_action": [encoder.pk], "post": "yes"}
    admin_client.post("/admin/search/encoder/", chosen)
    assert Encoder.objects.filter(pk=encoder.pk).exists()


def test_the_backbone_of_a_head_cannot_be_deleted(admin_client: Client, encoder: Encoder) -> None:
    backbone = Encoder.objects.create(name="backbone", family="fake", dim=12, weights_sha256="1" * 64)
    Encoder.objects.create(
        name="head", family="linear_head", dim=2, weights_sha256="2" * 64, spec={"backbone": "backbone"}
    )
    page = admin_client.get(f"/admin/search/encoder/{backbone.pk}/delete/")
    assert page.status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": [backbone.pk]}
    page = admin_client.post("/admin/search/encoder/", chosen)
    assert "Encoder backbone: it is the backbone of head" in page.content.decode()


def test_exactly_one_encoder_becomes_the_default(admin_client: Client, encoder: Encoder) -> None:
    other = Encoder.objects.create(name="other", family="fake", dim=8, weights_sha256="1" * 64)
    chosen = {"action": "make_default", "_selected_action": [encoder.pk, other.pk]}
    assert "Choose exactly one encoder." in admin_client.post("/admin/search/encoder/", chosen, follow=True).text
    admin_client.post("/admin/search/encoder/", {**chosen, "_selected_action": [other.pk]})
    assert list(Encoder.objects.filter(is_default=True)) == [other]


def test_staff_without_the_permission_may_only_look(
    client: Client, add_image: AddImage, django_user_model: Any
) -> None:
    image = add_image("red", label="warm")
    clerk = django_user_model.objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_image"))
    client.force_login(clerk)
    chosen = {"action": "set_label", "label": "mine", "_selected_action": [image.pk]}
    client.post("/admin/search/image/", chosen)
    assert client.get("/admin/search/image/").status_code == 200
    assert Image.objects.get().label == "warm"


def test_markup_in_a_label_shows_harmlessly(admin_client: Client, add_image: AddImage) -> None:
    evil = "<script>alert(1)</script>"
    add_image("red", label=evil, source=evil)
    assert evil not in admin_client.get("/admin/search/image/").text
