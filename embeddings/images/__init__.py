"""Pictures under limits: bytes or a path in; facts, pixels, JPEG renditions and hashes out. No rows, no networks.

This package and `embeddings.sample` are the only places that import Pillow.
"""

from embeddings.images.decoding import Header, read_header, sha256_of
from embeddings.images.inputs import Crop
from embeddings.images.overlays import heated
from embeddings.images.preparing import (
    Prepared,
    hamming,
    jpeg_of,
    png_of,
    prepare,
    prepare_query,
    preparing_query,
    rendition,
    warm_up,
)
from embeddings.images.refusals import RefusedImage
from embeddings.images.wanted import PreparedQuery

__all__ = [
    "Crop",
    "Header",
    "Prepared",
    "PreparedQuery",
    "RefusedImage",
    "hamming",
    "heated",
    "jpeg_of",
    "png_of",
    "prepare",
    "prepare_query",
    "preparing_query",
    "read_header",
    "rendition",
    "sha256_of",
    "warm_up",
]
