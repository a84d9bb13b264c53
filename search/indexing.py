"""Rows and their HNSW indexes: one partial index for each encoder, built after loading."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.conf import settings
from django.db import OperationalError, connection
from django.db.backends.utils import CursorWrapper
from psycopg.errors import DiskFull, OutOfMemory

from search.models import Embedding, Encoder
from search.neighbours import index_name

logger = logging.getLogger(__name__)

_OPERATOR_CLASSES = {"cosine": "halfvec_cosine_ops", "l2": "halfvec_l2_ops"}
# With the usual 64 the index takes half the time to build, and loses images that are unlike all the rest.
_EF_CONSTRUCTION = 200
_BYTES_A_NUMBER = 2
# What a build keeps of a vector beside its numbers, with pgvector's 16 neighbours: `benchmarks/scaling.py` shows if
# it is enough.
_GRAPH_BYTES = 1_000
# The key of the advisory lock under which one index is built at a time.
_LOCK = 0x1496


def is_worthwhile(encoder: Encoder) -> bool:
    """Return whether the encoder has more vectors than a search compares one by one."""
    enough = settings.EXACT_SEARCH_UP_TO
    return Embedding.objects.filter(encoder=encoder).order_by()[enough : enough + 1].exists()


def is_valid(encoder: Encoder) -> bool:
    """Return whether the encoder's index stands and is complete."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT 1 FROM pg_index WHERE indexrelid = to_regclass(%s) AND indisvalid)",
            [index_name(encoder)],
        )
        return bool(cursor.fetchone()[0])


def exists(encoder: Encoder) -> bool:
    """Return whether there is an index of the encoder, complete or not."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [index_name(encoder)])
        return bool(cursor.fetchone()[0])


def build(encoder: Encoder, report: Callable[[str], None] = logger.info) -> bool:
    """Build the encoder's index beside running searches and imports; return whether it was built now.

    An index that stands is left alone; half of one, from a build that was killed, is dropped first. Statistics and the
    visibility map are brought up to date in any case, because the counts that choose the plan read them.
    Must run outside a transaction.
    """
    built = False
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])
        if not cursor.fetchone()[0]:
            report("An index is being built already; leaving it to that.")
            return False
        try:
            if not is_valid(encoder):
                report(f"Building the index of {encoder.name}")
                _create(cursor, encoder)
                built = True
            cursor.execute("VACUUM (ANALYZE) search_embedding")
            cursor.execute("ANALYZE search_image")  # by which filters are weighed
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])
    return built


def _create(cursor: CursorWrapper, encoder: Encoder) -> None:
    """Build with the memory that the graph needs, or, where the machine does not give it, with the server's own."""
    try:
        cursor.execute("SELECT set_config('maintenance_work_mem', %s, false)", [f"{_kilobytes(cursor, encoder)}kB"])
        _create_now(cursor, encoder)
    except OperationalError as error:
        if not isinstance(error.__cause__, DiskFull | OutOfMemory):
            raise
        logger.warning("Building the index of %s with less memory, which takes longer: %s", encoder.name, error)
        cursor.execute("RESET maintenance_work_mem")
        _create_now(cursor, encoder)
    finally:
        cursor.execute("RESET maintenance_work_mem")


def _create_now(cursor: CursorWrapper, encoder: Encoder) -> None:
    name = index_name(encoder)
    cursor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
    cursor.execute(
        f"CREATE INDEX CONCURRENTLY {name} ON search_embedding "
        f"USING hnsw ((vector::halfvec({encoder.dim:d})) {_OPERATOR_CLASSES[encoder.distance]}) "
        f"WITH (ef_construction = {_EF_CONSTRUCTION:d}) "
        f"WHERE encoder_id = {encoder.pk:d}"
    )


def _kilobytes(cursor: CursorWrapper, encoder: Encoder) -> int:
    """Return the memory to build with: all of the graph, up to half of what the server takes for its cache.

    A graph that does not fit is finished on disk, vector by vector. The server's own setting is the least.
    """
    cursor.execute(
        "SELECT (SELECT count(*) FROM search_embedding WHERE encoder_id = %s), "
        "pg_size_bytes(current_setting('effective_cache_size')), "
        "pg_size_bytes(current_setting('maintenance_work_mem'))",
        [encoder.pk],
    )
    n, cache, least = cursor.fetchone()
    wanted = n * (_BYTES_A_NUMBER * encoder.dim + _GRAPH_BYTES)
    return int(max(least, min(wanted, cache // 2)) // 1024)


def cancel_build(encoder: Encoder) -> None:
    """End the build of the encoder's index, where one is going on: whoever drops it would wait for that."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_cancel_backend(pid) FROM pg_stat_progress_create_index "
            "WHERE datname = current_database() AND index_relid = to_regclass(%s)",
            [index_name(encoder)],
        )


def drop(encoder: Encoder) -> None:
    """Drop the encoder's index; searches compare every vector from then on. Must run outside a transaction."""
    with connection.cursor() as cursor:
        cursor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {index_name(encoder)}")


def progress() -> int | None:
    """Return how many vectors the index that is being built has taken in; None where none is being built."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tuples_done FROM pg_stat_progress_create_index "
            "WHERE datname = current_database() AND relid = to_regclass('search_embedding')"
        )
        row = cursor.fetchone()
    return row and int(row[0])
