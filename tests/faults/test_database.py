"""Postgres is restarted at once while pictures come in and are searched, and refuses vectors that are none."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter

import psutil
import psycopg
import pytest

from imgsim_site import embedded
from imgsim_site.embedded.places import Places
from tests.faults.gallery import CALM, Gallery
from tests.running import status_of, wait_for


def restart_at_once(gallery: Gallery) -> None:
    """Have Postgres drop all that it is at, as after a loss of power, and wait until it is there again."""
    places = Places.below(gallery.site.var)
    pid = int((places.postgres_data / "postmaster.pid").read_text().split()[0])
    os.kill(pid, signal.SIGQUIT)
    wait_for(lambda: not psutil.pid_exists(pid), "the end of Postgres")
    wait_for(lambda: is_there(gallery), "the next Postgres")


def is_there(gallery: Gallery) -> bool:
    try:
        with psycopg.connect(embedded.database_url(gallery.site.var), connect_timeout=3):
            return True
    except psycopg.OperationalError:
        return False


def test_three_restarts_during_import_and_search(gallery: Gallery) -> None:
    """Whoever searches meanwhile is answered, or asked to come back."""
    ((image_id,),) = gallery.rows(CALM, "min(image.id)")
    statuses: Counter[int] = Counter()
    ended = threading.Event()
    with gallery.site.worker(beat=True), gallery.site.web() as url:

        def search() -> None:
            while not ended.wait(0.1):
                statuses[status_of(f"{url}/?image={image_id}")] += 1

        searching = threading.Thread(target=search)
        searching.start()
        try:
            with gallery.site.process("manage.py", "import_images", str(gallery.folder), "--dataset", "restarts"):
                wait_for(lambda: sum(gallery.counts("restarts").values()) > 0, "the first rows")
                for _ in range(3):
                    restart_at_once(gallery)
                    time.sleep(4)
            gallery.import_into("restarts")  # where the command gave up, it goes on where it was
            gallery.come_to_rest("restarts")
        finally:
            ended.set()
            searching.join()
        assert status_of(f"{url}/?image={image_id}") == 200
    assert set(statuses) <= {200, 503}
    assert statuses[200] > statuses[503] > 0
    gallery.assert_whole("restarts")


@pytest.mark.parametrize("value", ["NaN", "0"])
def test_a_vector_that_is_none_is_refused(gallery: Gallery, value: str) -> None:
    ((embedding_id, vector),) = gallery.site.sql("SELECT id, vector::text FROM search_embedding ORDER BY id LIMIT 1")
    broken = "[" + ",".join([value] * (vector.count(",") + 1)) + "]"
    with pytest.raises(psycopg.Error, match=r"NaN|no direction"):
        gallery.site.sql("UPDATE search_embedding SET vector = %s WHERE id = %s", broken, embedding_id)
    ((after,),) = gallery.site.sql("SELECT vector::text FROM search_embedding WHERE id = %s", embedding_id)
    assert after == vector
