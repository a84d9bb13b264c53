"""Redis forgets, ends, or stands still: nothing waits for ever, and no page waits long."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import redis

from imgsim_site import embedded
from imgsim_site.embedded.places import Places
from tests.faults.gallery import Gallery
from tests.running import status_of, wait_for

SECONDS_STANDING_STILL = 60
LONGEST_REQUEST_SECONDS = 6.0
PAGES = ("/", "/datasets/", "/encoders/", "/api/v1/datasets", "/api/v1/encoders")


def client(gallery: Gallery) -> redis.Redis:
    return redis.Redis.from_url(embedded.redis_url(gallery.site.var))


def redis_pid(gallery: Gallery) -> int:
    """Return the process of Redis; 0 while it begins, when it has made the file and not written it yet."""
    return int(Places.below(gallery.site.var).redis_pid.read_text() or 0)


def test_all_messages_forgotten(gallery: Gallery) -> None:
    gallery.import_into("forgotten")
    client(gallery).flushall()
    with gallery.site.worker(beat=True):
        gallery.come_to_rest("forgotten")
    gallery.assert_whole("forgotten")


def test_a_broker_that_is_killed_again_and_again(gallery: Gallery) -> None:
    gallery.import_into("broker")
    with gallery.site.worker(beat=True):
        for n_before in (1, 128, 256):
            wait_for(lambda n=n_before: gallery.n_ready("broker") >= n, f"{n_before} ready images")
            killed = redis_pid(gallery)
            os.kill(killed, signal.SIGKILL)
            wait_for(lambda killed=killed: redis_pid(gallery) not in {0, killed}, "the next Redis")
        gallery.come_to_rest("broker")
    gallery.assert_whole("broker")


@contextmanager
def standing_still(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_broker_that_stands_still(gallery: Gallery) -> None:
    """No request takes long meanwhile, and none ends in an error of the server's."""
    with gallery.site.worker(beat=True), gallery.site.web() as url:
        gallery.import_into("still")
        asked: list[tuple[str, int, float]] = []
        with standing_still(redis_pid(gallery)):
            ends_at = time.monotonic() + SECONDS_STANDING_STILL
            while time.monotonic() < ends_at:
                for page in PAGES:
                    started = time.monotonic()
                    asked.append((page, status_of(url + page), time.monotonic() - started))
                    time.sleep(0.2)
        gallery.come_to_rest("still")
    assert [one for one in asked if one[1] >= 500 or one[2] > LONGEST_REQUEST_SECONDS] == []
    gallery.assert_whole("still")
