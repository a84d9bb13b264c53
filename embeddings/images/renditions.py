"""What is made of a decoded picture: JPEGs of a size, and its perceptual hash.

Every JPEG written here is fresh: no EXIF, no GPS, no comment, no profile of the file that came in.
"""

from io import BytesIO

import imagehash
from PIL import Image

from embeddings.images.decoding import fitted_size, shrunk


def fitted(picture: Image.Image, full_size: tuple[int, int], long_edge: int) -> Image.Image:
    """Resize to what the picture of `full_size` fits into, whatever size it was decoded at."""
    size = fitted_size(full_size, long_edge)
    return picture if size == picture.size else picture.resize(size, Image.Resampling.BICUBIC)


def jpeg(picture: Image.Image, *, quality: int) -> bytes:
    """Return a picture as JPEG."""
    content = BytesIO()
    picture.save(content, "JPEG", quality=quality)
    return content.getvalue()


def phash(picture: Image.Image) -> str:
    """Return imagehash's perceptual hash of the picture's grey, averaged down to no less than 128 pixels first.

    64 characters 0 or 1, as `bit(64)` takes them.
    """
    grey = shrunk(picture.convert("L"), (128, 128))
    return "".join("1" if bit else "0" for bit in imagehash.phash(grey).hash.flat)
