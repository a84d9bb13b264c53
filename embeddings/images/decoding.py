"""From bytes or a path to upright RGB pixels, under limits; what is made of the pixels lives in `preparing`.

Colours are taken as sRGB: an embedded ICC profile is ignored, because converting costs 12 ms a photograph, as much
as decoding one of 12 megapixels does.
"""

import ctypes
import hashlib
import logging
import re
import stat
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
import PIL
from numpy.typing import NDArray

# Importing the plugins here spares Pillow from loading all of its forty when it meets one that it has not loaded.
from PIL import AvifImagePlugin as _AvifImagePlugin  # noqa: F401
from PIL import Image, UnidentifiedImageError
from PIL import TiffImagePlugin as _TiffImagePlugin  # noqa: F401
from PIL import WebPImagePlugin as _WebPImagePlugin  # noqa: F401

from embeddings.images.refusals import (
    RefusedImage,
    too_costly,
    too_large_file,
    too_many_pixels,
    undecodable,
    unidentified,
)

MAX_FILE_BYTES: Final = 20_000_000
MAX_JPEG_PIXELS: Final = 64_000_000  # decoded at a fraction of its size by `draft`
MAX_OTHER_PIXELS: Final = 40_000_000  # decoded in full: WebP peaks at 670 MB
MAX_JPEG_SCANS: Final = 100  # a cheap scan of 40 bytes costs 4 ms at 64 megapixels, whatever `draft` says

FORMATS: Final = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF")
_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_EXIF_ORIENTATION: Final = 0x0112
_SCAN: Final = re.compile(rb"\xff\xda\0(?:\x08\x01|\x0a\x02|\x0c\x03|\x0e\x04)")
# What Pillow's decoders raise on damaged files, as found with several thousand of them and by `tests.fuzzing.images`.
_DECODER_ERRORS: Final = (
    AssertionError,
    OSError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    SyntaxError,
    RuntimeError,
    EOFError,
    BufferError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)

# The process-wide settings of Pillow: this module is its only user. Filters are set once and not around each call,
# because `warnings.catch_warnings` is not safe in threads.
Image.MAX_IMAGE_PIXELS = MAX_JPEG_PIXELS
warnings.filterwarnings("ignore", module=r"PIL\.")
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
logging.getLogger("PIL").setLevel(logging.CRITICAL)


def _silence_libtiff() -> None:
    """Stop the libtiff in Pillow's wheel from writing a line to stderr for each oddity; Pillow raises what matters."""
    packages = Path(PIL.__file__).parents[1]
    for library in (*packages.glob("pillow.libs/libtiff*"), *packages.glob("PIL/.dylibs/libtiff*")):
        ctypes.CDLL(str(library)).TIFFSetErrorHandler(ctypes.c_void_p(None))


_silence_libtiff()


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a file says of its picture; width and height are those of the upright picture."""

    format: str
    width: int
    height: int
    n_bytes: int

    @property
    def size(self) -> tuple[int, int]:
        return self.width, self.height


def sha256_of(source: bytes | Path) -> str:
    """Return the SHA-256 of the file's content, in hexadecimal. Raises RefusedImage as `read_header` does."""
    return hashlib.sha256(content_of(source)).hexdigest()


def read_header(source: bytes | Path) -> Header:
    """Check a file's kind and limits without decoding it; 0.03 ms for a photograph in memory.

    Raises RefusedImage. A file that passes can still be refused when it is decoded.
    """
    content = content_of(source)
    with _refusals(content), _opened(content) as image:
        return _header(content, _format(image), image.size, _orientation(image))


def decoded(content: bytes, *, edge: int, long_edge: int) -> tuple[Header, Image.Image]:
    """Decode to upright RGB of the whole picture, on white, shrunk where that loses nothing that is needed.

    The result is at least `edge` wide and high and at least as large as the picture fitted into `long_edge`, or as
    large as the file has it. JPEG is decoded at 1/2, 1/4 or 1/8 of its size where that suffices; what is still far too
    large, and every other format, is averaged down after decoding.
    """
    with _refusals(content), _opened(content) as image:
        size = image.size
        fitted = fitted_size(size, long_edge)
        least = (max(edge, fitted[0]), max(edge, fitted[1]))
        image.draft(None, least)
        image.load()
        orientation = _orientation(image)  # after loading, because a PNG may carry it behind its pixels
        picture = _on_white(shrunk(_eight_bit(image, least), least))
        if orientation in _TURNS:
            picture = picture.transpose(_TURNS[orientation])
        picture.info = {}  # or Pillow would write the file's comment into every JPEG made from it
        return _header(content, _format(image), size, orientation), picture


def decoded_grey(content: bytes, *, long_edge: int) -> Image.Image:
    """Decode the brightness of a picture, as mode L, at least as large as it fits into `long_edge`.

    For JPEGs that `renditions` has written: neither orientation nor transparency is looked at, nor colour decoded.
    Raises RefusedImage.
    """
    with _refusals(content), _opened(content) as image:
        image.draft("L", fitted_size(image.size, long_edge))
        return image.convert("L")


def fitted_size(size: tuple[int, int], long_edge: int) -> tuple[int, int]:
    """Return the size that fits into a square of `long_edge`, same proportions, never enlarged, no side below 1."""
    scale = min(1.0, long_edge / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def shrunk(image: Image.Image, least: tuple[int, int]) -> Image.Image:
    """Average square blocks of pixels, as long as the picture stays at least as large as asked."""
    factor = min(image.width // least[0], image.height // least[1])
    return image.reduce(factor) if factor > 1 else image


def content_of(source: bytes | Path) -> bytes:
    """Return the bytes of a source, refusing what is empty, too large or no readable file."""
    content = _file_content(source) if isinstance(source, Path) else source
    if not content:
        raise RefusedImage("empty", "The file is empty.")
    check_file_size(len(content))
    return content


def check_file_size(n_bytes: int) -> None:
    """Raise RefusedImage for a file that is too large, before it is read where its size is known by then."""
    if n_bytes > MAX_FILE_BYTES:
        raise too_large_file(n_bytes, MAX_FILE_BYTES)


def _file_content(path: Path) -> bytes:
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):  # a pipe would block for ever
            raise RefusedImage("unreadable", "This is not a file.")
        check_file_size(facts.st_size)
        return path.read_bytes()
    except OSError as error:
        raise RefusedImage("unreadable", f"The file cannot be read: {error.strerror or error}.") from error


@contextmanager
def _refusals(content: bytes) -> Iterator[None]:
    """Turn whatever a decoder raises into a RefusedImage with a reason."""
    try:
        yield
    except RefusedImage:
        raise
    except UnidentifiedImageError as error:
        raise unidentified(content) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        is_jpeg = content.startswith(b"\xff\xd8")
        raise too_many_pixels("The picture", MAX_JPEG_PIXELS if is_jpeg else MAX_OTHER_PIXELS) from error
    except MemoryError as error:
        raise too_costly() from error
    except _DECODER_ERRORS as error:
        raise undecodable(error) from error


def _opened(content: bytes) -> Image.Image:
    """Open a picture, which reads its header only, and hold it against the limits."""
    image = Image.open(BytesIO(content), formats=FORMATS)
    width, height = image.size
    is_jpeg = _format(image) == "JPEG"
    max_pixels = MAX_JPEG_PIXELS if is_jpeg else MAX_OTHER_PIXELS
    if width < 1 or height < 1:
        raise RefusedImage("damaged", "The picture has no pixels.")
    if width * height > max_pixels:
        raise too_many_pixels(f"The picture of {width:,} x {height:,} pixels", max_pixels)
    if is_jpeg and sum(1 for _ in _SCAN.finditer(content)) > MAX_JPEG_SCANS:
        raise RefusedImage(
            "damaged", f"The JPEG has more than {MAX_JPEG_SCANS} scans, which no camera or program writes."
        )
    return image


def _format(image: Image.Image) -> str:
    """Return the format by Pillow's name; the multi-picture JPEGs of phones ("MPO") count as JPEG."""
    return "JPEG" if image.format == "MPO" else str(image.format)


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; 1 where it is missing or nonsense, which hides no picture."""
    if image.format == "TIFF":  # Pillow turns TIFF itself, and gives its upright size from the start
        return 1
    try:
        # The method of the base class: that of PNG decodes the picture to look for EXIF behind the pixels.
        value = Image.Image.getexif(image).get(_EXIF_ORIENTATION, 1)
    except (*_DECODER_ERRORS, MemoryError):
        return 1
    return value if isinstance(value, int) and value in _TURNS else 1


def _header(content: bytes, format_: str, size: tuple[int, int], orientation: int) -> Header:
    width, height = size if orientation < 5 else size[::-1]
    return Header(format=format_, width=width, height=height, n_bytes=len(content))


def _eight_bit(image: Image.Image, least: tuple[int, int]) -> Image.Image:
    """Return the picture as L, RGB or RGBA. Grey of 16 bits is scaled, where Pillow would clip it to white."""
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        return _stretched(np.asarray(shrunk(image, least), dtype=np.float32))
    if image.mode == "LAB":
        raise RefusedImage("format", "The picture has Lab colours, which ImgSim does not read. Save it in RGB.")
    mode = "RGBA" if image.has_transparency_data else "L" if image.mode == "L" else "RGB"
    return image if image.mode == mode else image.convert(mode)  # converting to the same mode would copy


def _stretched(values: NDArray[np.float32]) -> Image.Image:
    """Map 32-bit greys, whose white is agreed nowhere, from their darkest to 0 and their lightest to 255."""
    values = np.nan_to_num(values, posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    return Image.fromarray(((values - low) * (255 / max(high - low, 1e-9))).astype(np.uint8))


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode != "RGBA":
        return image.convert("RGB") if image.mode != "RGB" else image
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=image)
    return white
