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

from embeddings.images.decoding import content_of, decoded, fitted_size

Grey = Image.Image
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
# At half the size, with an eighth of the sizes and places to try, most strangers are told.
_STRANGER: Final = 0.7


def grey(source: bytes | Path) -> Grey:
    """Return the small grey picture to compare, of a picture or of its thumbnail. Raises RefusedImage."""
    edge = 2 * _EDGE  # a part is compared at up to twice the size of its whole
    _, picture = decoded(content_of(source), edge=1, long_edge=2 * edge)
    return picture.convert("L").resize(fitted_size(picture.size, edge), Image.Resampling.BOX)


def relation(query: Grey, found: Grey) -> Relation | None:
    """Return what a picture that was found is to the query, or None where they are different or one of them is plain.

    query and found: of `grey`. Parts are found from 40 % of the whole's width up, not turned.
    """
    if _is_plain(query) or _is_plain(found):
        return None
    if _stretched(query, found) >= SAME:
        return "same"
    if correlation(query, found) >= PART:
        return "whole"
    if correlation(found, query) >= PART:
        return "part"
    return "turned" if _turned(query, found) >= SAME else None


def correlation(part: Grey, whole: Grey) -> float:
    """Return how well the best place of `whole`, at the best size, shows `part`: 1 is the same, about .4 a stranger.

    Strangers are told from pictures of half the size, and their figure is that one.
    """
    coarse = _correlation(part, whole, _EDGE // 2)
    return coarse if coarse < _STRANGER else _correlation(part, whole, _EDGE)


def _correlation(part: Grey, whole: Grey, edge: int) -> float:
    ground = _pixels(whole, fitted_size(whole.size, edge))
    height, width = ground.shape
    best = 0.0
    for n_columns in range(width, round(_LEAST_SHARE * width) - 1, -1):
        n_rows = round(n_columns * part.height / part.width)
        if _LEAST_EDGE <= n_rows <= height and n_columns >= _LEAST_EDGE:
            best = max(best, _best_place(_pixels(part, (n_columns, n_rows)), ground))
    return best


def _stretched(one: Grey, other: Grey) -> float:
    """Return the correlation of two whole pictures, made the same size."""
    size = fitted_size(other.size, _EDGE)
    return _best_place(_pixels(one, size), _pixels(other, size))


def _turned(one: Grey, other: Grey) -> float:
    """Return the best correlation of a whole picture, mirrored and turned in all seven ways, with another."""
    width, height = fitted_size(other.size, _EDGE)
    ground = _pixels(other, (width, height))
    upright, lying = _pixels(one, (width, height)), _pixels(one, (height, width)).T
    turns = [upright[::-1], upright[:, ::-1], upright[::-1, ::-1]]
    turns += [lying, lying[::-1], lying[:, ::-1], lying[::-1, ::-1]]
    return max(_best_place(np.ascontiguousarray(turn), ground) for turn in turns)


def _best_place(part: NDArray[np.float32], ground: NDArray[np.float32]) -> float:
    # Of a part without any contrast OpenCV says that it is everywhere.
    return float(cv2.matchTemplate(ground, part, cv2.TM_CCOEFF_NORMED).max()) if part.std() >= 1 else 0.0


def _pixels(picture: Grey, size: tuple[int, int]) -> NDArray[np.float32]:
    return np.asarray(picture.resize(size, Image.Resampling.BOX), dtype=np.float32)


def _is_plain(picture: Grey) -> bool:
    return float(np.asarray(picture).std()) < _PLAIN
