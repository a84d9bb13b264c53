"""Every query against a whole gallery, block by block, so that memory does not grow with their product."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embeddings.specs import Distance

Vectors = NDArray[np.float32]
# What one array of a block may take. A handful of them live at a time.
BLOCK_BYTES = 32 * 2**20
# As many vectors as are brought to double precision at a time.
_CHUNK = 4096


@dataclass(frozen=True, kw_only=True, eq=False)
class Block:
    """Some queries, each with the whole gallery in the order of distance.

    places: which queries. distances: float64 (n, n_gallery), in the order of the gallery. order: int64 (n, n_gallery),
    places in the gallery, nearest first, those that were struck out last. n_ranked: how many were not.
    """

    places: slice
    distances: NDArray[np.float64]
    order: NDArray[np.int64]
    n_ranked: NDArray[np.int64]


class Gallery:
    """Vectors to rank by their distance to queries: cosine distance, 0..2, or L2.

    Distances are reckoned in double precision, because a gallery of 50,000 has many that agree in the first seven
    digits, and their order would depend on the machine. Those that agree in some thirteen digits count as equal, and
    come in the order of the gallery: two images with the same vector, for one.
    """

    def __init__(self, vectors: Vectors, distance: Distance = "cosine") -> None:
        """vectors: float32 (n, dim), n ≥ 1, of any length but zero. Raises ValueError for other shapes."""
        if vectors.ndim != 2 or not len(vectors):
            raise ValueError(f"expected vectors of shape (n, dim), n at least 1, received {vectors.shape}")
        self._vectors = vectors
        self._distance = distance
        self._squares = np.concatenate([np.einsum("ij,ij->i", chunk, chunk) for chunk in _doubled(vectors)])

    def __len__(self) -> int:
        return len(self._vectors)

    def distances(self, queries: Vectors) -> NDArray[np.float64]:
        """Return float64 (n_queries, n_gallery) for float32 (n_queries, dim)."""
        asked = queries.astype(np.float64)
        products = np.empty((len(asked), len(self)))
        for place, chunk in enumerate(_doubled(self._vectors)):
            np.matmul(asked, chunk.T, out=products[:, place * _CHUNK : place * _CHUNK + len(chunk)])
        squares = np.einsum("ij,ij->i", asked, asked)[:, np.newaxis]
        if self._distance == "l2":
            products *= -2
            products += squares
            products += self._squares
            return np.sqrt(np.maximum(products, 0, out=products), out=products)
        products /= np.sqrt(squares)
        products /= np.sqrt(self._squares)
        return np.clip(np.subtract(1, products, out=products), 0, 2, out=products)

    def farthest(self, queries: Vectors) -> float:
        """Return a distance that none between these queries and the gallery exceeds."""
        if self._distance == "cosine":
            return 2.0
        longest = max(float(np.einsum("ij,ij->i", queries, queries).max()), float(self._squares.max()))
        return max(2 * longest**0.5, 1e-300)

    def blocks(self, queries: Vectors, struck: "Struck") -> Iterator[Block]:
        """Rank the gallery for each query, block by block. struck: which images must not be found by which query."""
        size = max(1, BLOCK_BYTES // (8 * len(self)))
        for start in range(0, len(queries), size):
            places = slice(start, min(start + size, len(queries)))
            distances = self.distances(queries[places])
            order, n_ranked = self.order(distances, struck.within(places))
            yield Block(places=places, distances=distances, order=order, n_ranked=n_ranked)

    def order(
        self, distances: NDArray[np.float64], struck: tuple[NDArray[np.int64], NDArray[np.int64]]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return places in the gallery, nearest first, those struck out last, and how many were not struck out.

        struck: rows of `distances`, and places in the gallery, of what must not be found; each pair once.
        """
        # Distance and place share one integer: to sort such is several times faster than to sort indirectly, and equal
        # distances come in the order of the gallery.
        place_bits = max(1, (len(self) - 1).bit_length())
        last = 2 ** (62 - place_bits)
        farthest = 2.0 if self._distance == "cosine" else max(float(distances.max()), 1e-300)
        keys = (distances * (last / farthest)).astype(np.int64)
        # The farthest of all would have the key of what was struck out, which comes after it.
        np.minimum(keys, last - 1, out=keys)
        keys[struck] = last
        keys <<= place_bits
        keys |= np.arange(len(self), dtype=np.int64)
        keys.sort(axis=1)
        keys &= 2**place_bits - 1
        return keys, len(self) - np.bincount(struck[0], minlength=len(distances))


@dataclass(frozen=True, kw_only=True, eq=False)
class Struck:
    """Pairs of a query and an image of the gallery that it must not find, such as itself. Each pair stands once.

    queries, places: int64 (n_pairs,), places among the queries (ascending) and in the gallery.
    """

    queries: NDArray[np.int64]
    places: NDArray[np.int64]

    @classmethod
    def of(cls, queries: NDArray[np.int64], places: NDArray[np.int64]) -> "Struck":
        """Return pairs in order, each once."""
        pairs = np.unique(np.stack([queries, places], axis=1), axis=0) if len(queries) else np.empty((0, 2), np.int64)
        return cls(queries=pairs[:, 0].astype(np.int64), places=pairs[:, 1].astype(np.int64))

    def __len__(self) -> int:
        return len(self.queries)

    def and_also(self, others: "Struck") -> "Struck":
        """Return the pairs of both."""
        return Struck.of(np.concatenate([self.queries, others.queries]), np.concatenate([self.places, others.places]))

    def less(self, others: "Struck") -> "Struck":
        """Return the pairs that are not among others."""
        steps = int(max(self.places.max(initial=0), others.places.max(initial=0))) + 1
        kept = ~np.isin(self.queries * steps + self.places, others.queries * steps + others.places)
        return Struck(queries=self.queries[kept], places=self.places[kept])

    def among(self, kept: NDArray[np.bool_]) -> "Struck":
        """Return the pairs whose image is kept, by its place among those kept. kept: bool (n_gallery,)."""
        chosen = kept[self.places]
        return Struck(queries=self.queries[chosen], places=(np.cumsum(kept) - 1)[self.places[chosen]])

    def within(self, queries: slice) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the pairs of some queries, which are counted from the first of them."""
        first, last = np.searchsorted(self.queries, [queries.start, queries.stop])
        return self.queries[first:last] - queries.start, self.places[first:last]


def same(queries: NDArray[np.generic], gallery: NDArray[np.generic]) -> Struck:
    """Return the pairs of a query and an image of the gallery that are equal: ids, or hashes of contents."""
    order = np.argsort(gallery, kind="stable")
    ranked = gallery[order]
    first, last = np.searchsorted(ranked, queries, "left"), np.searchsorted(ranked, queries, "right")
    counts = last - first
    asked = np.repeat(np.arange(len(queries)), counts)
    steps = np.arange(len(asked)) - np.repeat(np.cumsum(counts) - counts, counts)
    return Struck.of(asked, order[np.repeat(first, counts) + steps])


def _doubled(vectors: Vectors) -> Iterator[NDArray[np.float64]]:
    for start in range(0, len(vectors), _CHUNK):
        yield vectors[start : start + _CHUNK].astype(np.float64)
