"""Files and rows keep together; uploads keep to their limit."""

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import Client

from embeddings.images.decoding import MAX_FILE_BYTES
from search.files.storage import AtomicFileStorage
from search.models import Dataset, Encoder, Image
from search.work import reconciling
from tests.running import ROOT

AddImage = Callable[..., Image]


def test_a_file_that_cannot_be_written_whole_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(source: str, target: str) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="No space left"):
        AtomicFileStorage(tmp_path).save("a/b.jpg", ContentFile(b"content"))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_file_for_which_there_is_half_the_room_is_not_there(tmp_path: Path) -> None:
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)); "
    begin = (
        "from django.conf import settings; settings.configure(); from search.files.storage import AtomicFileStorage; "
    )
    keep = f"AtomicFileStorage({str(tmp_path)!r}).put('a', b'x' * 1500)"
    done = subprocess.run([sys.executable, "-c", limit + begin + keep], cwd=ROOT, capture_output=True, check=False)
    assert b"File too large" in done.stderr
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_name_that_is_there_keeps_its_file(tmp_path: Path) -> None:
    storage = AtomicFileStorage(tmp_path)
    assert [storage.save("a.jpg", ContentFile(content)) for content in (b"first", b"second")] == ["a.jpg", "a.jpg"]
    assert (tmp_path / "a.jpg").read_bytes() == b"first"


def test_folders_go_with_their_last_file(tmp_path: Path) -> None:
    storage = AtomicFileStorage(tmp_path)
    for name in ("originals/1/ab/a.jpg", "originals/1/ab/b.jpg", "originals/1/cd/c.jpg"):
        storage.put(name, b"content")
    storage.delete("originals/1/ab/a.jpg")
    assert (tmp_path / "originals/1/ab/b.jpg").exists()
    storage.delete("originals/1/ab/b.jpg")
    assert not (tmp_path / "originals/1/ab").exists()
    storage.delete("originals/1/cd/c.jpg")
    assert list((tmp_path / "originals").iterdir()) == []


def test_files_come_into_folders_that_others_go_from(tmp_path: Path) -> None:
    storage = AtomicFileStorage(tmp_path)

    def come_and_go(number: int) -> None:
        for turn in range(300):
            name = f"originals/1/{turn % 2}/{number}.jpg"
            assert storage.put(name, b"content") == name
            assert (tmp_path / name).read_bytes() == b"content"
            storage.delete(name)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(come_and_go, range(4)))
    assert list((tmp_path / "originals").iterdir()) == []


def test_a_draft_of_a_killed_process_goes_after_an_hour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AtomicFileStorage, "_move", lambda *_: None)  # as far as a killed process comes
    storage = AtomicFileStorage(tmp_path)
    storage.put("a/b.jpg", b"content")
    assert storage.remove_old_drafts() == 0
    (draft,) = (path for path in tmp_path.rglob("*") if path.is_file())
    os.utime(draft, times=(0, 0))
    assert (storage.remove_old_drafts(), draft.exists()) == (1, False)


def test_the_sweeper_removes_old_drafts(db: None) -> None:
    draft = Path(default_storage.path(".drafts/left"))
    draft.parent.mkdir(parents=True, exist_ok=True)
    draft.touch()
    os.utime(draft, times=(0, 0))
    reconciling.reconcile()
    assert not draft.exists()


@pytest.mark.django_db(transaction=True)
def test_the_files_of_a_deleted_dataset_go_with_it(encoder: Encoder, add_image: AddImage, dataset: Dataset) -> None:
    image = add_image("red")
    paths = [image.original, Path(image.thumbnail.path)]
    assert all(path.exists() for path in paths)
    dataset.delete()
    assert not any(path.exists() for path in paths)


@pytest.mark.django_db(transaction=True)
def test_an_original_in_place_is_not_removed(encoder: Encoder, add_image: AddImage, tmp_path: Path) -> None:
    original = tmp_path / "mine.png"
    original.write_bytes(b"mine")
    image = add_image("red", embedded=False)
    Image.objects.filter(pk=image.pk).update(file="", in_place_path=str(original))
    Image.objects.get(pk=image.pk).delete()
    assert original.read_bytes() == b"mine"


@pytest.mark.parametrize(("path", "status"), [("/", 422), ("/api/v1/search", 413)])
def test_an_upload_over_the_limit_is_refused_and_not_kept(
    client: Client, encoder: Encoder, path: str, status: int
) -> None:
    upload = BytesIO(bytes(MAX_FILE_BYTES * 2))
    upload.name = "huge.jpg"
    response = client.post(path, {"picture": upload, "image": BytesIO(bytes(MAX_FILE_BYTES + 10))})
    assert response.status_code == status
    assert b"the limit is 20 MB" in response.content
