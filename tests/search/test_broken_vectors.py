"""A network that gives no vector for a picture refuses that one; one that gives none at all stops, and says so."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from typing import Any

import numpy as np
import pytest
from billiard.exceptions import WorkerLostError
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import translation

from embeddings.encoder import BrokenVectors
from search import embedding, encoders, tasks
from search.checkup import encoders as checkup
from search.language.wording import told
from search.models import Embedding, Encoder, Image, Job
from search.work import embedding_jobs, jobs, queue, reconciling
from tests.conftest import png
from tests.fakes import ColourNetwork

AddImage = Callable[..., Image]
encode = ColourNetwork.encode


@pytest.fixture
def blind_to_black(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the network give no vector for pictures without light, as a network of dead units does."""

    def encode_light(self: ColourNetwork, images: Any) -> Any:
        dark = np.flatnonzero(images.max(axis=(1, 2, 3)) == 0)
        if dark.size:
            raise BrokenVectors("no direction", tuple(dark.tolist()))
        return encode(self, images)

    monkeypatch.setattr(ColourNetwork, "encode", encode_light)


@pytest.fixture
def broken(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Have the network give no vectors at all; how many it was asked for each time."""
    asked: list[int] = []

    def encode_nothing(self: ColourNetwork, images: Any) -> Any:
        asked.append(len(images))
        raise BrokenVectors("no direction", tuple(range(len(images))))

    monkeypatch.setattr(ColourNetwork, "encode", encode_nothing)
    return asked


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    sent: list[list[int]] = []
    monkeypatch.setattr(queue, "send_embed", lambda encoder_id, ids, *_: sent.append(ids))
    monkeypatch.setattr(queue, "send_after_load", lambda encoder_id: None)
    monkeypatch.setattr(queue, "n_waiting", lambda turn, name="": 0)
    return sent


def test_a_picture_without_a_vector_is_refused_and_the_others_are_ready(
    encoder: Encoder, blind_to_black: None, add_image: AddImage, sent: list[list[int]]
) -> None:
    job = jobs.begin(Job.Kind.IMPORT, {})
    jobs.wait_for_embeddings(job)
    red, black, blue = (add_image(colour, embedded=False, job=job) for colour in ("red", "black", "blue"))
    outcome = embedding.embed(encoder, [red.pk, black.pk, blue.pk])
    assert (outcome.n_embedded, [one.image_id for one in outcome.refused]) == (2, [black.pk])
    assert set(Embedding.objects.values_list("image", flat=True)) == {red.pk, blue.pk}
    black.refresh_from_db()
    job.refresh_from_db()
    assert (black.status, black.error_code, black.n_attempts) == ("refused", "no_vector", 1)
    assert black.error_detail.startswith("The encoder finds nothing in this picture")
    assert (job.state, job.n_done, job.n_failed) == ("done", 2, 1)
    assert not default_storage.exists(f"thumbnails/{black.dataset_id}/{black.sha256[:2]}/{black.sha256}.jpg")
    with translation.override("de"):
        assert told(black.error_detail).startswith("Der Encoder findet in diesem Bild nichts")


def test_a_batch_of_such_pictures_is_not_the_encoders_fault(
    encoder: Encoder, blind_to_black: None, add_image: AddImage
) -> None:
    ids = [add_image(content=png("black", (64, height)), embedded=False).pk for height in (20, 30, 40)]
    assert embedding.embed(encoder, ids).n_refused == 3
    encoder.refresh_from_db()
    assert encoder.fault == ""


def test_one_that_is_ready_stays_so_and_lacks_a_vector_of_another_encoder(
    encoder: Encoder, add_image: AddImage, sent: list[list[int]], request: pytest.FixtureRequest
) -> None:
    other = Encoder.objects.create(name="other", family="fake", dim=12, weights_sha256="1" * 64)
    ids = [add_image(colour).pk for colour in ("red", "black")]
    request.getfixturevalue("blind_to_black")
    job = embedding_jobs.begin(other, None)
    embedding_jobs.hand_over(job, other, ids, n_total=2)
    embedding_jobs.embed(other, ids, job.pk)
    job.refresh_from_db()
    assert (job.state, job.n_done, job.n_failed) == ("done", 1, 1)
    assert job.refusals.get().code == "no_vector"
    assert set(Image.objects.values_list("status", flat=True)) == {"ready"}


def test_where_no_picture_of_many_gets_a_vector_the_encoder_is_broken(
    encoder: Encoder, blind_to_black: None, add_image: AddImage
) -> None:
    heights = range(20, 20 + embedding.SEVERAL)
    ids = [add_image(content=png("black", (64, height)), embedded=False).pk for height in heights]
    with pytest.raises(encoders.BrokenEncoder):
        embedding.embed(encoder, ids)
    assert set(Image.objects.values_list("status", "n_attempts")) == {("pending", 0)}


class TestABrokenEncoder:
    def test_it_stops_and_its_pictures_wait(
        self, encoder: Encoder, broken: list[int], add_image: AddImage, sent: list[list[int]]
    ) -> None:
        images = [add_image(colour, embedded=False) for colour in ("red", "blue")]
        for _ in range(5):
            tasks.embed(encoder.pk, [image.pk for image in images])
            reconciling.reconcile()
        assert broken == [2, 1]  # the batch, and a picture in which there is something of everything
        assert sent == []
        assert set(Image.objects.values_list("status", "n_attempts", "leased_until")) == {("pending", 0, None)}

    def test_it_is_told_on_its_page_on_that_of_the_job_and_by_the_doctor(
        self, encoder: Encoder, broken: list[int], add_image: AddImage, admin_client: Client
    ) -> None:
        job = jobs.begin(Job.Kind.IMPORT, {})
        image = add_image("red", embedded=False, job=job)
        jobs.wait_for_embeddings(job)
        tasks.embed(encoder.pk, [image.pk])
        said = "colours gives no vectors that can be compared, whatever the picture."
        for address in ("/encoders/colours/", job.get_absolute_url()):
            assert said in admin_client.get(address).text
        assert [one.what for one in checkup.look() if one.what.startswith(said)] != []

    def test_readiness_tells_of_it_and_its_page_once(self, encoder: Encoder, admin_client: Client) -> None:
        said = "colours gives no vectors that can be compared, whatever the picture."
        assert said not in admin_client.get("/readyz").text
        encoders.declare_broken(encoder)
        assert admin_client.get("/encoders/colours/").text.count(said) == 1
        readiness = admin_client.get("/readyz")
        assert readiness.status_code == 503
        assert readiness.json()["encoder"].startswith(said)

    def test_a_job_of_its_own_fails_and_says_why(
        self, encoder: Encoder, broken: list[int], add_image: AddImage, sent: list[list[int]]
    ) -> None:
        image = add_image("red", embedded=False)
        job = embedding_jobs.begin(encoder, None)
        embedding_jobs.hand_over(job, encoder, [image.pk], n_total=1)
        embedding_jobs.embed(encoder, [image.pk], job.pk)
        job.refresh_from_db()
        assert (job.state, job.message[:27]) == ("failed", "colours gives no vectors th")

    def test_a_command_says_so_and_tries_it_again_when_it_is_run_again(
        self, encoder: Encoder, broken: list[int], add_image: AddImage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        image = add_image("red", embedded=False)
        with pytest.raises(CommandError, match="gives no vectors"):
            call_command("embed_images", sync=True)
        monkeypatch.setattr(ColourNetwork, "encode", encode)
        call_command("embed_images", sync=True, stdout=StringIO())
        image.refresh_from_db()
        encoder.refresh_from_db()
        assert (image.status, encoder.fault) == ("ready", "")


def test_a_search_with_such_a_picture_says_so(encoder: Encoder, blind_to_black: None, client: Client) -> None:
    picture = SimpleUploadedFile("night.png", png("black"))
    response = client.post("/", {"picture": picture})
    assert response.status_code == 422
    assert "The encoder finds nothing in this picture" in response.text
    answer = client.post("/api/v1/search", {"image": SimpleUploadedFile("night.png", png("black"))})
    assert (answer.status_code, answer.json()["code"]) == (422, "no_vector")


def test_what_a_lost_child_held_is_sent_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sweeps: list[None] = []
    monkeypatch.setattr(queue, "send_sweep", lambda: sweeps.append(None))
    tasks.sweep_after_a_loss(exception=ValueError())
    assert sweeps == []
    tasks.sweep_after_a_loss(exception=WorkerLostError())
    assert len(sweeps) == 1
