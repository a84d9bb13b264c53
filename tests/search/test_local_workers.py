"""Embedding in processes of a command's own: one that is killed, or that fails, is told and not passed over."""

import operator
import os
import time
from collections.abc import Callable
from functools import partial

import pytest
from django.core.management import CommandError, call_command

from search import embedding
from search.embedding import Outcome
from search.models import Encoder, Image
from search.work import child_process, filling, local_workers
from search.work.local_workers import EmbeddingStopped, LocalWorkers

AddImage = Callable[..., Image]


@pytest.fixture
def waiting(add_image: AddImage, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Images that wait, enough of them for processes, whose first step does nothing."""
    monkeypatch.setattr(local_workers, "BATCH_SIZE", 1)
    monkeypatch.setattr(child_process, "begin", os.getpid)
    return [add_image(colour, embedded=False).pk for colour in ("red", "green", "blue")]


def send_and_wait(encoder: Encoder, image_ids: list[int]) -> None:
    local = LocalWorkers(encoder)
    try:
        local.send(image_ids)
        while not local.is_done():
            time.sleep(0.05)
    finally:
        local.close()


def test_a_process_that_is_killed_ends_the_embedding(
    encoder: Encoder, waiting: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_process, "begin", partial(os._exit, 9))
    with pytest.raises(EmbeddingStopped, match=r"^A process that embeds was killed, .* to go on\.$"):
        send_and_wait(encoder, waiting)


def test_an_exception_in_a_process_ends_the_embedding(
    encoder: Encoder, waiting: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_process, "embed", operator.truediv)  # a spawned process can find it, and it raises
    with pytest.raises(EmbeddingStopped, match=r"^Embedding failed \(TypeError: unsupported operand"):
        send_and_wait(encoder, waiting)


def test_embed_images_says_so_and_fails(waiting: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_process, "embed", operator.truediv)
    monkeypatch.setattr(filling, "_SECONDS_BETWEEN_LOOKS", 0.05)
    with pytest.raises(CommandError, match=r"^Embedding failed .*: run the same command again to go on\.$"):
        call_command("embed_images", sync=True)


def test_images_that_were_tried_go_alone(
    encoder: Encoder, add_image: AddImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = [add_image(colour, embedded=False).pk for colour in ("red", "green")]
    tried = [add_image(colour, embedded=False, n_attempts=1).pk for colour in ("blue", "cyan")]
    embedded: list[list[int]] = []
    monkeypatch.setattr(embedding, "embed", lambda encoder, ids: (embedded.append(ids), Outcome())[1])
    send_and_wait(encoder, [*tried, *fresh])
    assert embedded == [fresh, [tried[0]], [tried[1]]]
