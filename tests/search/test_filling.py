"""Vectors that an encoder lacks: filled in here or by the workers, whose messages go in two turns."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from celery import current_app
from django.conf import settings
from django.core.management import CommandError, call_command

from search.models import Dataset, Embedding, Encoder, Image, Job
from search.work import filling, queue
from search.work.queue import Turn

AddImage = Callable[..., Image]


@pytest.fixture
def second(encoder: Encoder) -> Encoder:
    """An encoder beside the default one, which has embedded nothing."""
    return Encoder.objects.create(name="second", family="fake", dim=encoder.dim, weights_sha256="1" * 64)


@pytest.fixture
def broker(servers: None) -> Any:
    """The real queue, empty before and after."""
    with current_app.connection_for_write() as connection:
        channel = connection.default_channel
        channel.client.delete("imgsim", "imgsim:9")
        yield channel
        channel.client.delete("imgsim", "imgsim:9")


def run_json(capsys: pytest.CaptureFixture[str], **options: Any) -> Any:
    call_command("embed_images", json=True, **options)
    (line,) = capsys.readouterr().out.splitlines()
    return json.loads(line)


def test_it_fills_in_what_an_encoder_lacks(
    add_image: AddImage, second: Encoder, capsys: pytest.CaptureFixture[str]
) -> None:
    images = [add_image(colour) for colour in ("red", "blue")]
    told = run_json(capsys, encoder="second", sync=True)
    job = Job.objects.get(kind=Job.Kind.EMBED)
    assert told == {"encoder": "second", "missing": 2, "left": 0, "job": job.pk}
    assert (job.state, job.n_done, job.message) == ("done", 2, "Embedded with second: 2.")
    assert set(Embedding.objects.filter(encoder=second).values_list("image", flat=True)) == {one.pk for one in images}
    assert run_json(capsys, encoder="second", sync=True)["missing"] == 0


def test_a_dataset_limits_it(add_image: AddImage, second: Encoder, capsys: pytest.CaptureFixture[str]) -> None:
    add_image("red")
    image = add_image("blue", dataset=Dataset.objects.create(name="Other"))
    assert run_json(capsys, encoder="second", dataset="other", sync=True)["missing"] == 1
    assert Embedding.objects.get(encoder=second).image_id == image.pk


def test_what_cannot_be_embedded_is_an_error_that_counts_it(add_image: AddImage, second: Encoder) -> None:
    add_image("red").original.unlink()
    with pytest.raises(CommandError, match=r"^1 images have no vector of second still"):
        call_command("embed_images", encoder="second", sync=True)


def test_without_waiting_all_are_sent_to_the_workers(add_image: AddImage, second: Encoder, broker: Any) -> None:
    for colour in ("red", "blue", "green"):
        add_image(colour)
    call_command("embed_images", encoder="second")
    assert (queue.n_waiting(Turn.SOON), queue.n_waiting(Turn.LATER)) == (0, 1)


def test_waiting_ends_where_no_worker_answers(
    add_image: AddImage, second: Encoder, broker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_image("red")
    monkeypatch.setattr(filling, "_SECONDS_STANDING_STILL", 0.0)
    with pytest.raises(CommandError, match="or no worker answers"):
        call_command("embed_images", encoder="second", wait=True)


def test_what_somebody_waits_for_goes_first(broker: Any) -> None:
    queue.send_embed(1, [1], Turn.LATER)
    queue.send_embed(2, [2], Turn.SOON)
    assert (queue.n_waiting(Turn.SOON), queue.n_waiting(Turn.LATER)) == (1, 1)
    taken: list[Any] = []
    with current_app.connection_for_read() as connection:
        simple = connection.SimpleQueue(settings.CELERY_TASK_DEFAULT_QUEUE)
        for _ in range(2):
            message = simple.get(timeout=5)
            taken.append(message.payload[0][0])
            message.ack()
    assert taken == [2, 1]


def test_images_that_come_in_meanwhile_are_counted_too(
    add_image: AddImage, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_image("red", embedded=False).original.unlink()

    def close(_: filling.LocalWorkers) -> None:
        for colour in ("blue", "green", "white"):
            add_image(colour, embedded=False)

    monkeypatch.setattr(filling.LocalWorkers, "close", close)
    monkeypatch.setattr(filling.LocalWorkers, "send", lambda *_: None)
    monkeypatch.setattr(filling.LocalWorkers, "is_done", lambda _: True)
    with pytest.raises(CommandError, match=r"^4 images have no vector of colours still"):
        call_command("embed_images", sync=True)
    job = Job.objects.get()
    assert (job.state, job.n_done, job.n_failed, job.n_total) == ("done", 0, 4, 4)
