"""What the import and a search need of one picture, from one decode: thumbnail, perceptual hash, network input.

Every JPEG written here is fresh: no EXIF, no GPS, no comment, no profile of the file that came in.
"""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from embeddings.images import isolation
from embeddings.images.decoding import Header, content_of, fitted_size, shrunk
from embeddings.images.isolation import decoded
from embeddings.images.refusals import RefusedImage

THUMBNAIL_EDGE: Final = 400
PREVIEW_EDGE: Final = 1280
PREVIEW_LEAST_EDGE: Final = 960  # a decode of this size serves for the preview too

# How the network's input is resized: Pillow widens the filter when it shrinks, so that nothing is aliased.
INPUT_FILTER: Final = Image.Resampling.BILINEAR
# Decode to no less than this many times the input's size, so that `draft` and `reduce` stay invisible in the result.
INPUT_MARGIN: Final = 2
LARGEST_EDGE: Final = 100_000  # no picture is decoded larger, however small the crop

# x, y, width, height as fractions of the upright picture.
Crop = tuple[float, float, float, float]


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
    header, picture = decoded(content_of(source), edge=INPUT_MARGIN * input_size, long_edge=THUMBNAIL_EDGE)
    return Prepared(
        **vars(header),
        phash=_phash(picture),
        thumbnail=_jpeg(_fitted(picture, header.size, THUMBNAIL_EDGE), quality=80) if thumbnail else b"",
        input=_squashed(picture, input_size),
    )


def prepare_query(
    source: bytes | Path, *, input_size: int, crop: Crop | None = None, preview: bool = True, phash: bool = True
) -> PreparedQuery:
    """Decode a picture to search with; without a crop the input equals that of `prepare` to the last bit.

    crop: x, y, width, height as fractions of the upright picture.
    Raises RefusedImage, with code "crop" if the crop is not inside the picture.
    """
    content = content_of(source)
    width, height = _checked(crop)[2:] if crop else (1.0, 1.0)
    edge = round(min(INPUT_MARGIN * input_size / min(width, height), LARGEST_EDGE))
    header, picture = decoded(content, edge=edge, long_edge=THUMBNAIL_EDGE)
    region = picture.crop(crop_box(picture.size, crop)) if crop else picture
    return PreparedQuery(
        **vars(header),
        phash=_phash(region) if phash else "",
        preview=_preview(content, header, picture) if preview else b"",
        input=_squashed(region, input_size),
    )


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


def crop_box(size: tuple[int, int], crop: Crop) -> tuple[int, int, int, int]:
    """Return left, top, right, bottom of a crop in pixels of a picture of `size`, at least one of them.

    Raises RefusedImage with code "crop" if the crop is not inside the picture.
    """
    x, y, crop_width, crop_height = _checked(crop)
    width, height = size
    left, top = min(int(x * width), width - 1), min(int(y * height), height - 1)
    right, bottom = round((x + crop_width) * width), round((y + crop_height) * height)
    return left, top, max(left + 1, right), max(top + 1, bottom)


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


def _squashed(picture: Image.Image, size: int) -> NDArray[np.uint8]:
    return np.asarray(picture.resize((size, size), INPUT_FILTER))


def _jpeg(picture: Image.Image, *, quality: int) -> bytes:
    content = BytesIO()
    picture.save(content, "JPEG", quality=quality)
    return content.getvalue()


def _phash(picture: Image.Image) -> str:
    """Return imagehash's perceptual hash of the picture's grey, averaged down to no less than 128 pixels first."""
    grey = shrunk(picture.convert("L"), (128, 128))
    return "".join("1" if bit else "0" for bit in imagehash.phash(grey).hash.flat)


def _checked(crop: Crop) -> Crop:
    x, y, width, height = crop
    inside = x >= 0 and y >= 0 and width > 0 and height > 0 and x + width <= 1 + 1e-6 and y + height <= 1 + 1e-6
    if not inside:  # nan is outside as well
        raise RefusedImage(
            "crop", f"The crop must be x, y, width, height as fractions inside the picture, from 0 to 1; got {crop}."
        )
    return crop
