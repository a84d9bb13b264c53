"""A long index build is a job that shows how far it is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command
from django.db import OperationalError, connection
from psycopg.errors import DiskFull, OutOfMemory

from search import indexing, vectors
from search.models import Dataset, Encoder, Image, Job
from search.work import index_builds, jobs, reconciling, repeating, upkeep

pytestmark = pytest.mark.django_db(transaction=True)  # an index is built outside transactions


@pytest.fixture
def large(settings: Any) -> Encoder:
    """An encoder with 200 vectors, where 100 are compared one by one at most."""
    settings.EXACT_SEARCH_UP_TO = 100
    encoder = Encoder.objects.create(name="random", family="fake", dim=16, weights_sha256="0" * 64, is_default=True)
    add(encoder, range(200))
    return encoder


def add(encoder: Encoder, numbers: range) -> None:
    """Add images with vectors; each number names a content."""
    dataset, _ = Dataset.objects.get_or_create(name="Many")
    facts = {"source": "x.png", "format": "PNG", "width": 1, "height": 1, "n_bytes": 1, "status": "ready"}
    images = Image.objects.bulk_create(Image(dataset=dataset, sha256=f"{n:064d}", **facts) for n in numbers)
    found = np.random.default_rng(numbers.start).normal(size=(len(numbers), encoder.dim)).astype(np.float32)
    vectors.write(encoder, [image.pk for image in images], found)


def test_what_follows_a_load_makes_a_job_of_it(large: Encoder, monkeypatch: Any) -> None:
    monkeypatch.setattr(reconciling.queue, "n_waiting", lambda *_: 0)
    reconciling.after_load(large)
    job = Job.objects.get()
    assert (job.kind, job.state, job.n_done, job.n_total) == ("index", "done", 200, 200)
    assert job.message == "The index of random is built."
    reconciling.after_load(large)
    assert Job.objects.count() == 1
    call_command("build_index", again=True)
    assert Job.objects.count() == 2


def test_below_the_threshold_it_is_built_without(large: Encoder, settings: Any) -> None:
    settings.EXACT_SEARCH_UP_TO = 1000
    assert index_builds.build(large)
    assert indexing.is_valid(large)
    assert not Job.objects.exists()


def test_it_shows_how_far_it_is(large: Encoder, monkeypatch: Any) -> None:
    monkeypatch.setattr(jobs, "_SECONDS_BETWEEN_LOOKS", 0.01)
    told: list[int | None] = [None]
    monkeypatch.setattr(indexing, "progress", lambda: told[0])

    def build(*_: object) -> bool:
        told[0] = 123
        until = time.monotonic() + 10
        while Job.objects.get().n_done != 123 and time.monotonic() < until:
            time.sleep(0.01)
        seen.append(Job.objects.get().n_done)
        return True

    seen: list[int] = []
    monkeypatch.setattr(indexing, "build", build)
    index_builds.build(large)
    assert seen == [123]
    assert Job.objects.get().n_done == 200


def test_one_that_another_process_builds_is_left_to_that(large: Encoder, monkeypatch: Any) -> None:
    monkeypatch.setattr(indexing, "build", lambda *_: False)
    assert not index_builds.build(large)
    assert not Job.objects.exists()


def test_one_that_was_stopped_is_begun_again_by_hand_only(large: Encoder, monkeypatch: Any) -> None:
    monkeypatch.setattr(jobs, "_SECONDS_BETWEEN_LOOKS", 0.01)
    monkeypatch.setattr(reconciling.queue, "n_waiting", lambda *_: 0)

    def build(*_: object) -> bool:
        """Take as long as a large index does, until somebody stops that."""
        assert jobs.cancel(Job.objects.get())
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(60)")
        return True

    def cancel_build(encoder: Encoder) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_cancel_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND query = 'SELECT pg_sleep(60)'"
            )

    with monkeypatch.context() as slow:
        slow.setattr(indexing, "build", build)
        slow.setattr(indexing, "cancel_build", cancel_build)
        with pytest.raises(index_builds.BuildStopped):
            index_builds.build(large)
    job = Job.objects.get()
    assert (job.state, job.message) == ("failed", "Stopped. Searches compare every vector until the index is built.")
    reconciling.after_load(large)
    assert not indexing.is_valid(large)
    assert Job.objects.count() == 1
    monkeypatch.setattr(index_builds.queue, "send_upkeep", upkeep.carry_out)
    again = repeating.repeat(job, job.owner)
    again.refresh_from_db()
    assert (again.state, again.n_done, indexing.is_valid(large)) == ("done", 200, True)


def test_a_build_that_breaks_off_says_why(large: Encoder, monkeypatch: Any) -> None:
    monkeypatch.setattr(indexing, "build", lambda *_: (_ for _ in ()).throw(MemoryError("not enough memory")))
    with pytest.raises(MemoryError):
        index_builds.build(large)
    job = Job.objects.get()
    assert (job.state, job.message) == ("failed", "not enough memory")


def test_the_whole_graph_is_built_in_memory(large: Encoder) -> None:
    add(large, range(200, 3_200))
    told: list[str] = []
    with own_settings("maintenance_work_mem = '1MB'"):
        connection.connection.add_notice_handler(lambda notice: told.append(notice.message_primary or ""))
        indexing.build(large)

    assert not [text for text in told if "no longer fits" in text]


@pytest.mark.parametrize("reason", [DiskFull, OutOfMemory])
def test_without_that_much_memory_it_is_built_with_less(
    large: Encoder, reason: type[Exception], monkeypatch: Any
) -> None:
    memory: list[str] = []

    def refuse_first(execute: Any, sql: str, *rest: Any) -> Any:
        if sql.startswith("CREATE INDEX"):
            with connection.connection.cursor() as beside:
                memory.append(beside.execute("SHOW maintenance_work_mem").fetchone()[0])
            if len(memory) == 1:
                raise OperationalError("No space left on device") from reason()
        return execute(sql, *rest)

    monkeypatch.setattr(indexing, "_GRAPH_BYTES", 10**8)  # bytes of each of 200 vectors
    with own_settings("effective_cache_size = '8GB'"):
        with connection.cursor() as cursor:
            cursor.execute("SHOW maintenance_work_mem")
            (usual,) = cursor.fetchone()
        with connection.execute_wrapper(refuse_first):
            assert indexing.build(large)

    assert memory == ["4GB", usual]
    assert indexing.is_valid(large)


@contextmanager
def own_settings(setting: str) -> Iterator[None]:
    """Use a connection with a setting of its own, of which later tests get nothing."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET {setting}")
    try:
        yield
    finally:
        connection.close()
