"""Redis, the workers and beat."""

from __future__ import annotations

import time
from collections.abc import Iterator

import redis
from celery import current_app
from django.conf import settings

from search.checkup.findings import Finding, error, ok, warning
from search.version import version
from search.work import counting, queue

_PART = "queue"
_OLDEST_REDIS = (6, 0)
_FULL = 0.9
_SWEPT_WITHIN_S = 300
_MOST_SKEW_S = 2.0
_START = "docker compose up -d {0}, or celery -A imgsim_site {1}"
_START_WORKER = _START.format("worker", "worker")
_START_TRAINER = _START.format("trainer", "worker -Q imgsim-training -n trainer@%h")
_START_BEAT = _START.format("beat", "beat")


def look() -> Iterator[Finding]:
    """Look at Redis, and where that answers at who works behind it."""
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=5, socket_connect_timeout=3) as client:
            yield from _redis(client)
    except redis.RedisError as failure:
        what = f"Redis cannot be reached ({type(failure).__name__}): nothing is embedded, and no picture kept."
        yield error(_PART, what, "docker compose up -d redis, or set REDIS_URL in .env to where it is")
        return
    yield from _workers()
    yield from _beat()
    yield from _depths()


def _redis(client: redis.Redis) -> Iterator[Finding]:
    server, memory = client.info("server"), client.info("memory")
    name = str(server["redis_version"])
    if tuple(int(part) for part in name.split(".")[:2]) < _OLDEST_REDIS:
        yield warning(_PART, f"Redis {name} is old.", "install Redis 6 or newer, or Valkey")
    policy, most, used = memory.get("maxmemory_policy"), int(memory.get("maxmemory", 0)), int(memory["used_memory"])
    if policy != "noeviction":
        what = f"Redis drops keys when its memory is full (maxmemory-policy {policy}): tasks would be lost."
        make = error if most else warning  # without a limit it never is full
        yield make(_PART, what, "redis-cli CONFIG SET maxmemory-policy noeviction")
    if most and used > _FULL * most:
        what = f"Redis has used {used / most:.0%} of its memory."
        yield warning(_PART, what, f"redis-cli CONFIG SET maxmemory {2 * most}")
    seconds, microseconds = client.time()
    if abs(skew := seconds + microseconds / 1e6 - time.time()) > _MOST_SKEW_S:
        yield warning(_PART, f"Its clock is {skew:+.0f} s off this one.", "timedatectl set-ntp true, on both machines")
    yield ok(_PART, f"Redis {name} answers and uses {used / 2**20:.0f} MB; policy {policy}.")


def _workers() -> Iterator[Finding]:
    try:
        answers = current_app.control.broadcast("imgsim_version", reply=True, timeout=2.0) or []
    except Exception as failure:  # noqa: BLE001 -- whatever the broker's client raises
        yield error(_PART, f"Workers cannot be asked ({type(failure).__name__}).", "manage.py doctor, again")
        return
    versions = {name: told.get("version") for answer in answers for name, told in answer.items()}
    if not any(not name.startswith("trainer") for name in versions):
        yield error(_PART, "No worker answers: pictures that are imported wait.", _START_WORKER)
    if not any(name.startswith("trainer") for name in versions):
        yield warning(_PART, "No trainer answers: trainings wait.", _START_TRAINER)
    others = sorted(name for name, told in versions.items() if told != version())
    if others:
        what = f"{', '.join(others)}: other code than this command's ({version()})."
        yield error(_PART, what, "docker compose up -d --build, or restart those workers")
    elif versions:
        names = ", ".join(sorted(versions))
        yield ok(_PART, f"{len(versions)} workers answer, all with this code ({version()}): {names}.")


def _beat() -> Iterator[Finding]:
    at = counting.swept_at()
    if at is None:
        yield warning(_PART, "Beat has swept nothing since Redis was started: what is lost stays lost.", _START_BEAT)
    elif time.time() - at > _SWEPT_WITHIN_S:
        minutes = (time.time() - at) / 60
        yield warning(_PART, f"Beat has swept nothing for {minutes:.0f} minutes, or no worker took it.", _START_BEAT)
    else:
        yield ok(_PART, f"Beat swept {time.time() - at:.0f} s ago.")


def _depths() -> Iterator[Finding]:
    told = ", ".join(f"{n} {name}" for name, n in queue.depths().items())
    yield ok(_PART, f"Messages that wait: {told}.")
