"""Pictures in a bucket: what is imported, embedded, shown and deleted there, as on a disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from django.core.files.storage import storages
from django.core.management import call_command
from django.test import Client
from moto import mock_aws

from embeddings.images import RefusedImage
from imgsim_site.storage_url import storage_of
from search import embedding
from search.files import originals
from search.models import Image
from search.reviewing import finding
from tests.conftest import png


@pytest.fixture
def bucket(settings: Any, tmp_path: Path) -> Iterator[Any]:
    """An empty bucket, which the site keeps its pictures in."""
    url = "s3://key:sec%2Fret@s3.amazonaws.com/pictures/site-1?region=us-east-1"
    with mock_aws():
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="pictures")
        settings.STORAGES = {**settings.STORAGES, "default": storage_of(url, tmp_path)}
        settings.VAR = tmp_path / "var"
        yield boto3.resource("s3", region_name="us-east-1").Bucket("pictures")


def names(bucket: Any) -> list[str]:
    return sorted(one.key for one in bucket.objects.all())


@pytest.mark.django_db(transaction=True)
def test_a_picture_comes_is_found_and_goes(bucket: Any, encoder: Any, client: Client, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for colour in ("red", "orange"):
        (folder / f"{colour}.png").write_bytes(png(colour))
    call_command("import_images", str(folder), "--dataset", "fruit", "--sync", verbosity=0)
    red, orange = Image.objects.order_by("source").reverse()
    assert {red.status, orange.status} == {Image.Status.READY}
    assert len(names(bucket)) == 4
    assert all(name.startswith(("site-1/originals/", "site-1/thumbnails/")) for name in names(bucket))
    assert red.original == png("red")
    for address in (red.thumbnail_url, f"/images/{red.pk}/picture-{red.sha256[:12]}.jpg"):
        response = client.get(address)
        assert (response.status_code, response.content[:2]) == (200, b"\xff\xd8")
    found = client.get("/", {"image": red.pk}).context["results"].hits
    assert [hit.name for hit in found] == ["orange.png"]
    assert client.get("/", {"image": red.pk, "crop": "0,0,.5,.5"}).status_code == 200
    assert finding._grey(red.thumbnail.name) is not None  # duplicates are told by thumbnails, which lie there
    red.delete()
    assert len(names(bucket)) == 2
    assert not any(red.sha256 in name for name in names(bucket))


def test_what_is_gone_from_a_bucket_is_refused_in_words(bucket: Any, db: None) -> None:
    with pytest.raises(RefusedImage, match="No such file"):
        originals.source("originals/1/ab/none.png")
    bucket.delete()
    with pytest.raises(RefusedImage, match="cannot be read"):
        originals.source("originals/1/ab/none.png")


def test_while_a_bucket_does_not_answer_images_wait(
    bucket: Any, add_image: Any, encoder: Any, monkeypatch: Any
) -> None:
    image = add_image("red", embedded=False)
    with monkeypatch.context() as broken:
        broken.setattr(storages["default"].__class__, "open", lambda *_: 1 / 0)
        with pytest.raises(originals.StorageSilent):
            embedding.embed(encoder, [image.pk])
    image.refresh_from_db()
    assert (image.status, image.n_attempts, image.leased_until) == (Image.Status.PENDING, 0, None)
    assert embedding.embed(encoder, [image.pk]).n_embedded == 1


def test_a_training_reads_from_a_path_what_a_bucket_has(bucket: Any) -> None:
    name = storages["default"].save("originals/1/ab/abc.png", _content(b"picture"))
    path = originals.local_path(name)
    assert path.read_bytes() == b"picture"
    storages["default"].delete(name)
    assert originals.local_path(name) == path
    assert not originals.local_path("originals/1/ab/none.png").exists()
    originals.remove_fetched()
    assert path.exists()
    os.utime(path, (0, 0))
    originals.remove_fetched()
    assert not path.exists()


def _content(content: bytes) -> Any:
    from django.core.files.base import ContentFile

    return ContentFile(content)


def test_what_a_url_says() -> None:
    told = storage_of("s3://key:sec%2Fret@minio:9000/pictures/a/b?region=eu&tls=false", Path("/unused"))
    assert told["OPTIONS"] == {
        "bucket_name": "pictures",
        "location": "a/b",
        "default_acl": None,
        "file_overwrite": True,
        "access_key": "key",
        "secret_key": "sec/ret",
        "region_name": "eu",
        "endpoint_url": "http://minio:9000",
        "addressing_style": "path",
    }
    assert "access_key" not in storage_of("s3:///pictures", Path("/unused"))["OPTIONS"]
    assert storage_of("file:///srv/my%20pictures", Path("/unused"))["OPTIONS"] == {"location": Path("/srv/my pictures")}
    assert storage_of("", Path("/var/media"))["OPTIONS"] == {"location": Path("/var/media")}


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://host/bucket", "it begins with 'ftp'"),
        ("pictures", "it begins with 'no scheme'"),
        ("s3://key:secret@host", "it has no bucket"),
        ("s3://host/bucket?colour=red", "something else than region"),
        ("s3://host/bucket?tls=maybe", "something else than region"),
        ("file://host/path", "a path begins with a slash"),
    ],
)
def test_a_url_that_makes_no_sense(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        storage_of(url, Path("/unused"))
