"""A batch is claimed once, written whole, and given up after three tries."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import psycopg
import pytest
from django.core.files.storage import default_storage
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from embeddings import images
from search import embedding, encoders
from search.curating import trash
from search.files import storage
from search.models import Embedding, Encoder, Image, Job
from search.work import jobs, leases, missing, queue, reconciling
from tests.conftest import png, still
from tests.fakes import COLOUR_SPEC, ColourNetwork
from tests.running import wait_for

AddImage = Callable[..., Image]


def test_the_vector_in_the_row_is_that_of_the_picture(encoder: Encoder, add_image: AddImage) -> None:
    vector = np.array(Embedding.objects.get(image=add_image("red")).vector)
    expected = np.array([256.0, 1, 1] * 4) / np.linalg.norm([256.0, 1, 1] * 4)
    np.testing.assert_allclose(vector, expected, atol=1e-3)


@pytest.mark.parametrize(("distance", "is_refused"), [("cosine", True), ("l2", False)])
def test_a_vector_without_direction_is_refused_where_directions_are_compared(
    encoder: Encoder, add_image: AddImage, distance: str, is_refused: bool
) -> None:
    Encoder.objects.filter(pk=encoder.pk).update(distance=distance)
    image = add_image("red")
    zero = [0.0] * encoder.dim
    with pytest.raises(IntegrityError, match="no direction") if is_refused else nullcontext(), transaction.atomic():
        Embedding.objects.filter(image=image).update(vector=zero)
    assert (list(Embedding.objects.get(image=image).vector) == zero) is not is_refused


def test_embedding_twice_embeds_once(encoder: Encoder, add_image: AddImage) -> None:
    image = add_image("red")
    assert embedding.embed(encoder, [image.pk]).n_embedded == 0
    assert Embedding.objects.count() == 1


def test_an_image_that_somebody_holds_is_left_to_them(encoder: Encoder, add_image: AddImage) -> None:
    image = add_image("red", embedded=False, leased_until=timezone.now() + timedelta(minutes=1))
    assert embedding.embed(encoder, [image.pk]).n_embedded == 0


def test_an_image_is_taken_over_when_its_lease_ends(encoder: Encoder, add_image: AddImage) -> None:
    image = add_image("red", embedded=False, leased_until=timezone.now() - timedelta(seconds=1), n_attempts=1)
    assert embedding.embed(encoder, [image.pk]).n_embedded == 1


@pytest.mark.django_db(transaction=True)
def test_an_image_is_taken_over_when_its_holder_is_gone(
    encoder: Encoder, add_image: AddImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = add_image("red", embedded=False)
    connect = connection.get_connection_params()
    with psycopg.connect(**{name: connect[name] for name in ("dbname", "host", "port", "user")}) as other:
        other.execute(f"UPDATE search_image SET {leases.HOLD}, n_attempts = 1")
        other.commit()
        assert embedding.embed(encoder, [image.pk]).n_embedded == 0
        assert not Image.objects.filter(leases.free()).exists()
    wait_for(Image.objects.filter(leases.free()).exists, "the end of the connection")
    monkeypatch.setattr(queue, "n_waiting", lambda turn: 0)
    assert reconciling.send_left(encoder) == 1
    assert embedding.embed(encoder, [image.pk]).n_embedded == 1


def test_a_later_connection_of_the_same_number_is_not_the_holder(encoder: Encoder, add_image: AddImage) -> None:
    image = add_image("red", embedded=False)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE search_image SET leased_by = pg_backend_pid(), leased_until = %s + ("
            "SELECT backend_start - interval '1 s' FROM pg_stat_activity WHERE pid = pg_backend_pid())",
            [leases.LEASE],
        )
    assert embedding.embed(encoder, [image.pk]).n_embedded == 1


def test_an_image_that_stopped_its_worker_three_times_is_refused(encoder: Encoder, add_image: AddImage) -> None:
    image = add_image("red", embedded=False, n_attempts=3)
    assert embedding.embed(encoder, [image.pk]).n_embedded == 0
    image.refresh_from_db()
    assert (image.status, image.error_code) == ("refused", "crashed")


def test_a_slow_batch_is_held_for_as_long_as_it_takes(
    encoder: Encoder, add_image: AddImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = [add_image(colour, embedded=False) for colour in ("red", "blue")]
    prepare = images.prepare
    left: list[timedelta] = []

    def prepare_slowly(*args: Any, **options: Any) -> images.Prepared:
        left.append(min(Image.objects.values_list("leased_until", flat=True)) - timezone.now())
        Image.objects.update(leased_until=timezone.now())  # as if its time had gone by
        return prepare(*args, **options)

    monkeypatch.setattr(leases, "SECONDS_TO_RENEWAL", 0.0)
    monkeypatch.setattr(images, "prepare", prepare_slowly)
    assert embedding.embed(encoder, [image.pk for image in batch]).n_embedded == 2
    assert min(left) > leases.LEASE / 2


def test_an_error_gives_the_images_back_at_once(
    encoder: Encoder, add_image: AddImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = add_image("red", embedded=False)

    def fail(self: ColourNetwork, images: Any) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(ColourNetwork, "encode", fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        embedding.embed(encoder, [image.pk])
    image.refresh_from_db()
    assert (image.status, image.leased_until, image.n_attempts) == ("pending", None, 0)


def test_a_file_that_is_gone_refuses_its_image_and_no_other(encoder: Encoder, add_image: AddImage) -> None:
    lost, kept = add_image("red", embedded=False), add_image("blue", embedded=False)
    lost.original.unlink()
    outcome = embedding.embed(encoder, [lost.pk, kept.pk])
    assert (outcome.n_embedded, outcome.n_refused) == (1, 1)
    lost.refresh_from_db()
    assert (lost.status, lost.error_code) == ("refused", "unreadable")


def test_an_image_deleted_meanwhile_gets_no_vector(
    encoder: Encoder, add_image: AddImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    doomed, kept = add_image("red", embedded=False), add_image("blue", embedded=False)
    encode = ColourNetwork.encode

    def encode_and_delete(self: ColourNetwork, images: Any) -> Any:
        Image.objects.filter(pk=doomed.pk).delete()
        return encode(self, images)

    monkeypatch.setattr(ColourNetwork, "encode", encode_and_delete)
    embedding.embed(encoder, [doomed.pk, kept.pk])
    assert list(Embedding.objects.values_list("image", flat=True)) == [kept.pk]
    assert not default_storage.exists(f"thumbnails/{doomed.dataset_id}/{doomed.sha256[:2]}/{doomed.sha256}.jpg")


def test_another_encoder_embeds_ready_images_only(encoder: Encoder, add_image: AddImage) -> None:
    other = Encoder.objects.create(name="other", family="fake", dim=12, weights_sha256="1" * 64)
    ready, waiting = add_image("red"), add_image("blue", embedded=False)
    assert embedding.embed(other, [ready.pk, waiting.pk]).n_embedded == 1
    assert Embedding.objects.get(encoder=other).image == ready


def test_the_last_image_of_a_job_ends_it_and_asks_for_the_index(
    encoder: Encoder, add_image: AddImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []
    monkeypatch.setattr(queue, "send_after_load", sent.append)
    job = jobs.begin(Job.Kind.IMPORT, {})
    first, last = (add_image(colour, embedded=False, job=job) for colour in ("red", "blue"))
    jobs.wait_for_embeddings(job)
    embedding.embed(encoder, [first.pk])
    assert sent == []
    embedding.embed(encoder, [last.pk])
    job.refresh_from_db()
    assert (job.state, job.n_done, sent) == (Job.State.DONE, 2, [encoder.pk])


def test_forgotten_images_wait_anew_and_refused_ones_get_another_try(encoder: Encoder, add_image: AddImage) -> None:
    ready = add_image("red")
    refused = add_image("blue", embedded=False, status="refused", error_code="crashed", n_attempts=4)
    assert embedding.forget([ready.pk, refused.pk]) == 2
    assert Embedding.objects.count() == 0
    assert embedding.embed(encoder, [ready.pk, refused.pk]).n_embedded == 2


class TestTheSweeper:
    @pytest.fixture
    def sent(self, monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
        sent: list[list[int]] = []
        monkeypatch.setattr(queue, "send_embed", lambda encoder_id, ids, *turn: sent.append(ids))
        monkeypatch.setattr(queue, "n_waiting", lambda turn, name="": 0)
        return sent

    def test_it_sends_what_an_empty_queue_lost(self, add_image: AddImage, sent: list[list[int]]) -> None:
        image = add_image("red", embedded=False)
        assert reconciling.reconcile().n_sent == 1
        assert sent == [[image.pk]]

    def test_it_trusts_a_queue_that_is_not_empty(
        self, add_image: AddImage, sent: list[list[int]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        add_image("red", embedded=False)
        monkeypatch.setattr(queue, "n_waiting", lambda turn, name="": 7)
        assert reconciling.reconcile().n_sent == 0

    def test_images_that_were_tried_go_alone(self, add_image: AddImage, sent: list[list[int]]) -> None:
        tried = [add_image(colour, embedded=False, n_attempts=1).pk for colour in ("red", "blue")]
        reconciling.reconcile()
        assert sent == [[tried[0]], [tried[1]]]

    def test_so_do_those_that_an_import_finds_waiting(
        self, encoder: Encoder, add_image: AddImage, sent: list[list[int]]
    ) -> None:
        fresh, tried = add_image("red", embedded=False), add_image("blue", embedded=False, n_attempts=1)
        missing.send(encoder, [tried.pk, fresh.pk])
        assert sent == [[fresh.pk], [tried.pk]]

    def test_ready_images_are_sent_to_encoders_that_embed_imports(
        self, add_image: AddImage, sent: list[list[int]]
    ) -> None:
        Encoder.objects.create(name="tags", family="fake", dim=12, weights_sha256="1" * 64, embeds_imports=True)
        image = add_image("red")
        reconciling.reconcile()
        assert sent == [[image.pk]]

    def test_it_ends_a_job_whose_process_was_killed(self, encoder: Encoder, sent: list[list[int]]) -> None:
        job = jobs.begin(Job.Kind.IMPORT, {})
        Job.objects.filter(pk=job.pk).update(**still())
        assert reconciling.reconcile().n_jobs_ended == 1
        job.refresh_from_db()
        assert (job.state, "Run it again" in job.message) == (Job.State.FAILED, True)

    def test_without_an_encoder_it_does_nothing(self, db: None) -> None:
        assert reconciling.reconcile().n_sent == 0


def test_tags_of_low_probability_are_left_out(
    encoder: Encoder, add_image: AddImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Tagger(ColourNetwork):
        def encode_with_tags(self, images: Any, top: int) -> Any:
            return self.encode(images), [[("tabby", 0.8), ("bucket", 0.02)]] * len(images)

    tagger = Tagger(spec=replace(COLOUR_SPEC, n_classes=1000))
    monkeypatch.setattr(encoders, "network", lambda encoder: tagger)
    assert add_image(content=png("red")).tags == ["tabby"]


@pytest.mark.django_db(transaction=True)
def test_a_thumbnail_that_goes_with_another_image_is_made_again(
    encoder: Encoder, add_image: AddImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = add_image("red")
    trash.discard([first.pk])
    anew = add_image("red", embedded=False)
    Image.objects.filter(pk=first.pk).update(trashed_at=timezone.now() - timedelta(hours=25))
    keep = storage.keep

    def keep_and_purge(name: str, content: bytes) -> str:
        kept = keep(name, content)
        trash.purge()
        return kept

    monkeypatch.setattr(storage, "keep", keep_and_purge)
    embedding.embed(encoder, [anew.pk])
    anew.refresh_from_db()
    assert anew.status == "ready"
    assert default_storage.exists(anew.thumbnail.name)
