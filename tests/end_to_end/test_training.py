"""An encoder trained as a user trains one: by the command, killed and gone on with, by a worker, and searched with."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.running import ROOT, Site, wait_for

QUICK = ["--preset", "metric-pairs", "--dataset", "drawn", "--batches-per-epoch", "30"]


@pytest.fixture(scope="module", autouse=True)
def drawn(site: Site, pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Drawings of six families, as the dataset to learn from."""
    folder = tmp_path_factory.mktemp("drawn")
    for family in sorted((pictures / "drawings").iterdir())[:6]:
        shutil.copytree(family, folder / family.name)
    site.manage_json("import_images", str(folder), "--dataset", "drawn", "--sync")


def state_of(site: Site, job: int) -> str:
    ((state,),) = site.sql("SELECT state FROM search_job WHERE id = %s", job)
    return str(state)


@pytest.mark.thorough
def test_a_network_is_trained_killed_gone_on_with_and_searched_with(site: Site, pictures: Path) -> None:
    command = [sys.executable, "manage.py", "train_encoder", *QUICK, "--name", "tiny", "--epochs", "12"]
    before = set((site.var / "runs").glob("*/state.json"))  # other tests leave theirs
    with subprocess.Popen(
        command, cwd=ROOT, env=site.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as training:
        wait_for(lambda: set((site.var / "runs").glob("*/state.json")) - before, "the first epoch")
        training.send_signal(signal.SIGKILL)
    (run,) = set((site.var / "runs").glob("*/state.json")) - before
    site.sql("UPDATE search_job SET heartbeat_at = '2020-01-01'")
    report = site.manage_json("train_encoder", "--resume", run.parent.name)
    assert (report["encoder"], report["dim"], report["embedded"]) == ("tiny", 8, 162)
    assert [entry["epoch"] for entry in report["history"]] == list(range(1, 13))
    picture = next((pictures / "drawings" / "balloons").iterdir())
    hits = site.manage_json("search_image", str(picture), "--encoder", "tiny", "-k", "5")["hits"]
    assert sum(hit["label"] == "balloons" for hit in hits) >= 4


@pytest.mark.thorough
def test_a_worker_trains_what_it_is_sent_and_its_job_tells_how_far_it_is(site: Site) -> None:
    job = site.manage_json("train_encoder", *QUICK, "--name", "by-worker", "--epochs", "2", "--no-wait")["job"]
    options = ["-Q", "imgsim-training", "-n", "trainer@%h", "-l", "WARNING", "--concurrency", "1"]
    with site.process("-m", "celery", "-A", "imgsim_site", "worker", *options):
        wait_for(lambda: state_of(site, job) == "done", "the training")
    ((history,),) = site.sql("SELECT progress -> 'history' FROM search_job WHERE id = %s", job)
    assert [entry["epoch"] for entry in history] == [1, 2]


def test_a_worker_that_is_killed_while_it_trains_loses_no_training(site: Site) -> None:
    job = site.manage_json("train_encoder", *QUICK, "--name", "survivor", "--epochs", "6", "--no-wait")["job"]
    run = site.var / "runs" / str(job)
    options = ["-Q", "imgsim-training", "-n", "trainer@%h", "-l", "WARNING", "--concurrency", "1"]
    with site.process("-m", "celery", "-A", "imgsim_site", "worker", *options) as worker:
        wait_for((run / "state.json").exists, "the first epoch")
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
    assert state_of(site, job) == "running"
    site.sql("UPDATE search_job SET heartbeat_at = '2020-01-01', given_until = '2020-01-01'")
    site.manage("reconcile")
    with site.process("-m", "celery", "-A", "imgsim_site", "worker", *options):
        wait_for(lambda: state_of(site, job) == "done", "the training")
    assert (site.var / "encoders" / "survivor").is_dir()


def test_ctrl_c_leaves_no_process_behind_and_a_job_to_go_on_with(site: Site) -> None:
    command = [sys.executable, "manage.py", "train_encoder", *QUICK, "--name", "stopped", "--epochs", "400"]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=site.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as training:
        before = len(list((site.var / "runs").glob("*/state.json")))
        wait_for(lambda: len(list((site.var / "runs").glob("*/state.json"))) > before, "the first epoch")
        os.killpg(training.pid, signal.SIGINT)
        _, said = training.communicate(timeout=120)
    assert training.returncode == 130
    assert "Traceback" not in said
    ((message,),) = site.sql("SELECT message FROM search_job WHERE kind = 'train' ORDER BY id DESC LIMIT 1")
    assert "train_encoder --resume" in message
