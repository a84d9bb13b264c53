"""An encoder beside the default one, and the workers' part, done here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from celery import current_app

from search import embedding, tasks
from search.models import Encoder, Image

AddImage = Callable[..., Image]


@pytest.fixture
def other(encoder: Encoder, settings: Any, tmp_path: Path) -> Encoder:
    """An encoder beside the default one, with a folder of files; it has embedded nothing."""
    settings.ENCODERS_ROOT = tmp_path
    row = Encoder.objects.create(
        name="other", family="fake", dim=encoder.dim, spec={"input_size": 32}, weights_sha256="1" * 64
    )
    row.folder.mkdir()
    (row.folder / "other.xml").write_text("<net/>")
    return row


@pytest.fixture
def embedded(add_image: AddImage, other: Encoder) -> list[Image]:
    """Three images that both encoders have embedded."""
    images = [add_image(colour) for colour in ("red", "green", "blue")]
    embedding.embed(other, [image.pk for image in images])
    return images


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[Any]]]:
    """What is sent to the workers, in place of the queue."""
    messages: list[tuple[str, list[Any]]] = []
    monkeypatch.setattr(current_app, "send_task", lambda name, arguments, **_: messages.append((name, arguments)))
    return messages


@pytest.fixture
def work(sent: list[tuple[str, list[Any]]]) -> Callable[[], None]:
    """Do what was sent, and what that sends, as a worker does."""

    def work() -> None:
        while sent:
            name, arguments = sent.pop(0)
            getattr(tasks, name.rpartition(".")[2])(*arguments)

    return work
