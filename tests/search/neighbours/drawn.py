"""Vectors drawn by chance, datasets of images that have them, and all pages of a search."""

import numpy as np
from numpy.typing import NDArray

from search.models import Dataset, Encoder
from search.neighbours import Place, Scope, nearest
from search.vectors import write
from tests.rows import make_images

DIM = 16


def unit_vectors(n: int, seed: int = 0) -> NDArray[np.float32]:
    vectors = np.random.default_rng(seed).normal(size=(n, DIM)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def fill(encoder: Encoder, name: str, vectors: NDArray[np.float32], **fields: str) -> Dataset:
    dataset, _ = Dataset.objects.get_or_create(name=name)
    write(encoder, make_images(dataset, len(vectors), **fields), vectors)
    return dataset


def walked(vector: NDArray[np.float32], encoder: Encoder, scope: Scope, *, k: int) -> list[int]:
    """Return the ids of page after page, to the last one."""
    ids: list[int] = []
    after: Place | None = None
    while hits := nearest(vector, encoder, scope, k=k, offset=len(ids), after=after).hits:
        ids += [hit.id for hit in hits]
        after = Place(hits[-1].distance, hits[-1].id)
    return ids
