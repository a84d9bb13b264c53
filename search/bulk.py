"""Work on many rows: ids in batches, and a cursor for bulk writes, whose parameters are bound by the server.

Django's own cursor writes parameters into the text of a statement, which costs more than the rest of an insert.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
from django.db import connection
from pgvector.psycopg import register_vector


def batches(ids: Sequence[int], size: int) -> Iterator[list[int]]:
    """Cut ids into batches."""
    for start in range(0, len(ids), size):
        yield list(ids[start : start + size])


def bulk_cursor() -> psycopg.Cursor[Any]:
    """Return a cursor on Django's own connection, inside whatever transaction it is in; use it in a `with`."""
    connection.ensure_connection()
    raw = connection.connection
    # Looked up once for each connection, by four small statements.
    if not getattr(raw, "knows_vectors", False):
        register_vector(raw)
        raw.knows_vectors = True
    return psycopg.Cursor(raw)
