"""Whether two pictures are the same one: edited, mirrored, turned, or a part of each other.

Their small grey pictures are laid over each other. The measure is normalised cross-correlation (J. P. Lewis, "Fast
Template Matching", 1995), in which brightness and contrast cancel out.
"""

from pathlib import Path
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from embeddings.images.decoding import content_of, decoded_grey, fitted_size

Pixels = NDArray[np.uint8]
# What the second picture is to the first: the same, the same mirrored or turned, what it was cut out of, or its part.
Relation = Literal["same", "turned", "whole", "part"]

# From here on two whole pictures are the same, and one is a part of the other: for parts so many places and sizes are
# tried that an accident is likelier. `benchmarks/near_duplicates.py` counts both kinds of mistake.
SAME: Final = 0.93
PART: Final = 0.95
# Grey levels of standard deviation below which a picture is plain, and the same as anything plain.
_PLAIN: Final = 6.0

_EDGE: Final = 40  # of the whole picture, in pixels
_LEAST_SHARE: Final = 0.4  # of the whole's width; what is smaller shows too little at this size
_LEAST_EDGE: Final = 5
# At half the size, with an eighth of the sizes and places to try, most strangers are told; many by every other size.
# Of 3,300 edited photographs and 884 strangers none is judged otherwise for that.
_STRANGER: Final = 0.7
_FAR_FROM_IT: Final = 0.5


class Grey:
    """A small grey picture, as it is laid over others; what it becomes at the smallest sizes is kept."""

    def __init__(self, picture: Image.Image) -> None:
        """Take a picture of mode L, its longer edge 80 pixels."""
        self.size = picture.size
        self._picture = np.asarray(picture)
        self.is_plain = _contrast(self._picture) < _PLAIN
        self._scaled: dict[tuple[int, int], tuple[Pixels, bool]] = {}

    def pixels(self, size: tuple[int, int]) -> tuple[Pixels, bool]:
        """Return it at a size (width, height): uint8 (height, width); and whether that has any contrast."""
        if size in self._scaled:
            return self._scaled[size]
        pixels = np.asarray(cv2.resize(self._picture, size, interpolation=cv2.INTER_AREA), np.uint8)
        found = pixels, _contrast(pixels) >= 1
        if max(size) <= _EDGE // 2:  # larger ones are wanted of few, and take more room
            self._scaled[size] = found
        return found


def grey(source: bytes | Path) -> Grey:
    """Return the small grey picture to compare, of a thumbnail or a preview.

    Raises RefusedImage.
    """
    edge = 2 * _EDGE  # a part is compared at up to twice the size of its whole
    picture = decoded_grey(content_of(source), long_edge=2 * edge)
    return Grey(picture.resize(fitted_size(picture.size, edge), Image.Resampling.BOX))


def relation(query: Grey, found: Grey) -> Relation | None:
    """Return what a picture that was found is to the query, or None where they are different or one of them is plain.

    query and found: of `grey`. Parts are found from 40 % of the whole's width up, not turned.
    """
    if query.is_plain or found.is_plain:
        return None
    turns = _turns(query, found)
    if turns[0] >= SAME:
        return "same"
    if correlation(query, found) >= PART:
        return "whole"
    if correlation(found, query) >= PART:
        return "part"
    return "turned" if turns[1:].max() >= SAME else None


def correlation(part: Grey, whole: Grey) -> float:
    """Return how well the best place of `whole`, at the best size, shows `part`: 1 is the same, about .4 a stranger.

    Strangers are told from pictures of half the size, and their figure is that one.
    """
    coarse = _every_other(part, whole, _EDGE // 2)
    if coarse < _STRANGER:
        return coarse
    return max(_correlation(part, whole, _EDGE, width) for width in _widths(whole, _EDGE))


def _every_other(part: Grey, whole: Grey, edge: int) -> float:
    """Return the best correlation at every other size, and at those beside the best where that is near enough."""
    widths = _widths(whole, edge)
    found = {width: _correlation(part, whole, edge, width) for width in widths[::2]}
    width = max(found, key=found.__getitem__)
    if found[width] < _FAR_FROM_IT:
        return found[width]
    beside = [one for one in (width - 1, width + 1) if one in widths]
    return max(found[width], *(_correlation(part, whole, edge, one) for one in beside))


def _widths(whole: Grey, edge: int) -> range:
    """Return how wide a part of a picture can be, whose longer edge is `edge`, in pixels."""
    width = fitted_size(whole.size, edge)[0]
    return range(width, round(_LEAST_SHARE * width) - 1, -1)


def _correlation(part: Grey, whole: Grey, edge: int, width: int) -> float:
    """Return how well the best place of `whole` shows `part` made so wide; 0 where it does not fit or is plain."""
    ground, _ = whole.pixels(fitted_size(whole.size, edge))
    height = round(width * part.size[1] / part.size[0])
    if not _LEAST_EDGE <= height <= len(ground) or width < _LEAST_EDGE:
        return 0.0
    template, has_contrast = part.pixels((width, height))
    if not has_contrast:  # OpenCV says of it that it is everywhere
        return 0.0
    return max(0.0, float(cv2.matchTemplate(ground, template, cv2.TM_CCOEFF_NORMED).max()))


def _turns(one: Grey, other: Grey) -> NDArray[np.float32]:
    """Return how a picture, made the size of another, correlates with it: float32 (8,).

    As it is, and then mirrored and turned in all seven ways.
    """
    width, height = fitted_size(other.size, _EDGE)
    upright, lying = _unit(one.pixels((width, height))[0]), _unit(one.pixels((height, width))[0]).T
    ways = [way for flat in (upright, lying) for way in (flat, flat[::-1], flat[:, ::-1], flat[::-1, ::-1])]
    return np.stack([way.ravel() for way in ways]) @ _unit(other.pixels((width, height))[0]).ravel()


def _unit(pixels: Pixels) -> NDArray[np.float32]:
    """Return a picture about its mean, of length 1: float32 of its shape; without contrast all 0."""
    contrast = _contrast(pixels)
    if contrast < 1:
        return np.zeros(pixels.shape, np.float32)
    return np.asarray((pixels - pixels.mean(dtype=np.float32)) / (contrast * np.sqrt(pixels.size)), np.float32)


def _contrast(pixels: Pixels) -> float:
    """Return the standard deviation of grey levels; by OpenCV, which takes a tenth of numpy's time for so few."""
    return float(cv2.meanStdDev(pixels)[1][0, 0])
