"""`manage.py doctor`: each thing that can be wrong is found, with the command that mends it, and nothing is changed."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from celery import current_app
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.db import OperationalError
from django.utils import timezone

from embeddings.images import formats
from search.checkup import configuration, database, encoders, images, machine, queue
from search.checkup.findings import Finding, Level
from search.checkup.running import checkup
from search.models import Dataset, Image
from search.version import version
from search.work import counting

AddImage = Callable[..., Image]


def bad(findings: Iterator[Finding], level: Level | None = None) -> list[Finding]:
    """Return the findings that are not well; each of them says what to run."""
    found = [one for one in findings if one.level != Level.OK and level in (None, one.level)]
    assert all(one.command for one in found)
    return found


def answering(monkeypatch: pytest.MonkeyPatch, **versions: str) -> None:
    """Let workers answer, by the first part of their names, with the code that they run."""
    answers = [{f"{name}@host": {"version": told}} for name, told in versions.items()]
    monkeypatch.setattr(current_app.control, "broadcast", lambda *a, **k: answers)


@pytest.fixture(autouse=True)
def running(monkeypatch: pytest.MonkeyPatch, servers: None) -> None:
    """Workers of this code that answer, and a beat that has swept."""
    answering(monkeypatch, celery=version(), trainer=version())
    counting.note_sweep()


def test_a_site_that_is_well_has_no_findings(
    monkeypatch: pytest.MonkeyPatch, add_image: AddImage, installed: None
) -> None:
    # Set for the browser of other tests, which brings an event loop.
    monkeypatch.setattr(configuration, "_NOT_OURS", configuration._NOT_OURS | {"async.E001"})
    add_image("red")
    assert bad(checkup(every_file=True), Level.ERROR) == []
    out = StringIO()
    call_command("doctor", "--json", stdout=out)
    told = json.loads(out.getvalue().splitlines()[-1])
    assert told["healthy"] is True
    assert {one["part"] for one in told["findings"]} == {
        "settings",
        "machine",
        "database",
        "queue",
        "encoders",
        "images",
    }


@pytest.fixture
def installed(encoder: Any, settings: Any, tmp_path: Path) -> None:
    """The files of the default encoder."""
    from embeddings.stored import StoredEncoder, sha256_of
    from tests.fakes import COLOUR_SPEC

    settings.ENCODERS_ROOT = tmp_path
    encoder.folder.mkdir()
    weights = encoder.folder / "colours.bin"
    weights.write_bytes(b"weights")
    StoredEncoder(
        spec=COLOUR_SPEC,
        weights_sha256=encoder.weights_sha256,
        files={weights.name: sha256_of(weights)},
        parity={},
        n_samples=0,
        versions={},
    ).write(encoder.folder)


def test_what_is_broken_ends_it_with_status_1(db: None) -> None:
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("doctor", stdout=out)
    assert ended.value.code == 1
    assert "manage.py install_encoder mobilenet_v2" in out.getvalue()
    assert "broken" in out.getvalue().splitlines()[-1]


def test_settings_that_let_others_in(settings: Any) -> None:
    settings.SECRET_KEY, settings.DEBUG, settings.ALLOWED_HOSTS = "short", True, ["*"]
    told = " ".join(one.what for one in bad(configuration.look()))
    assert all(word in told for word in ("SECRET_KEY", "DEBUG", "ALLOWED_HOSTS"))


def test_an_encoder_that_is_damaged(encoder: Any, installed: None) -> None:
    assert bad(encoders.look()) == []
    (encoder.folder / "colours.bin").write_bytes(b"other")
    (found,) = bad(encoders.look())
    assert found.level == Level.ERROR
    assert "colours.bin has changed" in found.what
    assert found.command == "manage.py install_encoder colours"


def test_an_index_that_is_missing(add_image: AddImage, installed: None, settings: Any) -> None:
    add_image("red")
    settings.EXACT_SEARCH_UP_TO = 0
    (found,) = bad(encoders.look())
    assert found.command == "manage.py build_index --encoder colours"


def test_images_that_wait_for_hours(add_image: AddImage) -> None:
    waiting = add_image("red", embedded=False)
    assert bad(images.look(every_file=False)) == []
    Image.objects.filter(pk=waiting.pk).update(created_at=timezone.now() - timedelta(hours=2))
    (found,) = bad(images.look(every_file=False))
    assert "1 images wait" in found.what


@pytest.mark.parametrize("every_file", [True, False])
def test_files_that_are_gone_and_files_of_nobody(add_image: AddImage, dataset: Dataset, every_file: bool) -> None:
    gone = add_image("red")
    default_storage.delete(gone.thumbnail.name)
    stray = default_storage.save(f"originals/{dataset.pk}/ab/{'ab' * 32}.png", ContentFile(b"?"))
    lost = bad(images.look(every_file=every_file))
    assert [one.level for one in lost] == [Level.ERROR]  # a file of this minute may get its row yet
    assert str(gone.pk) in lost[0].what
    assert "No file is older than an hour" in list(images.look(every_file=every_file))[-1].what
    old = time.time() - 7200
    os.utime(default_storage.path(stray), (old, old))
    _, found = bad(images.look(every_file=True))
    assert f"rm {stray}" in found.command
    default_storage.delete(stray)


def test_workers_that_are_gone_or_run_other_code(monkeypatch: pytest.MonkeyPatch, db: None) -> None:
    answering(monkeypatch)
    assert "No worker answers" in bad(queue.look(), Level.ERROR)[0].what
    answering(monkeypatch, celery="0.0.9+abc", trainer=version())
    (found,) = bad(queue.look())
    assert found.what.startswith("celery@host: other code")


def test_beat_that_stands_still(monkeypatch: pytest.MonkeyPatch, db: None) -> None:
    monkeypatch.setattr(counting, "swept_at", lambda: time.time() - 900)
    (found,) = bad(queue.look())
    assert "nothing for 15 minutes" in found.what


def test_redis_that_is_away_or_drops_keys(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = {"redis_version": "7.2.0", "maxmemory_policy": "allkeys-lru", "maxmemory": 100, "used_memory": 95}

    class Full:
        def info(self, section: str) -> dict[str, Any]:
            return facts

        def time(self) -> tuple[int, int]:
            then = time.time() - 60
            return int(then), int(then % 1 * 1e6)

    told = [one.what for one in bad(queue._redis(Full()))]  # type: ignore[arg-type]
    assert [word for word in ("drops keys", "95%", "-60 s") if not any(word in what for what in told)] == []
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    (found,) = bad(queue.look())
    assert "cannot be reached" in found.what


def test_postgres_that_is_away_is_told_and_the_rest_looked_at(monkeypatch: pytest.MonkeyPatch, db: None) -> None:
    def away() -> Iterator[Finding]:
        raise OperationalError("connection refused\nIs it running?")

    monkeypatch.setattr(database, "look", away)
    found = list(checkup())
    assert any("connection refused Is it running?" in one.what for one in bad(iter(found)))
    assert {"queue", "database"} <= {one.part for one in found}


def test_migrations_that_are_not_applied(monkeypatch: pytest.MonkeyPatch, db: None) -> None:
    monkeypatch.setattr(database, "_missing", lambda: ["search.0099_next"])
    (found,) = bad(database.look())
    assert (found.command, "search.0099_next" in found.what) == ("manage.py migrate", True)
    assert not any(one.part in {"encoders", "images"} for one in checkup())


def test_a_disk_that_is_full_and_a_format_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    from shutil import _ntuple_diskusage

    monkeypatch.setattr(machine.shutil, "disk_usage", lambda path: _ntuple_diskusage(10**12, 10**12 - 10**7, 10**7))
    monkeypatch.setattr(machine, "unreadable_formats", lambda: ["AVIF"])
    told = " ".join(one.what for one in bad(machine.look(), Level.ERROR))
    assert "0.0 GB of 1000.0 GB" in told
    assert "AVIF" in told


def test_every_format_can_be_read_here(monkeypatch: pytest.MonkeyPatch) -> None:
    assert formats.unreadable_formats() == []
    monkeypatch.setattr(formats, "FORMATS", ("JPEG", "XCF"))
    assert formats.unreadable_formats() == ["XCF"]


def test_a_check_that_fails_is_a_finding(monkeypatch: pytest.MonkeyPatch, db: None) -> None:
    monkeypatch.setattr(machine, "unreadable_formats", lambda: 1 / 0)
    assert any("ZeroDivisionError" in one.what for one in bad(checkup(), Level.ERROR))
