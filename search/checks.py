"""System checks: what would give wrong answers later is refused at the start."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connection

OLDEST_PGVECTOR = (0, 8, 4)


@register(Tags.database)
def check_pgvector(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Refuse a pgvector older than 0.8.4: its HNSW indexes can be built wrong."""
    if not databases:
        return []
    with connection.cursor() as cursor:
        cursor.execute("SELECT default_version FROM pg_available_extensions WHERE name = 'vector'")
        row = cursor.fetchone()
    if row is None:
        return [
            Error(
                "This Postgres has no pgvector.",
                hint="Install pgvector 0.8.4 or newer beside it, or leave DATABASE_URL unset to use the embedded one.",
                id="imgsim.E001",
            )
        ]
    version = tuple(int(part) for part in row[0].split("."))
    if version < OLDEST_PGVECTOR:
        return [
            Error(
                f"pgvector {row[0]} is too old: below 0.8.4 its HNSW indexes can be built wrong.",
                hint="Upgrade pgvector, then run ALTER EXTENSION vector UPDATE.",
                id="imgsim.E002",
            )
        ]
    return []
