"""What the import and a search need of one picture, from one decode: thumbnail, perceptual hash, network input.

Every JPEG written here is fresh: no EXIF, no GPS, no comment, no profile of the file that came in.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from embeddings.images import inputs, isolation
from embeddings.images.decoding import Header, content_of, fitted_size, shrunk
from embeddings.images.inputs import Crop
from embeddings.images.isolation import decoded

THUMBNAIL_EDGE: Final = 400
PREVIEW_EDGE: Final = 1280
PREVIEW_LEAST_EDGE: Final = 960  # a decode of this size serves for the preview too


@dataclass(frozen=True, kw_only=True, eq=False)
class Prepared(Header):
    """All that the import needs of a picture.

    phash: 64 characters 0 or 1, as `bit(64)` takes them. thumbnail: JPEG, empty if it was not asked for.
    input: uint8 (size, size, 3), RGB, read-only.
    """

    phash: str
    thumbnail: bytes
    input: NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True, eq=False)
class PreparedQuery(Header):
    """All that a search needs of a picture; phash and input are of the crop where there is one.

    preview: JPEG of the whole picture, to show and to crop again. It and phash are empty if they were not asked for.
    """

    phash: str
    preview: bytes
    input: NDArray[np.uint8]


def prepare(source: bytes | Path, *, input_size: int, thumbnail: bool = True) -> Prepared:
    """Decode a picture once for its thumbnail, its perceptual hash and the input of a network.

    input_size: edge of the square that the whole upright picture is squashed to. Raises RefusedImage.
    """
    header, picture = decoded(content_of(source), edge=inputs.edge_for(input_size), long_edge=THUMBNAIL_EDGE)
    return Prepared(
        **vars(header),
        phash=_phash(picture),
        thumbnail=_jpeg(_fitted(picture, header.size, THUMBNAIL_EDGE), quality=80) if thumbnail else b"",
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
    edge = inputs.edge_for(input_size, crop)
    only_input = not (preview or phash)

    def prepared() -> PreparedQuery:
        header, picture = result()
        if only_input:
            return PreparedQuery(**vars(header), phash="", preview=b"", input=np.asarray(picture))
        region = inputs.region(picture, crop)
        return PreparedQuery(
            **vars(header),
            phash=_phash(region) if phash else "",
            preview=_preview(content, header, picture) if preview else b"",
            input=np.asarray(inputs.squashed(region, input_size)),
        )

    square = inputs.Square(size=input_size, crop=crop) if only_input else None
    with isolation.begun(content, edge=edge, long_edge=THUMBNAIL_EDGE, square=square) as result:
        yield prepared


def _preview(content: bytes, header: Header, picture: Image.Image) -> bytes:
    # A decode too small for the preview is not made larger but repeated: the input's pixels stay those of `prepare`.
    if max(picture.size) < min(PREVIEW_LEAST_EDGE, max(header.width, header.height)):
        return rendition(content, long_edge=PREVIEW_EDGE)
    return _jpeg(_fitted(picture, picture.size, PREVIEW_EDGE), quality=90)


def rendition(source: bytes | Path, *, long_edge: int) -> bytes:
    """Return the upright picture as a JPEG without metadata, its long edge at most `long_edge`, never enlarged."""
    header, picture = decoded(content_of(source), edge=1, long_edge=long_edge)
    return _jpeg(_fitted(picture, header.size, long_edge), quality=90)


def jpeg_of(pixels: NDArray[np.uint8]) -> bytes:
    """Return a JPEG of uint8 RGB pixels (height, width, 3)."""
    return _jpeg(Image.fromarray(pixels), quality=85)


def png_of(pixels: NDArray[np.uint8]) -> bytes:
    """Return a PNG of uint8 RGB pixels (height, width, 3)."""
    content = BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return content.getvalue()


def warm_up() -> None:
    """Prepare a picture of nothing, because the first one in a process loads libraries for some 200 ms."""
    isolation.warm_up()
    content = BytesIO()
    Image.new("RGB", (64, 64)).save(content, "JPEG")
    prepare(content.getvalue(), input_size=32)


def hamming(a: str, b: str) -> int:
    """Return how many of the 64 bits of two perceptual hashes differ: 0 is the same picture, about 32 a stranger."""
    return (int(a, 2) ^ int(b, 2)).bit_count()


def _fitted(picture: Image.Image, full_size: tuple[int, int], long_edge: int) -> Image.Image:
    """Resize to what the picture of `full_size` fits into, whatever size it was decoded at."""
    size = fitted_size(full_size, long_edge)
    return picture if size == picture.size else picture.resize(size, Image.Resampling.BICUBIC)


def _jpeg(picture: Image.Image, *, quality: int) -> bytes:
    content = BytesIO()
    picture.save(content, "JPEG", quality=quality)
    return content.getvalue()


def _phash(picture: Image.Image) -> str:
    """Return imagehash's perceptual hash of the picture's grey, averaged down to no less than 128 pixels first."""
    grey = shrunk(picture.convert("L"), (128, 128))
    return "".join("1" if bit else "0" for bit in imagehash.phash(grey).hash.flat)
