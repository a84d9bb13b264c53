"""Postgres: there, new enough, migrated, with memory for its indexes, and of the same time."""

from __future__ import annotations

import time
from collections.abc import Iterator

from django.conf import settings
from django.core import checks
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from search.checkup.findings import Finding, error, ok, warning

_PART = "database"
OLDEST_POSTGRES = 140000
_MB = 2**20
_LEAST_MEMORY = {"shared_buffers": 128 * _MB, "maintenance_work_mem": 64 * _MB, "work_mem": 4 * _MB}
_MOST_SKEW_S = 2.0


def look() -> Iterator[Finding]:
    """Look at the server; raises django.db.Error where it cannot be reached."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version_num')::int, current_setting('server_version')")
        number, name = cursor.fetchone()
        cursor.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'")
        pgvector = (cursor.fetchone() or [None])[0]
    if number < OLDEST_POSTGRES:
        yield error(_PART, f"Postgres {name} is too old.", "install Postgres 14 or newer, and restore a backup into it")
    said = checks.run_checks(tags=[checks.Tags.database], databases=["default"])
    for one in said:
        yield error(_PART, str(one.msg), str(one.hint or "manage.py check --database default"))
    if number >= OLDEST_POSTGRES and not said:
        yield ok(_PART, f"Postgres {name} answers, with pgvector {pgvector or 'to be made by the migrations'}.")
    yield from _migrations()
    yield from _memory()
    yield from _skew()


def is_migrated() -> bool:
    """Return whether every migration is applied: else rows cannot be looked at."""
    return not _missing()


def _missing() -> list[str]:
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


def _migrations() -> Iterator[Finding]:
    if missing := _missing():
        names = ", ".join(missing[:3]) + (" …" if len(missing) > 3 else "")
        yield error(_PART, f"{len(missing)} migrations are not applied: {names}", "manage.py migrate")
    else:
        yield ok(_PART, "Every migration is applied.")


def _memory() -> Iterator[Finding]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name, pg_size_bytes(current_setting(name)) FROM unnest(%s::text[]) name", [list(_LEAST_MEMORY)]
        )
        given = dict(cursor.fetchall())
    small = [name for name, least in _LEAST_MEMORY.items() if given[name] < least]
    for name in small:
        wanted = _LEAST_MEMORY[name] // _MB
        yield warning(
            _PART,
            f"{name} is {given[name] // _MB} MB: searches and the building of indexes are slow below {wanted} MB.",
            f'psql "$DATABASE_URL" -c "ALTER SYSTEM SET {name} = \'{wanted}MB\'", and restart Postgres',
        )
    if not small:
        told = ", ".join(f"{name} {n_bytes // _MB} MB" for name, n_bytes in given.items())
        yield ok(_PART, f"It has memory: {told}.")


def _skew() -> Iterator[Finding]:
    before = time.time()
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
        (theirs,) = cursor.fetchone()
    skew = theirs - (before + time.time()) / 2
    if abs(skew) > _MOST_SKEW_S:
        what = f"Its clock and this machine's are {abs(skew):.0f} s apart: ages are wrong by that."
        yield warning(_PART, what, "timedatectl set-ntp true, on both machines")
    elif time.time() < settings.BASE_DIR.joinpath("manage.py").stat().st_mtime - 86_400:
        yield warning(_PART, "This machine's clock stands before the day of its files.", "timedatectl set-ntp true")
    else:
        yield ok(_PART, f"Clocks agree within {max(abs(skew), 0.001):.3f} s.")
