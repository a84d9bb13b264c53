"""The whole checkup, in an order in which what others need comes first."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from django.db import Error as DatabaseError

from search.checkup import configuration, database, encoders, images, machine, queue
from search.checkup.findings import Finding, error


def checkup(*, every_file: bool = False, goes_on: bool = True) -> Iterator[Finding]:
    """Give what there is to say of each part. One that cannot be looked at is said to be broken; the others follow.

    goes_on: else what broke it is raised, for who looks for the mistake.
    """
    guarded = _guarded if goes_on else _unguarded
    yield from guarded("settings", configuration.look)
    yield from guarded("machine", machine.look)
    yield from guarded("database", database.look)
    yield from guarded("queue", queue.look)
    try:
        has_rows = database.is_migrated()
    except DatabaseError:  # said above
        has_rows = False
    if has_rows:
        yield from guarded("encoders", encoders.look)
        yield from guarded("images", lambda: images.look(every_file=every_file))


def _unguarded(part: str, look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    yield from look()


def _guarded(part: str, look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from look()
    except DatabaseError as failure:
        reason = " ".join(str(failure).split()) or type(failure).__name__
        what = f"Postgres cannot be reached or does not answer: {reason}"
        yield error("database", what, "docker compose up -d db, or set DATABASE_URL in .env to where it is")
    except Exception as failure:  # noqa: BLE001 -- a doctor that is ill says so, and goes on with the rest
        what = f"It cannot be looked at ({type(failure).__name__}: {' '.join(str(failure).split())})."
        yield error(part, what, "manage.py doctor --traceback")
