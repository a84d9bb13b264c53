"""The rows of a backup: a dump of one moment, and back again in place of what is there, all of it or nothing."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.db import connection, transaction

from imgsim_site.backup import programs
from search.models import Image

# What is there moves out of the way; extensions stay, because the dump's columns are of their types.
_SET_ASIDE = """
ALTER SCHEMA public RENAME TO imgsim_before;
CREATE SCHEMA public;
DO $$ DECLARE name text; BEGIN
  FOR name IN SELECT extname FROM pg_extension WHERE extnamespace = 'imgsim_before'::regnamespace LOOP
    EXECUTE format('ALTER EXTENSION %I SET SCHEMA public', name);
  END LOOP;
END $$;
"""
_FORGET = "DROP SCHEMA imgsim_before CASCADE;"
_CHECK = """
DO $$ BEGIN IF (SELECT count(*) FROM public.{table}) <> {n:d} THEN
  RAISE EXCEPTION 'the rows are not those of the backup: %', '{table}'; END IF; END $$;
"""
# Left out of what is put back: it is there already, or takes minutes and is built afterwards.
_LEFT_OUT = (" SCHEMA - public ", " INDEX public embedding_hnsw_")
_PATIENCE_S = 3.0
_N_AT_ONCE = 5_000


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The rows of one moment, by the name under which other connections read them too."""

    name: str
    counts: dict[str, int]
    migrations: list[str]
    postgres: str
    file_names: list[str]
    n_in_place: int


@contextmanager
def snapshot() -> Iterator[Snapshot]:
    """Hold one moment of the database, and read from it what is dumped and which files it needs."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SELECT pg_export_snapshot(), current_setting('server_version')")
        name, postgres = cursor.fetchone()
        yield Snapshot(
            name=name,
            counts=counts(),
            migrations=applied(),
            postgres=postgres,
            file_names=list(_file_names()),
            n_in_place=Image.objects.exclude(in_place_path="").filter(file="").count(),
        )


def dump(moment: Snapshot, target: Path) -> None:
    """Write the rows of a moment. Raises BackupError."""
    programs.run(
        "pg_dump", "--format=custom", "--compress=1", "--no-owner", "--no-privileges", "--schema=public",
        "--extension=vector", f"--snapshot={moment.name}", f"--file={target}",
    )  # fmt: skip


def counts() -> dict[str, int]:
    """Return how many rows each table of the site has."""
    with connection.cursor() as cursor:
        found = {}
        for table in sorted(connection.introspection.table_names(cursor)):
            cursor.execute(f"SELECT count(*) FROM {connection.ops.quote_name(table)}")  # noqa: S608 -- Postgres names it
            (found[table],) = cursor.fetchone()
        return found


def applied() -> list[str]:
    """Return the migrations that have been applied, as "app.name"; none where there are no tables yet."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('public.django_migrations') IS NOT NULL")
        if not cursor.fetchone()[0]:
            return []
        cursor.execute("SELECT app || '.' || name FROM django_migrations ORDER BY app, name")
        return [name for (name,) in cursor.fetchall()]


def others() -> int:
    """Return how many connections other processes have to this database, and keep for some seconds."""
    n, until = _n_others(), time.monotonic() + _PATIENCE_S
    while n and time.monotonic() < until:
        time.sleep(0.1)
        n = _n_others()
    return n


def _n_others() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        return int(cursor.fetchone()[0])


def put_back(dump: Path, expected: dict[str, int]) -> None:
    """Replace all rows by those of a dump, which has so many of each table; where that fails, all is as it was.

    HNSW indexes are left out: they would take minutes, and workers build them beside running searches.
    Raises BackupError.
    """
    lines = [line for line in programs.listed(dump).splitlines() if not any(one in line for one in _LEFT_OUT)]
    checks = [_CHECK.format(table=connection.ops.quote_name(table), n=n) for table, n in expected.items()]
    connection.close()  # or its locks would be waited for
    with tempfile.NamedTemporaryFile("w", suffix=".list") as contents:
        contents.write("\n".join(lines) + "\n")
        contents.flush()
        programs.load(dump, Path(contents.name), before=_SET_ASIDE, after="\n".join([*checks, _FORGET]))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _file_names() -> Iterator[str]:
    rows = Image.objects.order_by("pk").values_list("file", "thumbnail")
    for row in rows.iterator(chunk_size=_N_AT_ONCE):
        yield from (name for name in row if name)
