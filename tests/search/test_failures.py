"""What is answered where the site's own parts fail: words, and a status that says whether to try again."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import InterfaceError, OperationalError, connection
from django.test import Client
from psycopg.errors import DiskFull, UndefinedColumn
from redis.exceptions import ConnectionError as RedisGone

from search import failures
from search.files import storage
from search.ingest import adding
from search.models import Dataset, Encoder, Image
from tests.pictures import png_bytes


def because_of(cause: BaseException) -> Exception:
    """Return an error as Django makes it from one of a driver's."""
    error = OperationalError(str(cause))
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (OperationalError("the connection was closed"), 503),
        (InterfaceError("the connection is closed"), 503),
        (RedisGone("refused"), 503),
        (because_of(DiskFull("could not extend file")), 507),
        (because_of(UndefinedColumn("column fault does not exist")), 503),
        (OSError(errno.ENOSPC, "No space left on device"), 507),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), 507),
        (PermissionError(errno.EACCES, "Permission denied"), 500),
        (ValueError("a mistake"), 500),
        (None, 500),
    ],
)
def test_each_failure_has_its_status(error: BaseException | None, status: int) -> None:
    assert failures.status_of(error) == status


@pytest.fixture
def visitor() -> Client:
    return Client(raise_request_exception=False)


@pytest.mark.parametrize("path", ["/", "/datasets/", "/images/1/", "/login/", "/admin/", "/jobs/"])
def test_without_a_database_pages_ask_to_come_back(
    visitor: Client, encoder: Encoder, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    visitor.cookies["sessionid"] = "of-somebody"
    with without_database(monkeypatch):
        page = visitor.get(path)
    assert (page.status_code, page.headers["Retry-After"]) == (503, "5")
    assert "Your pictures are safe" in page.content.decode()
    assert "server closed" not in page.content.decode()


def go_back_a_version() -> None:
    """Have the database lack what the newest migrations have made."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE search_encoder DROP COLUMN fault")


@pytest.mark.parametrize("path", ["/", "/encoders/", "/api/v1/encoders"])
def test_on_a_database_of_the_version_before_all_are_told_to_migrate(
    visitor: Client, encoder: Encoder, path: str
) -> None:
    go_back_a_version()
    answer = visitor.get(path)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    if not path.startswith("/api/"):
        assert "manage.py migrate" in answer.content.decode()


def test_readiness_says_that_a_database_is_of_the_version_before(visitor: Client, encoder: Encoder) -> None:
    go_back_a_version()
    assert visitor.get("/readyz").json()["encoder"] == failures.MIGRATE


@pytest.mark.parametrize("path", ["/api/v1/datasets", "/api/v1/encoders", "/api/v1/images/1"])
def test_without_a_database_programs_are_told_when_to_come_back(
    visitor: Client, encoder: Encoder, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    with without_database(monkeypatch):
        answer = visitor.get(path)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "service_unavailable"


@contextmanager
def without_database(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have every statement fail, as where the server has gone."""

    def execute(*_: Any, **__: Any) -> None:
        raise OperationalError("server closed the connection unexpectedly")

    with monkeypatch.context() as patched:
        patched.setattr("django.db.backends.utils.CursorWrapper.execute", execute)
        yield


def test_a_full_disk_takes_no_file_from_an_image_that_was_moved(
    add_image: Callable[..., Image], dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = add_image(content=png_bytes(40, 30, seed=1))
    Image.objects.filter(pk=image.pk).update(dataset=Dataset.objects.create(name="elsewhere"))
    keep = storage.keep

    def put(name: str, content: bytes) -> str:
        assert keep(name, content) == image.file.name
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(storage, "keep", put)
    with pytest.raises(OSError, match="No space left"):
        adding.add(dataset, "again.png", png_bytes(40, 30, seed=1), job=None)
    assert Path(image.file.path).read_bytes() == png_bytes(40, 30, seed=1)


def test_a_full_disk_keeps_nothing_and_says_so(
    admin_client: Client, dataset: Dataset, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep = storage.keep

    def put(name: str, content: bytes) -> str:
        keep(name, content)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(storage, "keep", put)
    admin_client.raise_request_exception = False
    originals = Path(default_storage.path("originals"))
    before = set(originals.rglob("*.png"))
    file = SimpleUploadedFile("a.png", png_bytes(40, 30, seed=1), "image/png")
    answer = admin_client.post(f"/datasets/{dataset.slug}/upload/", {"files": file})
    assert answer.status_code == 507
    assert "disk is full" in answer.content.decode()
    assert not dataset.images.exists()
    assert set(originals.rglob("*.png")) == before
