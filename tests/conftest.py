"""What many tests need: the embedded servers, an encoder without weights, a dataset, and images in it."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from tests.browsing import browser  # noqa: F401 -- one for all tests of a process
from tests.fakes import COLOUR_SPEC, ColourNetwork
from tests.pictures import plain_png

_LONGEST = ["end_to_end", "browser", "site", "embeddings"]  # folders beside this file


def pytest_configure() -> None:
    """Let tests stop processes by Ctrl-C, which all of them would ignore where a shell began this in the background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that two processes end at about the same time."""
    places = {folder: place for place, folder in enumerate(_LONGEST)}
    here = Path(__file__).parent
    items.sort(key=lambda item: places.get(item.path.relative_to(here).parts[0], len(places)))


@pytest.fixture(scope="session")
def servers() -> Iterator[None]:
    """The embedded Postgres and Redis, for the whole run."""
    from imgsim_site import embedded

    embedded.ensure_running_for(settings)
    yield
    embedded.leave(settings.VAR)
    shutil.rmtree(settings.VAR, ignore_errors=True)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(servers: None) -> None:
    """Have the servers before pytest-django makes its database."""


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> ColourNetwork:
    """The encoder without weights, in place of every installed one."""
    from search import encoders
    from search.encoders import checking

    network = ColourNetwork()
    monkeypatch.setattr(encoders, "network", lambda encoder: network)
    monkeypatch.setattr(checking, "check", lambda encoder: None)
    return network


@pytest.fixture
def encoder(db: None, network: ColourNetwork) -> Any:
    """The row of the default encoder."""
    from search.models import Encoder

    return Encoder.objects.create(
        name=COLOUR_SPEC.name,
        family=COLOUR_SPEC.family,
        dim=COLOUR_SPEC.dim,
        spec={"input_size": COLOUR_SPEC.input_size, "n_classes": 0},
        weights_sha256="0" * 64,
        is_default=True,
    )


@pytest.fixture
def dataset(db: None) -> Any:
    """A public dataset."""
    from search.models import Dataset

    return Dataset.objects.create(name="Colours")


def png(colour: str = "red", size: tuple[int, int] = (64, 48)) -> bytes:
    """Return a PNG of one colour."""
    return plain_png(*size, colour)


def still() -> dict[str, datetime]:
    """Return what a job has whose process was killed, when the sweeper ends it."""
    return {"heartbeat_at": datetime(2020, 1, 1, tzinfo=UTC), "given_until": datetime(2020, 1, 1, tzinfo=UTC)}


@pytest.fixture
def add_image(encoder: Any, dataset: Any) -> Callable[..., Any]:
    """Make an image of one colour, embedded and ready: `add_image("red", label="warm")`."""
    from search import embedding
    from search.models import Image

    def add(colour: str = "red", *, content: bytes | None = None, embedded: bool = True, **fields: Any) -> Any:
        content = content or png(colour)
        digest = sha256(content).hexdigest()
        into = fields.pop("dataset", dataset)
        name = default_storage.save(f"originals/{into.pk}/{digest[:2]}/{digest}.png", ContentFile(content))
        facts = {"source": f"colours/{colour}.png", "format": "PNG", "width": 64, "height": 48, "n_bytes": len(content)}
        image = Image.objects.create(dataset=into, sha256=digest, file=name, **{**facts, **fields})
        if embedded:
            embedding.embed(encoder, [image.pk])
            image.refresh_from_db()
        return image

    return add
