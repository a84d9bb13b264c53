"""Pictures with the places marked that count: what is hot in full colour, the rest dimmed, and numbered points.

Brightness and colourfulness tell hot from cold, not hue, so that every kind of eye and a grey print tell them too.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from embeddings.images.decoding import content_of
from embeddings.images.inputs import Crop, crop_box
from embeddings.images.isolation import decoded
from embeddings.images.preparing import jpeg_of

Point = tuple[float, float]

_COLD_LIGHT: Final = 0.5  # how bright what is cold stays
_OUTSIDE_LIGHT: Final = 0.25  # and what lies outside the crop
_TINT: Final = np.array((255, 176, 64), np.float32)  # the warmth of what is hot
_TINT_SHARE: Final = 0.14
_LUMA: Final = np.array((0.299, 0.587, 0.114), np.float32)
_MARKER_SHARE: Final = 1 / 36  # the radius of a marker as a share of the long edge


def heated(
    source: bytes | Path,
    heat: NDArray[np.float32],
    points: Sequence[Point] = (),
    *,
    long_edge: int = 480,
    crop: Crop | None = None,
) -> bytes:
    """Return a JPEG of the upright picture, without metadata, hot places in full colour, the points numbered from 1.

    heat: float32 (rows, columns), 0..1, spread evenly over the picture or the crop. points: x, y in the same, as
    fractions from the top left. long_edge: that of the result, to which small pictures are enlarged for the numbers.
    crop: x, y, width, height as fractions of the upright picture; what lies outside is shown dark.
    Raises RefusedImage, with code "crop" if the crop is not inside the picture; ValueError for heat of other axes.
    """
    if heat.ndim != 2 or not heat.size:
        raise ValueError(f"expected heat of shape (rows, columns), received {heat.shape}")
    header, picture = decoded(content_of(source), edge=1, long_edge=long_edge)
    scale = long_edge / max(header.size)
    size = (max(1, round(header.width * scale)), max(1, round(header.height * scale)))
    if picture.size != size:
        picture = picture.resize(size, Image.Resampling.BICUBIC)
    left, top, right, bottom = crop_box(size, crop) if crop else (0, 0, *size)
    pixels = np.asarray(picture, np.float32)
    shown = _greyed(pixels) * _OUTSIDE_LIGHT
    shown[top:bottom, left:right] = _warmed(pixels[top:bottom, left:right], heat)
    marked = Image.fromarray(shown.round().astype(np.uint8))
    _mark(marked, [(left + x * (right - left), top + y * (bottom - top)) for x, y in points], long_edge * _MARKER_SHARE)
    return jpeg_of(np.asarray(marked))


def _warmed(pixels: NDArray[np.float32], heat: NDArray[np.float32]) -> NDArray[np.float32]:
    """Blend grey and dim into full colour with a warm tint, by the heat."""
    height, width = pixels.shape[:2]
    coarse = Image.fromarray(np.clip(heat, 0, 1).astype(np.float32))
    fine = np.clip(np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC)), 0, 1)[..., np.newaxis]
    hot = pixels + (_TINT - pixels) * _TINT_SHARE
    cold = _greyed(pixels) * _COLD_LIGHT
    return cold + (hot - cold) * fine


def _greyed(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.repeat((pixels @ _LUMA)[..., np.newaxis], 3, axis=2)


def _mark(picture: Image.Image, points: Sequence[Point], radius: float) -> None:
    """Draw a white number on a dark disc with a white rim at each point, whole even where a point is near the edge."""
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(size=1.35 * radius)
    for number, (x, y) in enumerate(points, start=1):
        x = min(max(x, radius), picture.width - 1 - radius)
        y = min(max(y, radius), picture.height - 1 - radius)
        box = (x - radius, y - radius, x + radius, y + radius)
        draw.ellipse(box, fill=(24, 32, 48), outline="white", width=max(1, round(radius / 7)))
        draw.text((x, y), str(number), fill="white", font=font, anchor="mm")
