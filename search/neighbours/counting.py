"""How many vectors an encoder has in each dataset, from the counts that triggers keep."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import connection

from search.models import Encoder

# Rows from which on putting them together is worth it: a sum of a thousand takes a millisecond.
_MANY = 1_000


def sizes(encoder: Encoder, dataset_ids: Iterable[int]) -> dict[int, int]:
    """Return how many images of each dataset an encoder has embedded, by id; datasets without any are left out."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT dataset_id, sum(n)::bigint FROM search_embeddingcount "
            "WHERE encoder_id = %s AND dataset_id = ANY(%s) GROUP BY dataset_id HAVING sum(n) > 0",
            [encoder.pk, list(dataset_ids)],
        )
        return dict(cursor.fetchall())


def totals(dataset_ids: Iterable[int]) -> dict[int, int]:
    """Return how many images of some datasets each encoder has embedded, by its id; those without any are left out."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT encoder_id, sum(n)::bigint FROM search_embeddingcount "
            "WHERE dataset_id = ANY(%s) GROUP BY encoder_id HAVING sum(n) > 0",
            [list(dataset_ids)],
        )
        return dict(cursor.fetchall())


def compact() -> None:
    """Put the rows of each encoder and dataset together, where there are many; the sums stay what they are."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) > %s FROM search_embeddingcount", [_MANY])
        (are_many,) = cursor.fetchone()
        if are_many:
            cursor.execute(
                """
                WITH gone AS (DELETE FROM search_embeddingcount RETURNING encoder_id, dataset_id, n)
                INSERT INTO search_embeddingcount (encoder_id, dataset_id, n)
                SELECT encoder_id, dataset_id, sum(n) FROM gone GROUP BY encoder_id, dataset_id HAVING sum(n) <> 0
                """
            )
