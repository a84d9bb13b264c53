"""Near-duplicates of queries in a gallery: edited copies, which any encoder finds and which flatter a test."""

import numpy as np
from numpy.typing import NDArray

from embeddings.evaluation.ranking import BLOCK_BYTES, Gallery, Struck, Vectors
from embeddings.specs import Distance

# Of 10,000 test images of CIFAR-10, known for its near-duplicates, 181 have a training image within so many bits, and
# 99 % of those share its label; within 8 bits, 86 %. Of 2,485 photographs of groceries none has one within 8.
HAMMING = 6
# By MobileNetV2's raw features 94 and 16 lie within this cosine distance, all of the same label.
COSINE_DISTANCE = 0.05


def by_phash(queries: NDArray[np.uint64], gallery: NDArray[np.uint64], within: int = HAMMING) -> Struck:
    """Return the pairs whose perceptual hashes of 64 bits differ in at most `within` bits.

    A hash of 0 or of ones only says that a picture is plain, and is compared with nothing.
    """
    asked, found = [], []
    size = max(1, BLOCK_BYTES // (8 * max(1, len(gallery))))
    known = _tells(gallery)
    for start in range(0, len(queries), size):
        block = queries[start : start + size]
        near = np.bitwise_count(block[:, np.newaxis] ^ gallery) <= within
        rows, places = np.nonzero(near & known & _tells(block)[:, np.newaxis])
        asked.append(rows + start)
        found.append(places)
    return Struck.of(np.concatenate(asked), np.concatenate(found)) if asked else _none()


def by_vector(queries: Vectors, gallery: Vectors, distance: Distance, within: float = COSINE_DISTANCE) -> Struck:
    """Return the pairs of vectors within a cosine distance; none for encoders that compare by L2, whose unit is theirs.

    Only features that no label shaped tell copies from kin: a network that was trained on classes gives all images of
    one class nearly the same vector.
    """
    if distance != "cosine" or not len(queries) or not len(gallery):
        return _none()
    ranked = Gallery(gallery, distance)
    asked, found = [], []
    size = max(1, BLOCK_BYTES // (8 * len(gallery)))
    for start in range(0, len(queries), size):
        rows, places = np.nonzero(ranked.distances(queries[start : start + size]) <= within)
        asked.append(rows + start)
        found.append(places)
    return Struck.of(np.concatenate(asked), np.concatenate(found))


def _tells(hashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
    ones = np.bitwise_count(hashes)
    return (ones > HAMMING) & (ones < 64 - HAMMING)


def _none() -> Struck:
    return Struck.of(np.empty(0, np.int64), np.empty(0, np.int64))
