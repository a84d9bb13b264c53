"""Imports are killed anywhere; the same file comes twenty times at once; what is being embedded is deleted."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.faults.gallery import N_PICTURES, Gallery
from tests.pictures import jpeg_bytes
from tests.running import api_client, wait_for


@pytest.fixture(scope="module")
def secret(gallery: Gallery) -> str:
    return gallery.site.make_token()


def test_an_import_killed_at_ten_places(gallery: Gallery) -> None:
    draw = random.Random(8)
    with gallery.site.worker(beat=True):
        for _ in range(10):
            with gallery.site.process(
                "manage.py", "import_images", str(gallery.folder), "--dataset", "killed"
            ) as command:
                time.sleep(draw.uniform(0.5, 6.0))
                command.kill()
        gallery.import_into("killed")
        gallery.come_to_rest("killed")
    gallery.assert_whole("killed")


def test_one_file_uploaded_twenty_times_at_once(gallery: Gallery, secret: str, tmp_path: Path) -> None:
    picture = tmp_path / "one.jpg"
    picture.write_bytes(jpeg_bytes(333, 222, seed=20_000))
    with gallery.site.web() as url, gallery.site.worker(beat=True):
        server = api_client().ImgSim(url, secret)
        server.make_dataset("at once")
        begin = threading.Barrier(20)

        def upload(_: int) -> dict[str, Any]:
            begin.wait()
            answer: dict[str, Any] = server.upload("at-once", picture)
            return answer

        with ThreadPoolExecutor(20) as threads:
            answers = list(threads.map(upload, range(20)))
        assert len({answer["id"] for answer in answers}) == 1
        gallery.come_to_rest("at once")
    assert gallery.counts("at once") == {"ready": 1}
    gallery.assert_files_have_rows()


def test_images_and_datasets_deleted_while_they_are_embedded(gallery: Gallery, secret: str) -> None:
    gallery.import_into("kept in part")
    gallery.import_into("given up")
    with gallery.site.web() as url, gallery.site.worker(beat=True):
        server = api_client().ImgSim(url, secret)
        wait_for(lambda: gallery.n_ready("kept in part") > 0, "the first images")
        ids = [image_id for (image_id,) in gallery.rows("kept in part", "image.id")]
        gone = set(random.Random(9).sample(ids, 100))
        for number, image_id in enumerate(sorted(gone)):
            server.delete(image_id)
            if number == 50:
                server._read("DELETE", "/datasets/given-up")
        gallery.come_to_rest("kept in part")
        empty_the_trash(gallery)
    assert gallery.counts("kept in part") == {"ready": N_PICTURES - 100}
    assert gallery.site.sql("SELECT 1 FROM search_image WHERE status = 'pending'") == []
    left = frozenset(name for (name,) in gallery.rows("kept in part", "image.sha256"))
    gallery.assert_whole("kept in part", contents=left)


def empty_the_trash(gallery: Gallery) -> None:
    """Have what was deleted be a day old, and sweep: now its rows and files go."""
    gallery.site.sql(
        "UPDATE search_dataset SET trashed_at = trashed_at - interval '2 days' WHERE trashed_at IS NOT NULL"
    )
    gallery.site.sql("UPDATE search_image SET trashed_at = trashed_at - interval '2 days' WHERE trashed_at IS NOT NULL")
    gallery.site.manage("reconcile")
