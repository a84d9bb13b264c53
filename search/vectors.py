"""Vectors between rows and arrays, as bytes on the way; what they mean and how they are ranked lives elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector

from search.bulk import bulk_cursor
from search.curating.holding import hold_those_of
from search.models import Encoder


def read(encoder: Encoder, image_ids: Sequence[int]) -> tuple[list[int], NDArray[np.float32]]:
    """Return the ids of those images that an encoder has embedded, ascending, and float32 (n, encoder.dim)."""
    with bulk_cursor() as cursor:
        cursor.execute(
            "SELECT image_id, vector FROM search_embedding "
            "WHERE encoder_id = %s AND image_id = ANY(%s) ORDER BY image_id",
            [encoder.pk, list(image_ids)],
            binary=True,
        )
        rows = cursor.fetchall()
    vectors = np.empty((len(rows), encoder.dim), np.float32)
    for place, (_, vector) in enumerate(rows):
        vectors[place] = vector.to_numpy()
    return [image_id for image_id, _ in rows], vectors


def write(encoder: Encoder, image_ids: Sequence[int], vectors: NDArray[np.float32]) -> None:
    """Keep the vectors of images, in the caller's transaction. An image that was deleted meanwhile gets none."""
    hold_those_of(image_ids)
    with bulk_cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO search_embedding (image_id, encoder_id, dataset_id, vector)
            SELECT image.id, %s, image.dataset_id, new.vector
            FROM unnest(%b::bigint[], %b::halfvec[]) new (image_id, vector)
            JOIN search_image image ON image.id = new.image_id
            ORDER BY image.id FOR KEY SHARE OF image
            ON CONFLICT (image_id, encoder_id) DO UPDATE SET vector = EXCLUDED.vector
            """,
            [encoder.pk, list(image_ids), [HalfVector(vector) for vector in vectors]],
        )
