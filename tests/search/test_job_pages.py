"""Jobs looked after: how quickly they go on, their log, and what is done with them from their pages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from search.evaluation import running
from search.evaluation.protocol import Protocol
from search.models import Dataset, Image, Job
from search.work import jobs, queue
from search.work.advance import advance
from tests.conftest import still

AddImage = Callable[..., Image]


def begun_ago(job: Job, seconds: float) -> Job:
    """Let a job have been begun some seconds ago."""
    Job.objects.filter(pk=job.pk).update(started_at=timezone.now() - timedelta(seconds=seconds))
    return Job.objects.get(pk=job.pk)


@pytest.mark.django_db
class TestAdvance:
    def test_the_first_look_gives_the_mean_since_the_job_began(self) -> None:
        job = begun_ago(Job.objects.create(kind="evaluate", n_done=100, n_total=300), 10)
        seen = advance(job, None)
        assert (seen.n_done, seen.n_total) == (100, 300)
        assert seen.per_second == pytest.approx(10, rel=0.05)
        assert seen.left is not None
        assert seen.left.total_seconds() == pytest.approx(20, rel=0.05)

    def test_later_looks_give_the_speed_since_an_earlier_one(self) -> None:
        job = begun_ago(Job.objects.create(kind="evaluate", n_done=100, n_total=300), 100)
        advance(job, None)
        job.n_done = 150
        seen = advance(begun_ago(job, 110), None)
        job = begun_ago(job, 110)
        job.n_done = 150
        assert advance(job, None).per_second == pytest.approx(5, rel=0.05)
        assert seen.n_done == 100  # as the row says

    def test_an_import_that_reads_has_no_total_unless_it_says_so(self) -> None:
        job = Job.objects.create(kind="import", n_done=90, n_failed=10, n_total=100)
        assert (advance(job, None).n_done, advance(job, None).n_total, advance(job, None).left) == (100, 0, None)
        job.progress = {"reading": {"done": 1_000, "total": 4_000}}  # bytes of an archive
        assert (advance(job, None).n_done, advance(job, None).share) == (100, 0.25)
        other = Job.objects.create(kind="import", n_done=50, progress=job.progress)
        seen = advance(begun_ago(other, 30), None)
        assert seen.left is not None
        assert seen.left.total_seconds() == pytest.approx(90, rel=0.1)

    def test_one_that_waits_for_embeddings_counts_those_that_are_through(self) -> None:
        job = Job.objects.create(kind="import", state="embedding", n_done=5, n_total=5)
        now = jobs.Standing(n_pending=3, n_ready=6, n_refused=1)
        assert (advance(job, now).n_done, advance(job, now).n_total) == (7, 10)


def test_a_job_keeps_a_log(admin_client: Client) -> None:
    job = jobs.begin("evaluate", {})
    jobs.leave(job)
    assert jobs.take(job.pk)
    jobs.cancel(job)
    jobs.finish(job, "cats: mAP 0.500, precision@1 0.600.")
    texts = list(job.lines.values_list("text", flat=True))
    assert texts == [
        "Begun.",
        "Waiting for a worker.",
        "A worker has taken it.",
        "Asked to stop.",
        "cats: mAP 0.500, precision@1 0.600.",
    ]
    assert "A worker has taken it." in admin_client.get(job.get_absolute_url()).text


def test_a_killed_job_says_so_in_its_log(db: None) -> None:
    job = jobs.begin("train", {})
    Job.objects.update(**still(), progress={"n_starts": 1})
    jobs.end_stale()
    assert job.lines.last().text == "Its worker was killed. It goes on where it was."
    Job.objects.update(**still(), state="running", progress={})
    assert jobs.end_stale() == 1
    assert job.lines.last().text.startswith("It was stopped before it was through.")


def test_jobs_are_listed_by_kind_and_state(admin_client: Client) -> None:
    done, failed = Job.objects.create(kind="import", state="done"), Job.objects.create(kind="train", state="failed")
    listed = admin_client.get("/jobs/", {"kind": "import"}).context["page"].object_list
    assert list(listed) == [done]
    assert list(admin_client.get("/jobs/", {"state": "failed"}).context["page"].object_list) == [failed]
    assert "No such job" in admin_client.get("/jobs/", {"kind": "train", "state": "done"}).text
    assert len(admin_client.get("/jobs/", {"kind": "nonsense"}).context["page"].object_list) == 2


def test_workers_and_queues(admin_client: Client, add_image: AddImage, monkeypatch: pytest.MonkeyPatch) -> None:
    add_image("red", embedded=False, status="pending")
    known = [queue.Worker(name="celery@here", n_processes=2, queues=["imgsim"], tasks=["embed", "embed"])]
    monkeypatch.setattr(queue, "workers", lambda: known)
    before = queue.depths()
    queue.send_train(0)
    assert queue.depths() == before | {"training": before["training"] + 1}
    page = admin_client.get("/jobs/workers/").text
    assert "celery@here" in page
    assert "embed, embed" in page
    assert "1 image waits for its embedding." in page


def broken() -> None:
    raise OSError("The broker is away.")


def test_no_worker_and_no_broker_are_said(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    assert queue.workers(timeout_s=0.1) == []
    cache.clear()
    monkeypatch.setattr(queue.current_app, "connection_for_read", broken)
    page = admin_client.get("/jobs/workers/").text
    assert "No worker answers." in page
    assert page.count("out of reach") == 3


def imported(dataset: Dataset, add_image: AddImage, **fields: Any) -> tuple[Job, list[Image]]:
    job = Job.objects.create(kind="import", state="done")
    return job, [add_image("red", job=job, **fields), add_image("blue", job=job)]


def test_what_an_import_added_goes_and_comes_back(admin_client: Client, dataset: Dataset, add_image: AddImage) -> None:
    job, _ = imported(dataset, add_image)
    other = add_image("green")
    address = f"/jobs/{job.pk}/discard/"
    assert "Delete 2 images?" in admin_client.get(address).text
    assert dataset.images.count() == 3
    assert admin_client.post(address)["Location"] == job.get_absolute_url()
    assert list(dataset.images.all()) == [other]
    page = admin_client.get(job.get_absolute_url()).text
    assert "2 images were deleted." in page
    assert "Bring back 2 deleted images" in page
    admin_client.post(f"/jobs/{job.pk}/bring-back/")
    assert dataset.images.count() == 3


def test_refused_images_get_another_try(admin_client: Client, dataset: Dataset, add_image: AddImage) -> None:
    job, (refused, ready) = imported(
        dataset, add_image, status="refused", error_code="crashed", error_detail="It died."
    )
    assert "Try the refused images again" in admin_client.get(job.get_absolute_url()).text
    admin_client.post(f"/jobs/{job.pk}/try-again/")
    refused.refresh_from_db()
    ready.refresh_from_db()
    assert (refused.status, refused.error_code, ready.status) == ("pending", "", "ready")


def test_an_evaluation_is_carried_out_once_more(admin_client: Client, dataset: Dataset, add_image: AddImage) -> None:
    for colour in ("red", "blue"):
        add_image(colour, label="a")
    old = running.begin(Protocol(dataset=dataset, queries_dataset=dataset), ["colours"])
    jobs.fail(old, "The disk is full.")
    assert "Once more" in admin_client.get(old.get_absolute_url()).text
    answer = admin_client.post(f"/jobs/{old.pk}/repeat/")
    new = Job.objects.get(state="waiting")
    assert answer["Location"] == new.get_absolute_url()
    assert new.parameters == old.parameters
    dataset.delete()
    answer = admin_client.post(f"/jobs/{old.pk}/repeat/", follow=True)
    assert answer.redirect_chain[-1][0] == old.get_absolute_url()
    assert "The dataset Colours is gone." in answer.text


@pytest.mark.parametrize("action", ["stop", "repeat", "try-again", "discard", "bring-back"])
def test_actions_are_for_those_who_may(
    client: Client, django_user_model: type[User], dataset: Dataset, add_image: AddImage, action: str
) -> None:
    job, images = imported(dataset, add_image)
    address = f"/jobs/{job.pk}/{action}/"
    assert client.post(address)["Location"].startswith("/login/")
    for is_staff in (False, True):
        user = django_user_model.objects.create_user(f"user {is_staff}", is_staff=is_staff)
        client.force_login(user)
        assert client.post(address).status_code == 403
    assert dataset.images.count() == len(images)
    for name in ("Once more", "Delete what it added", "Stop"):
        assert name not in client.get(job.get_absolute_url()).text
