"""What the import and a search need of one picture, from one decode: thumbnail, perceptual hash, network input."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from embeddings.images import inputs, isolation
from embeddings.images.decoding import Header, content_of
from embeddings.images.inputs import Crop
from embeddings.images.isolation import decoded
from embeddings.images.renditions import fitted, jpeg, phash
from embeddings.images.wanted import THUMBNAIL_EDGE, PreparedQuery, QueryParts


@dataclass(frozen=True, kw_only=True, eq=False)
class Prepared(Header):
    """All that the import needs of a picture.

    phash: 64 characters 0 or 1, as `bit(64)` takes them. thumbnail: JPEG, empty if it was not asked for.
    input: uint8 (size, size, 3), RGB, read-only.
    """

    phash: str
    thumbnail: bytes
    input: NDArray[np.uint8]


def prepare(source: bytes | Path, *, input_size: int, thumbnail: bool = True) -> Prepared:
    """Decode a picture once for its thumbnail, its perceptual hash and the input of a network.

    input_size: edge of the square that the whole upright picture is squashed to. Raises RefusedImage.
    """
    header, picture = decoded(content_of(source), edge=inputs.edge_for(input_size), long_edge=THUMBNAIL_EDGE)
    return Prepared(
        **vars(header),
        phash=phash(picture),
        thumbnail=jpeg(fitted(picture, header.size, THUMBNAIL_EDGE), quality=80) if thumbnail else b"",
        input=np.asarray(inputs.squashed(picture, input_size)),
    )


def prepare_query(
    source: bytes | Path, *, input_size: int, crop: Crop | None = None, preview: bool = True, phash: bool = True
) -> PreparedQuery:
    """Decode a picture to search with; without a crop the input equals that of `prepare` to the last bit.

    crop: x, y, width, height as fractions of the upright picture.
    Raises RefusedImage, with code "crop" if the crop is not inside the picture.
    """
    with preparing_query(source, input_size=input_size, crop=crop, preview=preview, phash=phash) as prepared:
        return prepared()


@contextmanager
def preparing_query(
    source: bytes | Path, *, input_size: int, crop: Crop | None = None, preview: bool = True, phash: bool = True
) -> Iterator[Callable[[], PreparedQuery]]:
    """Begin to do what `prepare_query` does; give a function that returns it, or raises what was found out meanwhile.

    What the caller does before costs no time where other processes decode: see `isolation.begun`.
    """
    content = content_of(source)
    crop = inputs.checked(crop) if crop else None
    wanted = QueryParts(input_size=input_size, crop=crop, preview=preview, phash=phash)
    with isolation.begun(content, wanted) as prepared:
        yield prepared


def rendition(source: bytes | Path, *, long_edge: int) -> bytes:
    """Return the upright picture as a JPEG without metadata, its long edge at most `long_edge`, never enlarged."""
    header, picture = decoded(content_of(source), edge=1, long_edge=long_edge)
    return jpeg(fitted(picture, header.size, long_edge), quality=90)


def jpeg_of(pixels: NDArray[np.uint8]) -> bytes:
    """Return a JPEG of uint8 RGB pixels (height, width, 3)."""
    return jpeg(Image.fromarray(pixels), quality=85)


def png_of(pixels: NDArray[np.uint8]) -> bytes:
    """Return a PNG of uint8 RGB pixels (height, width, 3)."""
    content = BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return content.getvalue()


def warm_up() -> None:
    """Prepare a picture of nothing, because the first one in a process loads libraries for some 200 ms."""
    isolation.warm_up()
    prepare(jpeg(Image.new("RGB", (64, 64)), quality=85), input_size=32)


def hamming(a: str, b: str) -> int:
    """Return how many of the 64 bits of two perceptual hashes differ: 0 is the same picture, about 32 a stranger."""
    return (int(a, 2) ^ int(b, 2)).bit_count()
