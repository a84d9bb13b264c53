"""A training carried out: in a process of its own, watched, recorded in its job, and made an encoder at the end."""

from __future__ import annotations

import contextlib
import fcntl
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models.functions import Now

from embeddings.stored import StoredEncoder
from embeddings.training.config import DRAWINGS_NAME
from search.models import Dataset, Encoder, Job
from search.training.dividing import CannotTrain
from search.training.requests import run_folder
from search.work import jobs
from search.work.progress import Bars

_STOPPED = 3
_SECONDS_BETWEEN_LOOKS = 1.0
_MEASURES = {"valid_map": "mAP", "valid_accuracy": "accuracy", "valid_loss": "validation loss"}
# "dataset_id" is missing in the jobs of older versions.
_LEARNT = ("preset", "dataset", "dataset_id", "n_images", "n_classes", "seed", "data_sha256")
_TESTED = ("test_accuracy", "n_tested")


class RunStopped(Exception):
    """The training was stopped on purpose; it can go on. The message says how."""


@dataclass
class _Watched:
    """What the process of a training has told so far."""

    progress: dict[str, Any]
    message: str = ""
    error: str = ""
    n_done: int = 0


def carry_out(job: Job, bars: Bars) -> Encoder:
    """Train what a job asks for, or go on with it, and make the encoder's row, which answers no search yet.

    One training runs at a time on a machine; others wait. Raises CannotTrain, RunStopped.
    """
    folder = run_folder(job)
    if not (folder / "config.json").is_file():
        raise CannotTrain(f"The folder of job {job.pk}, {folder}, is not on this machine.")
    by_hand = f"Stopped by hand. To go on: manage.py train_encoder --resume {job.pk}"
    with jobs.failing(job, by_hand=by_hand), _alone(folder.parent, job, bars):
        _check_name(job, Encoder.everything.filter(name=job.parameters["name"]).first())
        if not (folder / "encoder").is_dir():
            _train(job, folder, bars)
        encoder = _install(job, folder)
        jobs.finish(job, f"{encoder.name} is trained. It answers no search until it is chosen.")
        return encoder


def _train(job: Job, folder: Path, bars: Bars) -> None:
    # A run that goes on tells of its later epochs only.
    watched = _Watched(progress={"history": [], **job.progress}, n_done=len(job.progress.get("history", [])))
    command = [sys.executable, "-m", "embeddings.training", str(folder)]
    with (folder / "log.txt").open("ab") as log:
        process = subprocess.Popen(
            command, cwd=settings.BASE_DIR, stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL, text=True
        )
    try:
        with _looking_after(process, job):
            for line in process.stdout or ():
                _note(line, watched, job, bars)
        status = process.wait()
    finally:
        _end(process)
    if status == _STOPPED:
        raise RunStopped(f"Stopped. To go on: manage.py train_encoder --resume {job.pk}")
    if status != 0:
        raise CannotTrain(
            f"The training broke off: {watched.error or f'status {status}'}. What it wrote is in {folder / 'log.txt'}; "
            f"to go on: manage.py train_encoder --resume {job.pk}"
        )


def _note(line: str, watched: _Watched, job: Job, bars: Bars) -> None:
    """Take in one event of the process: show it, and keep what the job's page shows."""
    try:
        event = json.loads(line)
    except ValueError:
        return  # a library that writes to stdout
    kind = event.get("event")
    if kind == "reading":
        watched.message = f"Reading pictures: {event['done']:,} of {event['of']:,}"
        bars.move("reading", event["done"], event["of"], f"{event['done']} of {event['of']} pictures")
    elif kind == "batch":
        watched.message = f"Epoch {event['epoch']} of {event['epochs']}: batch {event['batch']} of {event['of']}"
        done = event["epoch"] - 1 + event["batch"] / event["of"]
        bars.move("training", int(1000 * done), 1000 * event["epochs"], f"{watched.message}, loss {event['loss']:.3f}")
    elif kind == "epoch":
        watched.n_done = event["epoch"]
        watched.progress["history"].append({key: event[key] for key in event if key not in {"event", "of"}})
        measure = "".join(f", {words} {event[name]:.4f}" for name, words in _MEASURES.items() if name in event)
        watched.message = f"Epoch {event['epoch']} of {event['of']}: loss {event['loss']:.4f}{measure}"
        bars.move("training", 1000 * event["epoch"], 1000 * event["of"], watched.message)
    elif kind == "exporting":
        watched.message = "Exporting the network and comparing the two"
    elif kind == "error":
        watched.error = event["message"]
    elif kind in {"device", "done"}:
        watched.progress |= {key: value for key, value in event.items() if key != "event"}
    Job.objects.filter(pk=job.pk).update(
        n_done=watched.n_done,
        n_total=job.parameters["epochs"],
        message=watched.message,
        progress=watched.progress,
        heartbeat_at=Now(),
    )


def _looking_after(process: subprocess.Popen[str], job: Job) -> contextlib.AbstractContextManager[None]:
    """Keep the job's heart beating, and stop the process when somebody cancels the job."""

    def look() -> None:
        if jobs.is_cancelled(job.pk):
            process.terminate()

    return jobs.looked_after(job, look)


def _end(process: subprocess.Popen[str]) -> None:
    """End the process, which keeps what it has at the end of its last whole epoch."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _install(job: Job, folder: Path) -> Encoder:
    """Put the trained encoder beside the others and make its row; a second call finds both."""
    stored = StoredEncoder.read(folder / "encoder")
    spec = stored.spec
    home = Path(settings.ENCODERS_ROOT) / spec.name
    if not home.exists():
        home.parent.mkdir(parents=True, exist_ok=True)
        draft = home.with_name(f".{spec.name}~trained")
        shutil.rmtree(draft, ignore_errors=True)  # of a try that was killed, or had no room
        shutil.copytree(folder / "encoder", draft)
        draft.rename(home)
    facts = {name: job.parameters[name] for name in _LEARNT if name in job.parameters}
    job.refresh_from_db(fields=["progress"])
    history = job.progress.get("history", [])
    tested = {name: job.progress[name] for name in _TESTED if name in job.progress}
    encoder, _ = Encoder.everything.get_or_create(
        name=spec.name,
        defaults={
            "family": spec.family,
            "dim": spec.dim,
            "distance": spec.distance,
            "spec": {
                "input_size": spec.input_size,
                "n_classes": 0,
                "description": _description(job),
                "training": {**facts, **tested, "history": history},
            },
            "weights_sha256": stored.weights_sha256,
            "job": job,
        },
    )
    _check_name(job, encoder)
    return encoder


def _check_name(job: Job, encoder: Encoder | None) -> None:
    if encoder and encoder.job_id != job.pk:
        raise CannotTrain(f"Another encoder was named {encoder.name} meanwhile. Train again with another --name.")


def _description(job: Job) -> str:
    facts = job.parameters
    on = f" on {facts['backbone']}" if facts["backbone"] else ""
    return f"{facts['preset']}{on}, trained on {facts['n_images']:,} images of {facts['dataset']}."


def reconstructions(job: Job) -> Path | None:
    """Return the picture of what an autoencoder draws, or None where there is none (yet)."""
    path = run_folder(job) / DRAWINGS_NAME
    return path if path.is_file() else None


def dataset_of(job: Job) -> Dataset | None:
    """Return the dataset that a training learnt from, or None where it is gone."""
    return jobs.dataset_in(job.parameters)


@contextlib.contextmanager
def _alone(folder: Path, job: Job, bars: Bars) -> Iterator[None]:
    """Let one training of this machine run at a time; the kernel drops the lock of a killed one."""
    with (folder / "device.lock").open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                bars.move("waiting", 0, 1, "another training runs on this machine")
                Job.objects.filter(pk=job.pk).update(
                    heartbeat_at=Now(), message="Waiting: another training runs on this machine."
                )
                if jobs.is_cancelled(job.pk):
                    raise RunStopped("Stopped before it began.") from None
                time.sleep(_SECONDS_BETWEEN_LOOKS)
        yield
