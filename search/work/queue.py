"""The queue as a hint: what is sent is recorded in rows anyway, so a message that is lost costs time and no picture."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from celery import current_app
from django.conf import settings
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)


TRAINING = "imgsim-training"


class Turn(IntEnum):
    """Who goes first: Redis keeps a list for each priority, and workers take from the lowest number that has any."""

    SOON = 0
    LATER = 9


def send_embed(encoder_id: int, image_ids: Sequence[int], turn: Turn = Turn.SOON, job_id: int | None = None) -> None:
    """Ask the workers to embed images, for a job that counts them where one is named.

    A broker that is out of reach is noted; the sweeper sends them again.
    """
    _send("search.tasks.embed", [encoder_id, list(image_ids), *([job_id] if job_id else [])], turn)


def send_after_load(encoder_id: int) -> None:
    """Ask the workers for what follows a load: the index, then the other encoders."""
    _send("search.tasks.after_load", [encoder_id], Turn.SOON)


def send_import(job_id: int) -> None:
    """Ask the workers to import an archive that was uploaded."""
    _send("search.tasks.import_archive", [job_id], Turn.SOON)


def send_train(job_id: int) -> None:
    """Ask the worker that trains to carry out a job; its queue is its own, so that nothing waits behind it."""
    _send("search.tasks.train", [job_id], Turn.SOON, name_of_queue=TRAINING)


def send_evaluate(job_id: int) -> None:
    """Ask the workers to carry out an evaluation; pictures that are to be embedded go before."""
    _send("search.tasks.evaluate", [job_id], Turn.LATER)


def send_upkeep(job_id: int) -> None:
    """Ask the workers to carry out what somebody wants done with an encoder; pictures go before."""
    _send("search.tasks.upkeep", [job_id], Turn.LATER)


def send_find_duplicates(job_id: int) -> None:
    """Ask the workers to look for duplicates; pictures that are to be embedded go before."""
    _send("search.tasks.find_duplicates", [job_id], Turn.LATER)


def send_sweep() -> None:
    """Ask the workers to look for what was lost on the way."""
    _send("search.tasks.reconcile", [], Turn.SOON)


def n_waiting(turn: Turn, name: str = settings.CELERY_TASK_DEFAULT_QUEUE) -> int | None:
    """Return how many messages of a turn wait in a queue, or None where the broker is out of reach."""
    if turn:
        name += f"{settings.CELERY_BROKER_TRANSPORT_OPTIONS['sep']}{turn:d}"
    try:
        with current_app.connection_for_read() as broker:
            return int(broker.default_channel.client.llen(name))
    except Exception:
        logger.warning("The broker is out of reach.", exc_info=True)
        return None


def depths() -> dict[str, int]:
    """Return how many messages wait, by queue: soon, later and training. Raises what the broker's client raises."""
    later = f"{settings.CELERY_TASK_DEFAULT_QUEUE}{settings.CELERY_BROKER_TRANSPORT_OPTIONS['sep']}{Turn.LATER:d}"
    names = {"soon": settings.CELERY_TASK_DEFAULT_QUEUE, "later": later, "training": TRAINING}
    with current_app.connection_for_read() as broker:
        asked = broker.default_channel.client.pipeline(transaction=False)
        for name in names.values():
            asked.llen(name)
        return dict(zip(names, asked.execute(), strict=True))


def n_workers(timeout_s: float = 1.0) -> int:
    """Return how many workers that embed answer within a time; 0 where the broker is out of reach."""
    try:
        answers = current_app.control.ping(timeout=timeout_s)
        return sum(not name.startswith("trainer") for answer in answers for name in answer)
    except Exception:  # noqa: BLE001 -- as above
        return 0


@dataclass(frozen=True, kw_only=True)
class Worker:
    """A worker that answers: how many processes it has, and the names of the tasks that they are at."""

    name: str
    n_processes: int
    queues: list[str]
    tasks: list[str]


def workers(timeout_s: float = 1.0) -> list[Worker]:
    """Return the workers that answer within a time, by name; none where the broker is out of reach."""
    try:
        inspect = current_app.control.inspect(timeout=timeout_s)
        stats = inspect.stats() or {}
        # Those that have answered answer at once: they need not be waited for.
        asked = current_app.control.inspect(destination=list(stats), timeout=timeout_s, limit=len(stats))
        queues, active = (asked.active_queues() or {}, asked.active() or {}) if stats else ({}, {})
    except Exception:  # noqa: BLE001 -- as above
        return []
    return [
        Worker(
            name=name,
            n_processes=len(facts.get("pool", {}).get("processes", [])) or 1,
            queues=sorted(one["name"] for one in queues.get(name, [])),
            tasks=sorted(task["name"].rpartition(".")[2] for task in active.get(name, [])),
        )
        for name, facts in sorted(stats.items())
    ]


def _send(name: str, arguments: list[object], turn: Turn, name_of_queue: str | None = None) -> None:
    try:
        current_app.send_task(name, arguments, priority=turn.value, queue=name_of_queue)
    except (OperationalError, OSError):
        logger.warning("The broker is out of reach: %s waits for the sweeper.", name)
