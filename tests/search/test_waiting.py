"""Waiting for embeddings: it ends when all are there, and does something where nothing moves."""

from collections.abc import Callable
from typing import Any

import pytest

from search import embedding
from search.ingest import waiting
from search.ingest.errors import CannotImport
from search.ingest.waiting import Watch
from search.models import Encoder, Image
from search.work import queue
from search.work.progress import Bars

AddImage = Callable[..., Image]


@pytest.fixture
def idle_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker with an empty queue, and no patience."""
    monkeypatch.setattr(waiting, "_SECONDS_STANDING_STILL", 0.0)
    monkeypatch.setattr(queue, "n_workers", lambda: 1)
    monkeypatch.setattr(queue, "n_waiting", lambda turn: 0)


def test_messages_that_the_queue_lost_are_sent_again(
    encoder: Encoder, add_image: AddImage, idle_worker: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = add_image("red", embedded=False)
    monkeypatch.setattr(queue, "send_embed", lambda encoder_id, ids, *turn: embedding.embed(encoder, ids))
    watch = Watch(image.dataset_id, [image.pk])
    waiting.wait(watch, None, Bars(quiet=True))
    assert (watch.n_ready, watch.n_pending) == (1, 0)


def test_messages_that_wait_are_left_to_the_workers(
    add_image: AddImage, idle_worker: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = add_image("red", embedded=False)
    sent: list[Any] = []
    monkeypatch.setattr(queue, "send_embed", lambda *message: sent.append(message))
    monkeypatch.setattr(queue, "n_waiting", lambda turn: 1)
    monkeypatch.setattr(queue, "n_workers", iter([1, 0]).__next__)
    with pytest.raises(CannotImport, match="No worker answers"):
        waiting.wait(Watch(image.dataset_id, [image.pk]), None, Bars(quiet=True))
    assert sent == []


def test_a_look_at_all_goes_past_those_that_wait(add_image: AddImage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "_N_LOOKED_AT", 1)
    images = [add_image("red", embedded=False), add_image("green"), add_image("blue", embedded=False, status="refused")]
    watch = Watch(images[0].dataset_id, [image.pk for image in images])
    watch.look_at_all()
    assert (watch.n_pending, watch.n_ready, watch.refused_ids) == (1, 1, [images[2].pk])


def test_waiting_ends_where_the_dataset_is_deleted(add_image: AddImage, idle_worker: None) -> None:
    image = add_image("red", embedded=False)
    image.dataset.delete()
    with pytest.raises(CannotImport, match=r"^The dataset was deleted meanwhile\.$"):
        waiting.wait(Watch(image.dataset_id, [image.pk]), None, Bars(quiet=True))
