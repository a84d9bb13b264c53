"""Whether the site is alive, and whether it can do its work. For load balancers, containers and the demo."""

from __future__ import annotations

from collections.abc import Callable

from django.core.cache import cache
from django.db import connection
from django.http import HttpRequest, JsonResponse

from search import encoders, failures
from search.work import counting


def alive(request: HttpRequest) -> JsonResponse:
    """Answer as long as the process does."""
    return JsonResponse({"alive": True})


def ready(request: HttpRequest) -> JsonResponse:
    """Look at each part that a search or an import needs; 503 where one is missing."""
    parts = {name: _look(check) for name, check in _CHECKS.items()}
    is_ready = all(word == "ok" for word in parts.values())
    response = JsonResponse({"ready": is_ready, **parts}, status=200 if is_ready else 503)
    # Asked every few seconds by balancers: "not yet" is an answer, and no error for the log.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _broker() -> None:
    cache.get("readyz")


def _encoder() -> None:
    encoders.check(encoders.default())


def _worker() -> None:
    # One that answered a moment ago need not be asked again: the question waits for answers.
    last = counting.last_count()
    if last is None or last.is_old or not last.n:
        last = counting.count()
    if not last.n:
        raise LookupError("no worker answers")


_CHECKS: dict[str, Callable[[], None]] = {
    "database": _database,
    "broker": _broker,
    "encoder": _encoder,
    "worker": _worker,
}


def _look(check: Callable[[], None]) -> str:
    try:
        check()
    except encoders.NoEncoder as error:
        return str(error)  # says what to run, and is shown to visitors elsewhere too
    except Exception as error:  # noqa: BLE001 -- any failure of a part is the answer here
        # The text of an error may name hosts and paths; visitors get its kind.
        return failures.MIGRATE if failures.is_behind(error) else type(error).__name__
    return "ok"
