"""Workers are killed, stopped, asked three times, and given pictures that kill them: each picture is embedded once."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import psutil
import pytest

from tests.faults.gallery import N_PICTURES, Gallery
from tests.pictures import jpeg_bytes
from tests.running import wait_for


def children(worker: psutil.Process) -> list[psutil.Process]:
    """Return the processes of a worker that embed."""
    return [child for child in worker.children() if child.is_running()]


def wait_for_more(gallery: Gallery, dataset: str, n: int) -> None:
    """Wait until n more images are ready, or none is pending."""
    least = min(gallery.n_ready(dataset) + n, N_PICTURES)
    wait_for(lambda: gallery.n_ready(dataset) >= least, f"{least} images of {dataset}")


def wait_a_moment(gallery: Gallery, dataset: str) -> None:
    """Wait for .7 s, but not while a machine that is quick gets on: it would be done before anything is killed."""
    n, end = gallery.n_ready(dataset), time.monotonic() + 0.7
    while time.monotonic() < end and gallery.n_ready(dataset) == n:
        time.sleep(0.02)


def test_ten_children_killed(gallery: Gallery) -> None:
    gallery.import_into("children")
    with gallery.site.worker(beat=True) as worker:
        wait_for_more(gallery, "children", 1)
        n_killed = 0
        while n_killed < 10 and "pending" in gallery.counts("children"):
            alive = children(psutil.Process(worker.pid))
            if alive:
                random.choice(alive).kill()
                n_killed += 1
            wait_a_moment(gallery, "children")
        gallery.come_to_rest("children")
    assert n_killed >= 3
    gallery.assert_whole("children")


def test_five_workers_killed(gallery: Gallery) -> None:
    gallery.import_into("workers")
    for n_before in (0, 64, 128, 192, 256):
        with gallery.site.worker(beat=True) as worker:
            wait_for(lambda n=n_before: gallery.n_ready("workers") >= n, f"{n_before} ready images")
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()
    assert "pending" in gallery.counts("workers")
    with gallery.site.worker(beat=True):
        gallery.come_to_rest("workers")
    gallery.assert_whole("workers")


def test_workers_told_to_end_while_they_work(gallery: Gallery) -> None:
    gallery.import_into("told")
    for _ in range(3):
        with gallery.site.worker(beat=True) as worker:
            wait_for_more(gallery, "told", 64)
            worker.send_signal(signal.SIGTERM)
            worker.wait(60)
    with gallery.site.worker(beat=True):
        gallery.come_to_rest("told")
    gallery.assert_whole("told")


def test_each_batch_sent_three_times(gallery: Gallery) -> None:
    gallery.import_into("thrice")
    send = "from search import encoders; from search.work.missing import missing_ids, send; e = encoders.default(); "
    gallery.site.manage("shell", "-v0", "-c", send + "[send(e, missing_ids(e)) for _ in range(2)]")
    with gallery.site.worker(beat=True):
        gallery.come_to_rest("thrice")
        # What was sent too often is still to be gone through: it must change nothing.
        before = gallery.site.sql("SELECT max(id), count(*) FROM search_embedding")
        wait_for(lambda: not queued(gallery), "the rest of the messages")
        assert gallery.site.sql("SELECT max(id), count(*) FROM search_embedding") == before
    gallery.assert_whole("thrice")


def queued(gallery: Gallery) -> int:
    count = "from search.work import queue; print(sum(queue.depths().values()))"
    return int(gallery.site.manage("shell", "-v0", "-c", count))


@pytest.mark.parametrize("kind", ["kills", "never ends"])
def test_a_picture_that_takes_its_worker_down(gallery: Gallery, tmp_path: Path, kind: str) -> None:
    """One is refused, after three starts at most; the others are ready."""
    folder = tmp_path / "with-poison"
    folder.mkdir()
    for picture in gallery.folder.iterdir():
        (folder / picture.name).hardlink_to(picture)
    (folder / "poison.jpg").write_bytes(jpeg_bytes(321, 240, seed=10_001))
    gallery.import_into(kind, folder)
    told = ["worker", "-l", "WARNING", "-B", "--schedule", str(gallery.site.var / "beat"), "--concurrency", "2"]
    with gallery.site.process("-m", "tests.faults.poisoned", kind, "-A", "imgsim_site", *told):
        gallery.come_to_rest(kind)
    refused = gallery.rows(kind, "image.source, error_code, n_attempts", "status = 'refused'")
    ((source, code, n_attempts),) = refused
    assert (source.endswith("poison.jpg"), code) == (True, "crashed")
    assert n_attempts <= 4  # the fourth one refuses, and does not start
    whole = frozenset(name for (name,) in gallery.rows(kind, "image.sha256"))
    assert whole > gallery.contents
    gallery.assert_whole(kind, refused=1, contents=whole)
