"""The pages of datasets, jobs and encoders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from search.models import Dataset, Encoder, Image, Job, Refusal
from search.work import jobs

AddImage = Callable[..., Image]


def test_the_list_tells_how_far_each_dataset_is(client: Client, add_image: AddImage) -> None:
    add_image("red")
    add_image("blue", embedded=False)
    text = client.get("/datasets/").text
    assert "Colours" in text
    assert "2 images · 1 waiting" in text
    assert '<progress max="2" value="1"' in text


def test_private_datasets_are_listed_for_staff_alone(client: Client, admin_client: Client, db: None) -> None:
    Dataset.objects.create(name="Secret", is_public=False)
    assert "Secret" not in client.get("/datasets/").text
    assert client.get("/datasets/secret/").status_code == 404
    assert "Secret" in admin_client.get("/datasets/").text
    assert admin_client.get("/datasets/secret/").status_code == 200


def test_the_list_costs_as_many_statements_for_many_datasets_as_for_one(
    client: Client, add_image: AddImage, django_assert_max_num_queries: Any
) -> None:
    for n in range(8):
        add_image("red", dataset=Dataset.objects.create(name=f"Set {n}"))
    with django_assert_max_num_queries(3):
        client.get("/datasets/")


@pytest.mark.parametrize("address", ["/datasets/", "/datasets/colours/"])
def test_an_empty_gallery_says_how_to_import(client: Client, dataset: Dataset, address: str) -> None:
    if address == "/datasets/":
        dataset.delete()
    assert "manage.py import_images" in client.get(address).text


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"label": "warm"}, ["red"]),
        ({"tag": "sky"}, ["blue"]),
        ({"name": "BLU"}, ["blue"]),
        ({"status": "pending"}, ["green"]),
        ({"label": "warm", "tag": "sky"}, []),
    ],
)
def test_a_dataset_is_filtered(client: Client, add_image: AddImage, wanted: dict[str, str], found: list[str]) -> None:
    add_image("red", label="warm")
    add_image("blue", tags=["sky", "sea"])
    add_image("green", embedded=False)
    page = client.get("/datasets/colours/", wanted).context["page"]
    assert [image.name.removesuffix(".png") for image in page] == found


def test_a_status_that_does_not_exist_is_refused(client: Client, dataset: Dataset, add_image: AddImage) -> None:
    add_image("red")
    response = client.get("/datasets/colours/", {"status": "lost"})
    assert response.status_code == 400
    assert "lost is not one of the available choices" in response.text


def test_pages_keep_the_filter(client: Client, add_image: AddImage, monkeypatch: Any) -> None:
    monkeypatch.setattr("search.views.datasets.PER_PAGE", 2)
    for colour in ("red", "orange", "yellow"):
        add_image(colour, label="warm & dry")
    text = client.get("/datasets/colours/", {"label": "warm & dry"}).text
    assert "?label=warm+%26+dry&amp;page=2" in text


def test_a_page_that_is_no_page_shows_one_that_is(client: Client, add_image: AddImage) -> None:
    add_image("red")
    for page in ("0", "99", "abc"):
        assert client.get("/datasets/colours/", {"page": page}).status_code == 200


class TestJobs:
    """For staff."""

    @pytest.fixture
    def job(self, db: None) -> Job:
        job = jobs.begin("import", {"path": "photos.zip"})
        Refusal.objects.create(job=job, source="photos.zip::notes.jpg", code="not_an_image", reason="No picture.")
        return job

    def test_strangers_are_asked_to_sign_in(self, client: Client, job: Job) -> None:
        assert client.get("/jobs/")["Location"] == "/login/?next=/jobs/"
        assert client.get(f"/jobs/{job.pk}/").status_code == 302

    def test_others_who_are_signed_in_are_told_that_it_is_not_for_them(
        self, client: Client, job: Job, django_user_model: Any
    ) -> None:
        client.force_login(django_user_model.objects.create_user("ada"))
        response = client.get("/jobs/")
        assert response.status_code == 403
        assert "This page is not for you" in response.text

    def test_a_running_job_is_watched(self, admin_client: Client, job: Job) -> None:
        for address in ("/jobs/", f"/jobs/{job.pk}/"):
            assert 'hx-trigger="every 2s"' in admin_client.get(address).text

    def test_a_job_that_ended_is_not_watched_any_more(self, admin_client: Client, job: Job) -> None:
        jobs.fail(job, "The disk is full.")
        text = admin_client.get(f"/jobs/{job.pk}/").text
        assert "The disk is full." in text
        assert "every 2s" not in text

    def test_refusals_are_shown_with_their_reasons(self, admin_client: Client, job: Job) -> None:
        text = admin_client.get(f"/jobs/{job.pk}/").text
        assert "photos.zip::notes.jpg" in text
        assert "No picture." in text


class TestEncoders:
    """For everybody to see, and for staff to choose among."""

    @pytest.fixture
    def other(self, encoder: Encoder) -> Encoder:
        return Encoder.objects.create(name="other", family="fake", dim=8, weights_sha256="1" * 64)

    def test_it_tells_how_many_images_each_has_embedded(
        self, client: Client, add_image: AddImage, other: Encoder
    ) -> None:
        add_image("red")
        text = client.get("/encoders/").text
        assert "1 of 1 image" in text
        assert "0 of 1 image" in text
        assert "exact: every image is compared" in text

    def test_staff_make_another_one_the_default_after_confirming(self, admin_client: Client, other: Encoder) -> None:
        assert "Make other the default?" in admin_client.get("/encoders/other/default/").text
        assert not Encoder.objects.get(name="other").is_default
        response = admin_client.post("/encoders/other/default/", follow=True)
        assert "other is the default encoder now." in response.text
        assert list(Encoder.objects.filter(is_default=True)) == [other]

    def test_nobody_else_does(self, client: Client, other: Encoder, django_user_model: Any) -> None:
        assert client.post("/encoders/other/default/").status_code == 302
        client.force_login(django_user_model.objects.create_user("clerk", is_staff=True))
        assert client.post("/encoders/other/default/").status_code == 403
        assert not Encoder.objects.get(name="other").is_default


def test_the_error_pages_need_nothing_of_a_request() -> None:
    from django.template.loader import render_to_string

    for name in ("400.html", "500.html"):
        assert "<h1>" in render_to_string(name)
