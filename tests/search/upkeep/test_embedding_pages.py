"""Embedding with an encoder from its page: all that is missing, or chosen datasets; and every import."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from search.models import Dataset, Encoder, Image, Job

AddImage = Callable[..., Image]
Work = Callable[[], None]


@pytest.fixture
def two(add_image: AddImage, other: Encoder) -> list[Dataset]:
    """Two datasets of an image each, which the other encoder has not embedded."""
    made = [Dataset.objects.create(name=name) for name in ("First", "Second")]
    for one in made:
        add_image("red", dataset=one)
    return made


def test_the_button_embeds_what_is_chosen(
    two: list[Dataset], other: Encoder, admin_client: Client, sent: list[Any], work: Work
) -> None:
    page = admin_client.get("/encoders/other/").text
    assert 'name="dataset" value="first" checked' in page
    assert "Embed with it" in page
    answer = admin_client.post("/encoders/other/embed/", {"dataset": ["second", "nowhere"]})
    job = Job.objects.get()
    assert answer["Location"] == job.get_absolute_url()
    assert job.parameters == {"encoder": "other", "datasets": ["Second"]}
    assert f'<a href="/jobs/{job.pk}/">' in admin_client.get("/encoders/other/").text
    again = admin_client.post("/encoders/other/embed/", {"dataset": ["first"]}, follow=True)
    assert "other is embedding already." in again.text
    assert Job.objects.count() == 1
    work()
    page = admin_client.get("/encoders/other/").text
    assert 'value="second"' not in page
    assert 'value="first"' in page
    admin_client.post("/encoders/other/embed/", {"dataset": ["first", "second"]})
    work()
    page = admin_client.get("/encoders/other/").text
    assert "Embed with it" not in page
    assert Job.objects.filter(state="done").count() == 2


def test_nothing_chosen_is_said(two: list[Dataset], admin_client: Client) -> None:
    answer = admin_client.post("/encoders/other/embed/", follow=True)
    assert "Choose at least one dataset to embed." in answer.text
    assert not Job.objects.exists()


def test_it_is_stopped_on_the_page_of_the_job(two: list[Dataset], admin_client: Client, sent: list[Any]) -> None:
    from search import tasks

    admin_client.post("/encoders/other/embed/", {"dataset": ["first"]})
    job = Job.objects.get()
    tasks.upkeep(job.pk)
    page = admin_client.get(job.get_absolute_url()).text
    assert f"/jobs/{job.pk}/stop/" in page
    assert '<progress value="0.0000"' in page
    assert "0 of 1" in page
    answer = admin_client.post(f"/jobs/{job.pk}/stop/", follow=True)
    assert "It stops in a moment, and what was embedded stays." in answer.text
    assert "Stopped. What was embedded stays." in answer.text


def test_every_import_is_embedded_where_that_is_switched_on(two: list[Dataset], admin_client: Client) -> None:
    assert "Pictures that are imported are not embedded with it." in admin_client.get("/encoders/other/").text
    answer = admin_client.post("/encoders/other/imports/", {"on": "1"}, follow=True)
    assert "other embeds every import." in answer.text
    assert Encoder.objects.get(name="other").embeds_imports
    answer = admin_client.post("/encoders/other/imports/", {"on": "0"}, follow=True)
    assert "other embeds no imports." in answer.text
    assert not Encoder.objects.get(name="other").embeds_imports
    assert "As the default encoder it embeds every picture" in admin_client.get("/encoders/colours/").text


@pytest.mark.parametrize("what", ["embed", "imports"])
def test_only_who_may_change_encoders_does(
    two: list[Dataset], client: Client, django_user_model: Any, what: str
) -> None:
    assert client.post(f"/encoders/other/{what}/").status_code == 302
    assert "Embed with it" not in client.get("/encoders/other/").text
    client.force_login(django_user_model.objects.create_user("clerk", is_staff=True))
    assert client.post(f"/encoders/other/{what}/", {"on": "1", "dataset": "first"}).status_code == 403
    assert "Embed with it" not in client.get("/encoders/other/").text
    assert not Job.objects.exists()
