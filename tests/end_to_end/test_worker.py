"""What a worker does, with everything real: files, broker, network, database, and kill -9."""

import contextlib
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from search.work import leases
from tests.running import Site, wait_for


def standing(site: Site, dataset: str) -> dict[str, int]:
    """Count the images of a dataset by status, and its vectors."""
    counts = site.sql(
        "SELECT status, count(*) FROM search_image JOIN search_dataset dataset ON dataset.id = dataset_id "
        "WHERE dataset.name = %s GROUP BY status",
        dataset,
    )
    ((n_embeddings,),) = site.sql(
        "SELECT count(*) FROM search_embedding JOIN search_dataset dataset ON dataset.id = dataset_id "
        "WHERE dataset.name = %s",
        dataset,
    )
    return {**dict(counts), "embeddings": n_embeddings}


def n_held(site: Site, dataset: str) -> int:
    """Count the images of a dataset that nobody else may take."""
    ((n,),) = site.sql(
        "SELECT count(*) FROM search_image JOIN search_dataset dataset ON dataset.id = dataset_id "
        f"WHERE dataset.name = %s AND status = 'pending' AND NOT {leases.FREE}",
        dataset,
    )
    return int(n)


def n_thumbnails(site: Site) -> int:
    return sum(1 for _ in (site.var / "media" / "thumbnails").rglob("*.jpg"))


def test_workers_embed_what_a_command_imports(site: Site, pictures: Path) -> None:
    with site.worker():
        report = site.manage_json("import_images", str(pictures / "drawings"), "--dataset", "by workers", "--wait")
        assert (report["found"], report["added"], report["embedded"], report["refused"]) == (432, 432, 432, [])
        again = site.manage_json("import_images", str(pictures / "drawings"), "--dataset", "by workers", "--wait")
    assert (again["added"], again["unchanged"], again["embedded"]) == (0, 432, 0)


@pytest.mark.thorough
def test_threads_that_find_no_gpu_embed_on_the_processor(site: Site, pictures: Path) -> None:
    options = ["-n", "worker-gpu@%h", "-l", "INFO", "--pool", "threads", "--concurrency", "4"]
    with site.process("-m", "celery", "-A", "imgsim_site", "worker", *options, EMBED_ON="gpu", LOG_FORMAT="json"):
        report = site.manage_json("import_images", str(pictures / "drawings"), "--dataset", "by threads", "--wait")
        send = "from search.logs.context import request_id; from search.work import queue; "
        site.manage("shell", "-v0", "-c", f"{send} request_id.set('edge-7'); queue.send_evaluate(0)")
        wait_for(lambda: '"request_id": "edge-7"' in (site.var / "celery.log").read_text(), "the id of a request")
    assert (report["added"], report["embedded"], report["refused"]) == (432, 432, [])
    assert "mobilenet_v2 computes on the processor" in (site.var / "celery.log").read_text()


def test_a_command_embeds_alone_what_workers_would(site: Site, pictures: Path, photographs: dict[str, Any]) -> None:
    assert (photographs["added"], photographs["embedded"], photographs["pending"]) == (306, 306, 0)
    picture = next((pictures / "photographs").glob("coffee/*mirrored*"))
    found = site.manage_json("search_image", str(picture), "--dataset", "photographs", "-k", "5")
    assert found["hits"][0]["distance"] < 1e-3
    assert {hit["label"] for hit in found["hits"]} == {"coffee"}


def test_a_worker_that_is_killed_loses_no_picture(site: Site, pictures: Path) -> None:
    site.manage_json("import_images", str(pictures / "drawings"), "--dataset", "killed")
    assert standing(site, "killed") == {"pending": 432, "embeddings": 0}
    # Thumbnails are there before their rows: whoever looks at files is quicker than the worker.
    before = n_thumbnails(site)
    with contextlib.ExitStack() as first:
        worker = first.enter_context(site.worker())
        wait_for(lambda: n_thumbnails(site) > before, "the first batch")
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
    left = standing(site, "killed")
    assert left["pending"] > 0
    assert left.get("ready", 0) == left["embeddings"]
    # Nobody waits for a lease to end: what a killed worker held is free as soon as Postgres has missed it.
    wait_for(lambda: n_held(site, "killed") == 0, "what the killed worker held", seconds=leases.LEASE.seconds / 3)
    # Nobody sweeps: whoever comes after a killed worker takes over what that held.
    with site.worker():
        wait_for(lambda: "pending" not in standing(site, "killed"), "the rest")
    assert standing(site, "killed") == {"ready": 432, "embeddings": 432}


@pytest.mark.thorough
def test_messages_that_redis_forgot_are_sent_again(site: Site, pictures: Path) -> None:
    site.manage_json("import_images", str(pictures / "photographs" / "coffee"), "--dataset", "flushed")
    site.manage("shell", "-c", "from django.core.cache import cache; cache._cache.get_client(write=True).flushall()")
    with site.worker():
        assert "images sent" in site.manage("reconcile")
        wait_for(lambda: "pending" not in standing(site, "flushed"), "the images")


def test_without_a_worker_waiting_says_what_to_do(site: Site, pictures: Path) -> None:
    done = site.run("import_images", str(pictures / "photographs" / "rocket"), "--dataset", "waiting", "--wait")
    assert done.returncode == 1
    assert "No worker answers" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.thorough
@pytest.mark.usefixtures("photographs")
def test_a_worker_compares_encoders_that_a_command_leaves_to_it(site: Site) -> None:
    job = site.manage_json("compare_encoders", "--dataset", "photographs", "--encoders", "mobilenet_v2", "--no-wait")
    assert set(job) == {"job"}

    def compared() -> bool:
        return site.run("compare_encoders", "--dataset", "photographs", "--stored").returncode == 0

    assert not compared()
    with site.worker():
        wait_for(compared, "the evaluation")
    report = site.manage_json("compare_encoders", "--dataset", "photographs", "--stored")
    (row,) = report["encoders"]
    assert report["protocol"] == "each against all others"
    # Altered versions of the same photographs: hardly anything is missed.
    assert row["precision@1"] > 0.95
    assert row["map"] > 0.8
    # Through the command's own process the same comes out.
    again = site.manage_json("evaluate_search", "--dataset", "photographs")
    assert abs(again["metrics"]["map"] - row["map"]) < 1e-9
    assert again["agreement"]["same"] == 1.0
    assert again["leaks"]["n_queries"] > 0
