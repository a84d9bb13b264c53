"""A clock is set by an hour, forwards or backwards, while pictures are imported: nothing is lost or twice."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from celery.schedules import schedule
from django.conf import settings
from django.db import connection
from django.db.models import F
from django.utils import timezone

from search import embedding
from search.ingest import importing
from search.models import Embedding, Encoder, Image, Job
from search.work import jobs, leases, queue, reconciling
from search.work.counting import Count
from search.work.progress import Bars
from tests.conftest import png
from tests.fakes import ColourNetwork

AddImage = Callable[..., Image]
HOUR = timedelta(hours=1)
EITHER_WAY = pytest.mark.parametrize("by", [HOUR, -HOUR], ids=["forwards", "backwards"])


@pytest.fixture
def set_clocks(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """Set the clocks of Postgres, for which all that rows hold is as much earlier or later, and of this process."""

    def set_them(by: timedelta) -> None:
        Image.objects.update(leased_until=F("leased_until") - by)
        Job.objects.update(heartbeat_at=F("heartbeat_at") - by)
        set_process(monkeypatch, by)

    return set_them


def set_process(monkeypatch: pytest.MonkeyPatch, by: timedelta) -> None:
    """Set the clock of this process alone."""
    seconds, now = time.time, timezone.now
    monkeypatch.setattr(time, "time", lambda: seconds() + by.total_seconds())
    monkeypatch.setattr(timezone, "now", lambda: now() + by)


@pytest.fixture
def another_worker(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Have another worker embed at once whatever is sent; return the ids that were."""
    sent: list[int] = []

    def embed(encoder_id: int, image_ids: list[int], *_: Any) -> None:
        sent.extend(image_ids)
        embedding.embed(encoder, image_ids)

    monkeypatch.setattr(queue, "send_embed", embed)
    monkeypatch.setattr(queue, "send_after_load", lambda encoder_id: None)
    monkeypatch.setattr(queue, "n_waiting", lambda turn, name="": 0)
    return sent


@EITHER_WAY
def test_a_clock_that_is_set_in_the_middle_of_an_import(
    encoder: Encoder,
    another_worker: list[int],
    set_clocks: Callable[[timedelta], None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    by: timedelta,
) -> None:
    """Another worker embeds the batch that is held, as one that holds nothing any more: each picture is there once."""
    for colour in ("red", "orange", "blue"):
        (tmp_path / f"{colour}.png").write_bytes(png(colour))
    encode = ColourNetwork.encode

    def encode_later(self: ColourNetwork, images: Any) -> Any:
        monkeypatch.setattr(ColourNetwork, "encode", encode)
        set_clocks(by)
        reconciling.reconcile()
        return encode(self, images)

    monkeypatch.setattr(ColourNetwork, "encode", encode_later)
    report = importing.run(
        importing.Request(path=tmp_path, dataset="Colours", embeds_here=True, waits=True), Bars(quiet=True)
    )
    assert (report.n_added, report.n_embedded, report.refused, len(another_worker)) == (3, 3, [], 3)
    images = Image.objects.values_list("status", "leased_until", "n_attempts")
    assert list(images) == [("ready", None, 2)] * 3
    assert Embedding.objects.count() == 3
    job = Job.objects.get()
    assert (job.state, job.n_done, job.n_failed) == ("done", 3, 0)


def test_a_lease_that_ends_later_than_any_could_is_over(encoder: Encoder, add_image: AddImage) -> None:
    image = add_image("red", embedded=False, leased_until=timezone.now() + HOUR, n_attempts=1)
    assert embedding.embed(encoder, [image.pk]).n_embedded == 1


@pytest.mark.django_db(transaction=True)
@EITHER_WAY
def test_who_connected_before_the_clock_was_set_holds_what_it_takes_afterwards(
    encoder: Encoder, add_image: AddImage, monkeypatch: pytest.MonkeyPatch, by: timedelta
) -> None:
    image = add_image("red", embedded=False)
    now = f"(statement_timestamp() + interval '{by.total_seconds():.0f} s')"
    for name in ("FREE", "HOLD"):
        monkeypatch.setattr(leases, name, getattr(leases, name).replace("statement_timestamp()", now))
    connect = connection.get_connection_params()
    with psycopg.connect(**{name: connect[name] for name in ("dbname", "host", "port", "user")}) as other:
        other.execute(f"UPDATE search_image SET {leases.HOLD}, n_attempts = 1")
        other.commit()
        assert embedding.embed(encoder, [image.pk]).n_embedded == 0


@EITHER_WAY
def test_a_job_whose_heart_beats_goes_on(
    encoder: Encoder, set_clocks: Callable[[timedelta], None], by: timedelta
) -> None:
    job = jobs.begin(Job.Kind.IMPORT, {})
    set_clocks(by)
    assert reconciling.reconcile().n_jobs_ended == 0
    jobs.move_on(job, n_done=1, n_failed=0, n_total=2)
    grace_is_over()
    assert reconciling.reconcile().n_jobs_ended == 0
    job.refresh_from_db()
    assert (job.state, job.given_until) == ("running", None)


@EITHER_WAY
def test_one_that_is_dead_is_ended_no_hour_later(
    encoder: Encoder, set_clocks: Callable[[timedelta], None], by: timedelta
) -> None:
    job = jobs.begin(Job.Kind.IMPORT, {})
    set_clocks(by)
    reconciling.reconcile()
    grace_is_over()
    assert reconciling.reconcile().n_jobs_ended == 1
    job.refresh_from_db()
    assert job.state == "failed"


def grace_is_over() -> None:
    Job.objects.filter(given_until__isnull=False).update(given_until=F("given_until") - jobs.GRACE)


@EITHER_WAY
def test_the_clock_of_a_process_decides_over_no_job(
    encoder: Encoder, monkeypatch: pytest.MonkeyPatch, by: timedelta
) -> None:
    job = jobs.begin(Job.Kind.IMPORT, {})
    with monkeypatch.context() as patched:
        set_process(patched, by)
        reconciling.reconcile()
        jobs.move_on(job, n_done=1, n_failed=0, n_total=2)
    reconciling.reconcile()
    job.refresh_from_db()
    assert (job.state, job.given_until) == ("running", None)


@EITHER_WAY
def test_a_count_of_the_workers_is_old_after_the_clock_was_set(by: timedelta) -> None:
    assert not Count(n=1, asked_at=time.time()).is_old
    assert Count(n=1, asked_at=time.time() - by.total_seconds()).is_old


@EITHER_WAY
@pytest.mark.parametrize("name", ["reconcile", "audit-indexes"])
def test_beat_goes_on_at_once(by: timedelta, name: str) -> None:
    every = settings.CELERY_BEAT_SCHEDULE[name]["schedule"]
    assert isinstance(every, schedule)
    is_due, next_s = every.is_due(every.now() - by)
    assert (is_due, next_s) == (True, every.seconds)
    assert not every.is_due(every.now() - timedelta(seconds=1)).is_due
