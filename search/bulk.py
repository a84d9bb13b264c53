"""A cursor for bulk writes: its parameters are bound by the server, arrays and vectors as bytes.

Django's own cursor writes parameters into the text of a statement, which costs more than the rest of an insert.
"""

from __future__ import annotations

from typing import Any

import psycopg
from django.db import connection
from pgvector.psycopg import register_vector


def bulk_cursor() -> psycopg.Cursor[Any]:
    """Return a cursor on Django's own connection, inside whatever transaction it is in; use it in a `with`."""
    connection.ensure_connection()
    raw = connection.connection
    # Looked up once for each connection, by four small statements.
    if not getattr(raw, "knows_vectors", False):
        register_vector(raw)
        raw.knows_vectors = True
    return psycopg.Cursor(raw)
