"""The nearest images of each of many images, walked for in an HNSW index: candidates to look at, not an answer."""

from __future__ import annotations

from collections.abc import Sequence

from django.conf import settings
from django.db import connection, transaction

from search.models import Encoder
from search.neighbours.planning import stock_of
from search.neighbours.ranking import OPERATORS

# A walk throws away what is out of scope: with less of the index in it, most of the walk would be for nothing.
_LEAST_SHARE = 0.1
_EF_SEARCH = 40


def index_serves_each(encoder: Encoder, dataset_ids: Sequence[int]) -> bool:
    """Return whether walks are worth it: so many images are in scope that to compare all would take long."""
    stock = stock_of(encoder)
    n_in_scope = sum(stock.within(dataset_ids).values())
    if n_in_scope <= settings.EXACT_SEARCH_UP_TO or encoder.distance != Encoder.Distance.COSINE:
        return False
    return stock.is_indexed and n_in_scope >= _LEAST_SHARE * stock.n


def nearest_of_each(
    image_ids: Sequence[int], encoder: Encoder, dataset_ids: Sequence[int], *, k: int, within: float
) -> list[tuple[int, int]]:
    """Return pairs of ids: of an image, and of one among the k nearest to it in scope, not further than a distance.

    Needs the encoder's index. Walks are short, so that one in some hundreds of the nearest is passed by.
    """
    operator, dim = OPERATORS[encoder.distance], f"{encoder.dim:d}"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('hnsw.ef_search', %s, true), set_config('hnsw.iterative_scan', 'strict_order', true)",
            [str(max(_EF_SEARCH, 2 * k))],
        )
        # The image itself is the first of its own: k + 1 are asked for.
        cursor.execute(
            f"""
            SELECT asking.image_id, found.image_id
            FROM search_embedding asking
            CROSS JOIN LATERAL (
                SELECT embedding.image_id,
                       embedding.vector::halfvec({dim}) {operator} asking.vector::halfvec({dim}) AS distance
                FROM search_embedding embedding
                WHERE embedding.encoder_id = {encoder.pk:d} AND embedding.dataset_id = ANY(%(datasets)s)
                ORDER BY embedding.vector::halfvec({dim}) {operator} asking.vector::halfvec({dim})
                LIMIT {k + 1:d}) found
            WHERE asking.encoder_id = {encoder.pk:d} AND asking.image_id = ANY(%(ids)s)
              AND found.image_id <> asking.image_id AND found.distance <= %(within)s
            """,
            {"datasets": list(dataset_ids), "ids": list(image_ids), "within": within},
        )
        return cursor.fetchall()
