"""Backup and restore: what was there comes back, whole or not at all, and nothing is overwritten unasked."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.test import Client

from imgsim_site.backup import BackupError, back_up, programs, restore, restore_files, rows
from search.models import Dataset, Embedding, Image

AddImage = Callable[..., Image]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def places(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.ENCODERS_ROOT = tmp_path / "encoders"


@pytest.fixture
def shown(add_image: AddImage, client: Client) -> Callable[[], list[tuple[str, float]]]:
    """A site with three images; what a search answers on it."""
    asked = add_image("red", label="warm")
    add_image("orange", label="warm")
    add_image("blue", label="cold")

    def search() -> list[tuple[str, float]]:
        hits = client.get("/", {"image": asked.pk}).context["results"].hits
        return [(hit.source, hit.distance) for hit in hits]

    return search


def test_what_was_backed_up_comes_back(shown: Callable[[], Any], tmp_path: Path) -> None:
    before = shown()
    assert len(before) == 2
    manifest = back_up(tmp_path / "backup")
    assert (manifest.counts["search_image"], manifest.n_files, manifest.missing) == (3, 6, [])
    User.objects.create_user("later")
    Embedding.objects.all().delete()
    Dataset.everything.all().delete()
    for name in [one.path.removeprefix("media/") for one in _files(tmp_path / "backup")]:
        default_storage.delete(name)
    restored = restore(tmp_path / "backup", replace=True)
    assert restored.n_images == 3
    assert [problem for problem in restored.problems if "colours" not in problem] == []  # it never had files
    assert shown() == before
    assert not User.objects.filter(username="later").exists()
    # Numbers go on after the last one.
    assert Dataset.objects.create(name="Next").pk > max(Image.objects.values_list("dataset", flat=True))


def _files(folder: Path) -> list[Any]:
    from imgsim_site.backup.manifest import Manifest, read_files

    return read_files(folder / Manifest.read(folder).files)


def test_a_second_backup_copies_what_is_new_and_drops_what_is_gone(
    add_image: AddImage, shown: Callable[[], Any], tmp_path: Path
) -> None:
    folder = tmp_path / "backup"
    back_up(folder)
    kept = {path: path.stat().st_ino for path in (folder / "media").rglob("*") if path.is_file()}
    gone = Image.objects.get(label="cold")
    gone.delete()
    add_image("green")
    manifest = back_up(folder)
    there = {path: path.stat().st_ino for path in (folder / "media").rglob("*") if path.is_file()}
    assert len(there) == manifest.n_files == 6
    assert len(kept.items() & there.items()) == 4
    assert [path.name for path in folder.glob("rows-*")] == [manifest.rows]
    assert [path.name for path in folder.glob("files-*")] == [manifest.files]


def test_a_site_that_is_in_use_is_left_alone(shown: Callable[[], Any], tmp_path: Path) -> None:
    back_up(tmp_path / "backup")
    with pytest.raises(BackupError, match="--replace"):
        restore(tmp_path / "backup")
    assert Image.objects.count() == 3


def test_rows_that_cannot_be_restored_leave_what_is_there(shown: Callable[[], Any], tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    back_up(folder)
    before = shown()
    told = json.loads((folder / "manifest.json").read_text())
    told["counts"]["search_image"] = 4  # found out when all is loaded, at the last moment
    (folder / "manifest.json").write_text(json.dumps(told))
    with pytest.raises(BackupError, match=r"are what they were: .*not those of the backup: .search_image"):
        restore(folder, replace=True)
    assert shown() == before


def test_a_dump_that_breaks_off_leaves_what_is_there(
    shown: Callable[[], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = back_up(tmp_path / "backup")
    before = shown()
    dump = tmp_path / "backup" / manifest.rows
    contents = programs.listed(dump)
    dump.write_bytes(dump.read_bytes()[: dump.stat().st_size * 2 // 3])
    monkeypatch.setattr(programs, "listed", lambda path: contents)
    with pytest.raises(BackupError, match="are what they were"):
        rows.put_back(dump, manifest.counts)
    assert shown() == before


def test_files_that_changed_in_the_backup_are_refused(shown: Callable[[], Any], tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    manifest = back_up(folder)
    one = _files(folder)[0]
    content = (folder / one.path).read_bytes()
    (folder / one.path).write_bytes(b"x" * len(content))
    with pytest.raises(BackupError, match="has changed since the backup was made"):
        restore(folder, replace=True)
    (folder / one.path).write_bytes(content)
    with (folder / manifest.rows).open("ab") as rows:
        rows.write(b"more")
    with pytest.raises(BackupError, match="not the one that the backup was made with"):
        restore(folder, replace=True)
    assert Image.objects.count() == 3


def test_a_list_leads_nowhere_else(shown: Callable[[], Any], tmp_path: Path) -> None:
    from imgsim_site.backup import files
    from imgsim_site.backup.manifest import KeptFile

    for path in ("../../etc/passwd", "/etc/passwd", "media/../../x"):
        with pytest.raises(BackupError, match="no file of a backup"):
            list(files.put_back(tmp_path, [KeptFile(sha256="0", n_bytes=1, path=path)]))


def test_only_files_come_back_where_only_they_are_gone(shown: Callable[[], Any], tmp_path: Path) -> None:
    back_up(tmp_path / "backup")
    damaged, gone = Image.objects.order_by("pk")[:2]
    content = Path(damaged.file.path).read_bytes()
    Path(damaged.file.path).write_bytes(b"damaged")
    default_storage.delete(gone.thumbnail.name)
    Image.objects.update(label="kept")
    assert restore_files(tmp_path / "backup") == 6
    assert Path(damaged.file.path).read_bytes() == content
    assert default_storage.exists(gone.thumbnail.name)
    assert set(Image.objects.values_list("label", flat=True)) == {"kept"}


def test_a_file_that_is_gone_is_told(shown: Callable[[], Any], tmp_path: Path) -> None:
    name = Image.objects.first().thumbnail.name  # type: ignore[union-attr]
    default_storage.delete(name)
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("backup", str(tmp_path / "backup"), "--json", stdout=out, stderr=StringIO())
    assert ended.value.code == 3
    assert json.loads(out.getvalue())["missing"] == [name]


def test_folders_that_are_no_backup(tmp_path: Path, db: None) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(CommandError, match="has other files in it"):
        call_command("backup", str(tmp_path))
    with pytest.raises(CommandError, match="There is no backup in"):
        call_command("restore", str(tmp_path))
    (tmp_path / "manifest.json").write_text('{"format": 99}')
    with pytest.raises(CommandError, match="a backup of format 99"):
        call_command("restore", str(tmp_path))


def test_a_backup_of_a_newer_version_is_refused(shown: Callable[[], Any], tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    back_up(folder)
    told = json.loads((folder / "manifest.json").read_text())
    told["migrations"].append("search.9999_future")
    (folder / "manifest.json").write_text(json.dumps(told))
    with pytest.raises(BackupError, match=r"newer version .* search.9999_future: upgrade"):
        restore(folder, replace=True)
