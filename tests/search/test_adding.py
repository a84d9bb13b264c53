"""One uploaded file: taken once, kept, sent to the workers after the commit, and refused with a reason."""

from collections.abc import Callable
from typing import Any

import pytest

from embeddings.images import RefusedImage
from search.curating import trash
from search.ingest.adding import add
from search.ingest.errors import DatasetDeleted
from search.models import Dataset, Encoder, Image, Job
from search.work import jobs, queue
from tests.conftest import png

Capture = Callable[..., Any]
pytestmark = pytest.mark.usefixtures("encoder")


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The batches of images that were sent to the workers."""
    batches: list[list[int]] = []
    monkeypatch.setattr(queue, "send_embed", lambda _encoder_id, image_ids, *_: batches.append(list(image_ids)))
    return batches


def test_a_file_becomes_an_image_that_waits_for_its_embedding(dataset: Dataset) -> None:
    added = add(dataset, "red.png", png("red"), job=None, label="warm", split="test")
    image = Image.objects.get()
    assert (added.image, added.is_new) == (image, True)
    assert (image.name, image.label, image.split, image.status) == ("red.png", "warm", "test", "pending")
    assert (image.format, image.width, image.height, image.job) == ("PNG", 64, 48, None)
    assert image.original.read_bytes() == png("red")


def test_it_is_sent_to_the_workers_when_everybody_can_see_it(
    dataset: Dataset, sent: list[list[int]], django_capture_on_commit_callbacks: Capture
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        added = add(dataset, "red.png", png("red"), job=None)
        assert sent == []
    assert sent == [[added.image.pk]]


def test_it_waits_where_no_encoder_is_installed(
    dataset: Dataset, sent: list[list[int]], django_capture_on_commit_callbacks: Capture
) -> None:
    Encoder.objects.all().delete()
    with django_capture_on_commit_callbacks(execute=True):
        assert add(dataset, "red.png", png("red"), job=None).image.status == "pending"
    assert sent == []


def test_the_same_content_is_taken_once_and_gets_the_label_that_it_lacks(dataset: Dataset) -> None:
    first = add(dataset, "red.png", png("red"), job=None)
    again = add(dataset, "copy.png", png("red"), job=None, label="warm")
    third = add(dataset, "copy.png", png("red"), job=None, label="cold", split="val")
    assert (again.image.pk, again.is_new, third.is_new) == (first.image.pk, False, False)
    image = Image.objects.get()
    assert (image.name, image.label, image.split) == ("red.png", "warm", "val")


def test_an_image_that_is_ready_is_not_sent_again(
    add_image: Callable[..., Image], sent: list[list[int]], django_capture_on_commit_callbacks: Capture
) -> None:
    image = add_image("red")
    with django_capture_on_commit_callbacks(execute=True):
        assert add(image.dataset, "red.png", png("red"), job=None).is_new is False
    assert sent == []


def test_it_belongs_to_the_job_that_it_came_with(dataset: Dataset) -> None:
    job = jobs.begin(Job.Kind.IMPORT, {})
    assert add(dataset, "red.png", png("red"), job=job).image.job == job


def test_what_is_no_picture_is_refused(dataset: Dataset) -> None:
    with pytest.raises(RefusedImage, match="not a picture") as refused:
        add(dataset, "notes.txt", b"not a picture", job=None)
    assert refused.value.code == "not_an_image"
    assert not Image.objects.exists()


@pytest.mark.parametrize("is_gone", [True, False])
def test_a_dataset_that_was_deleted_takes_nothing(dataset: Dataset, is_gone: bool) -> None:
    trash.discard_dataset(dataset)
    if is_gone:
        Dataset.everything.filter(pk=dataset.pk).delete()
    with pytest.raises(DatasetDeleted):
        add(dataset, "red.png", png("red"), job=None)
    assert not Image.objects.exists()


def test_what_lies_in_the_trash_does_not_keep_it_out(add_image: Callable[..., Image]) -> None:
    image = add_image("red")
    dataset = image.dataset
    trash.discard([image.pk])
    assert add(dataset, "red.png", png("red"), job=None).is_new


@pytest.mark.parametrize(
    ("name", "shown"), [("a\0\ud800.png", "a\ufffd?.png"), ("  ", "upload"), ("trip/red.png", "trip/red.png")]
)
def test_its_name_can_be_kept(dataset: Dataset, name: str, shown: str) -> None:
    assert add(dataset, name, png("red"), job=None).image.source == shown
