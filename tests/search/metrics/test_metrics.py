"""`/metrics`: who may read it, what it says, and that it names nobody."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from search import embedding
from search.metrics import batches
from search.models import Dataset, Image, Job, Refusal
from search.work import counting, queue

AddImage = Callable[..., Image]
Samples = dict[tuple[str, ...], float]


def read(client: Client, **headers: Any) -> Samples:
    """Return the samples of /metrics by name and the values of their labels."""
    response = client.get("/metrics", **headers)
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    families = text_string_to_metric_families(response.text)
    return {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}


@pytest.fixture(autouse=True)
def workers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two workers that answered a moment ago."""
    monkeypatch.setattr(queue, "n_workers", lambda timeout_s: 2)
    counting.count()
    yield
    counting.cache.clear()


def test_it_counts_what_there_is(client: Client, add_image: AddImage, dataset: Dataset) -> None:
    add_image("red")
    add_image("blue", embedded=False)
    add_image("green", embedded=False, status=Image.Status.REFUSED, error_code="truncated")
    job = Job.objects.create(kind=Job.Kind.IMPORT, state=Job.State.DONE)
    Refusal.objects.create(job=job, source="secret.txt", code="no_picture", reason="It is none.")
    found = read(client)
    assert [found["imgsim_images", status] for status in ("ready", "pending", "refused")] == [1, 1, 1]
    assert found["imgsim_datasets", "public"] == 1
    assert found["imgsim_embeddings", "colours"] == 1
    assert found["imgsim_jobs", "import", "done"] == 1
    assert found["imgsim_images_refused", "truncated"] == found["imgsim_files_refused", "no_picture"] == 1
    assert 0 < found[("imgsim_oldest_pending_seconds",)] < 60
    assert found["imgsim_encoder_default", "colours"] == 1
    assert found["imgsim_encoder_installed", "colours"] == 0
    assert found[("imgsim_media_free_bytes",)] > 0
    assert found[("imgsim_workers",)] == 2
    assert {part for name, part, *_ in (key for key in found if key[0] == "imgsim_up")} == {
        "database",
        "broker",
        "disk",
        "encoders",
    }


def test_no_dataset_label_or_picture_is_named(client: Client, add_image: AddImage) -> None:
    hidden = Dataset.objects.create(name="Divorce papers", is_public=False)
    shown = add_image("red", dataset=hidden, label="lawyer", source="papers/letter.png")
    client.get(f"/images/{shown.pk}/")
    client.get(hidden.get_absolute_url())
    text = client.get("/metrics").text.lower()
    assert not re.search("divorce|lawyer|papers|letter", text)


def test_requests_and_the_stages_of_searches_are_counted(client: Client, add_image: AddImage) -> None:
    image = add_image("red")
    add_image("blue")
    before = read(client)
    client.get("/", {"image": image.pk})
    client.get("/no/such/page")
    after = read(client)

    def grown(*key: str) -> float:
        return after.get(key, 0.0) - before.get(key, 0.0)

    assert grown("imgsim_http_requests_total", "GET", "200", "search") == 1
    assert grown("imgsim_http_requests_total", "GET", "404", "none") == 1
    assert grown("imgsim_http_request_seconds_count", "search") == 1
    assert grown("imgsim_search_stage_seconds_count", "search") >= 1


def test_methods_that_somebody_makes_up_are_one(client: Client) -> None:
    client.generic("BREW", "/healthz")
    assert not any("BREW" in key for key in read(client))


def test_batches_of_workers_are_summed_up_in_redis(client: Client, encoder: Any, add_image: AddImage) -> None:
    waiting = [add_image(colour, embedded=False).pk for colour in ("red", "blue")]
    before = read(client)
    embedding.embed(encoder, waiting)
    after = read(client)
    for key, more in (("imgsim_batch_images_total", "embedded"), 2), (("imgsim_batch_seconds_count",), 1):
        assert after[key] - before[key] == more
    assert after["imgsim_batch_seconds_bucket", "30.0"] == after[("imgsim_batch_seconds_count",)]


def test_a_batch_is_done_where_redis_is_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    away = batches.redis.Redis.from_url("redis://127.0.0.1:1/0")
    monkeypatch.setattr(batches, "_redis", lambda: away)
    batches.note(3, 0, 0.1)  # raises nothing


def test_a_broker_that_is_out_of_reach_is_told_and_the_rest_too(
    client: Client, add_image: AddImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> dict[str, int]:
        raise OSError("no route to host")

    monkeypatch.setattr(queue, "depths", away)
    add_image("red")
    found = read(client)
    assert (found["imgsim_up", "broker"], found["imgsim_up", "database"]) == (0, 1)
    assert found["imgsim_images", "ready"] == 1


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "192.168.0.9", "::1", "fd00::7", "::ffff:10.1.2.3"])
def test_this_network_may_read_it(client: Client, db: None, address: str) -> None:
    assert read(client, REMOTE_ADDR=address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2a00:1450::1", "::ffff:8.8.8.8", "", "unix:"])
def test_others_see_no_such_page(client: Client, db: None, address: str) -> None:
    assert client.get("/metrics", REMOTE_ADDR=address).status_code == 404


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "X-Forwarded-Proto"])
def test_behind_a_proxy_nobody_is_near(client: Client, db: None, header: str) -> None:
    assert client.get("/metrics", headers={header: "127.0.0.1"}).status_code == 404


def test_staff_may_read_it_from_anywhere(admin_client: Client) -> None:
    assert read(admin_client, REMOTE_ADDR="8.8.8.8")


@pytest.mark.parametrize("sent", ["", "Bearer", "Bearer wrong", "Basic s3cret", "Bearer s3cretx", "Bearer s3crét"])
def test_with_a_token_only_who_shows_it(client: Client, db: None, settings: Any, sent: str) -> None:
    settings.METRICS_TOKEN = "s3cret"
    assert client.get("/metrics", headers={"Authorization": sent}).status_code == 404
    assert read(client, REMOTE_ADDR="8.8.8.8", HTTP_AUTHORIZATION="Bearer s3cret")


def test_the_last_sweep_is_told(client: Client, db: None) -> None:
    counting.note_sweep()
    assert read(client)[("imgsim_last_sweep_timestamp_seconds",)] == pytest.approx(counting.swept_at())


def test_workers_are_asked_once_in_a_while_and_nobody_waits(client: Client, db: None) -> None:
    counting.cache.clear()
    assert ("imgsim_workers",) not in read(client)
    for thread in counting.threading.enumerate():
        if thread.name == "count-workers":
            thread.join(5)
    assert counting.last_count() is not None
    assert read(client)[("imgsim_workers",)] == 2
