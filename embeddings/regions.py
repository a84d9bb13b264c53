"""What could be searched for in a picture: boxes around single things, from its colours and its spatial features."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects, gaussian_filter, label, zoom
from skimage.color import rgb2lab

from embeddings.matching import correlations

Box = tuple[float, float, float, float]
Map = NDArray[np.float32]
_Cells = tuple[int, int, int, int]  # left, top, right, bottom

LEAST_SIDE: Final = 0.12
MOST_AREA: Final = 0.8
MOST_OVERLAP: Final = 0.5
_MOST_INSIDE: Final = 0.8  # of the smaller of two boxes: a thing and its better half are one suggestion

_EDGE: Final = 72  # of the picture that is looked at, about
_BORDER: Final = 3  # how wide, in its pixels, what counts as border is
_N_COLOURS: Final = 48  # taken from the border
_N_NEAREST: Final = 5  # of them that a colour is held against
_LEAST_DISTANCE: Final = 12.0  # in Lab, from the border: less is a plain picture
_LEVELS: Final = (0.15, 0.3, 0.45, 0.6, 0.75)
_RING: Final = 6  # how far, in pixels, the surroundings of a box reach
_AREA_POWER: Final = 0.3  # what size counts beside contrast: 0 prefers crumbs, 1 whole pictures
_LEAST_SCORE: Final = 0.1  # of the best box, or nothing stands out: noise has .05, a sheet of coins .08
_LEAST_OF_OTHERS: Final = 0.05
_FEATURE_SHARE: Final = 0.5  # of what stands out, how much the features decide


def suggest(picture: NDArray[np.uint8], locations: NDArray[np.float32], *, most: int = 4) -> list[Box]:
    """Return boxes worth searching with as (x, y, width, height), fractions of the picture, the best first.

    picture: uint8 RGB (height, width, 3), such as a network's input. locations: its `encode_locations`, (rows, columns,
    channels). Boxes are at least 12 % wide and high, cover at most 80 %, overlap by an IoU of at most 0.5, and none
    lies in another. A plain picture, and one in which nothing stands out, has none.

    A thing is taken for what has other colours than the border of the picture has, and other and stronger features:
    the colours say where it ends, the features what is a thing at all. `benchmarks/regions.py` measures both.
    Raises ValueError for arrays of other axes.
    """
    if picture.ndim != 3 or picture.shape[2] != 3 or locations.ndim != 3:
        raise ValueError(
            "expected a picture (height, width, 3) and locations (rows, columns, channels), "
            f"received {picture.shape} and {locations.shape}"
        )
    distances = _distances(_lab(picture))
    if distances.max() < _LEAST_DISTANCE:
        return []
    colours = np.minimum(distances / max(float(np.percentile(distances, 98)), _LEAST_DISTANCE), 1)
    features = enlarged(foreground(locations), colours.shape)
    standing_out = colours * (1 - _FEATURE_SHARE + _FEATURE_SHARE * features)
    return boxes_in([colours, standing_out, features], standing_out=standing_out, most=most)


def boxes_in(maps: Sequence[Map], *, standing_out: Map, most: int) -> list[Box]:
    """Return the boxes around what hangs together in any of some maps, those first in which most stands out.

    maps, standing_out: float32 (rows, columns) of one shape, at most 1.
    """
    sums = np.pad(standing_out, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    found = {cells for map_ in maps for cells in _candidates(map_)}
    scored = sorted(((_score(sums, cells), cells) for cells in found), reverse=True)
    if not scored or scored[0][0] < _LEAST_SCORE:
        return []
    return _apart([_fractions(cells, standing_out.shape) for score, cells in scored if score >= _LEAST_OF_OTHERS], most)


def overlap(one: Box, other: Box) -> float:
    """Return the intersection of two boxes over their union, 0..1."""
    common = _common(one, other)
    return common / (one[2] * one[3] + other[2] * other[3] - common)


def _lab(picture: NDArray[np.uint8]) -> Map:
    """Return the picture in Lab, averaged down to about 72 pixels and smoothed a little."""
    factor = max(1, min(picture.shape[:2]) // _EDGE)
    height, width = (edge // factor for edge in picture.shape[:2])
    blocks = picture[: height * factor, : width * factor].reshape(height, factor, width, factor, 3)
    lab = rgb2lab(blocks.mean(axis=(1, 3), dtype=np.float32) / 255)
    return gaussian_filter(lab, (0.7, 0.7, 0)).astype(np.float32)


def _distances(lab: Map) -> Map:
    """Return how far each pixel's colour is from the nearest ones of the border, in Lab."""
    edges = (lab[:_BORDER], lab[-_BORDER:], lab[:, :_BORDER], lab[:, -_BORDER:])
    border = np.concatenate([edge.reshape(-1, 3) for edge in edges])
    colours = border[np.linspace(0, len(border) - 1, _N_COLOURS).astype(int)]
    pixels = lab.reshape(-1, 3)
    squares = (pixels**2).sum(axis=1)[:, np.newaxis] - 2 * pixels @ colours.T + (colours**2).sum(axis=1)
    nearest = np.partition(np.maximum(squares, 0), _N_NEAREST - 1, axis=1)[:, :_N_NEAREST]
    return np.sqrt(nearest).mean(axis=1).reshape(lab.shape[:2])


def foreground(locations: Map) -> Map:
    """Return how strong each location's features are, and how unlike those at the border; at most 1."""
    rows, columns = locations.shape[:2]
    at_border = np.ones((rows, columns), bool)
    at_border[1:-1, 1:-1] = False
    every = locations.reshape(rows * columns, -1)
    likeness = np.sort(correlations(every, locations[at_border]), axis=1)[:, -6:].mean(axis=1)
    strength = np.linalg.norm(every, axis=1) * (1 - likeness)
    return (strength / max(float(strength.max()), 1e-12)).reshape(rows, columns)


def enlarged(coarse: Map, shape: tuple[int, ...]) -> Map:
    """Return a map of few cells at the size of a larger one, bilinear between the middles of its cells."""
    fine: Map = zoom(coarse, np.divide(shape, coarse.shape), order=1, mode="nearest", grid_mode=True)
    return fine


def _candidates(map_: Map) -> Iterator[_Cells]:
    """Yield the boxes around what hangs together above some levels, where they are neither small nor nearly all."""
    height, width = map_.shape
    for level in _LEVELS:
        regions, _ = label(map_ >= level * map_.max(), np.ones((3, 3), int))
        for rows, columns in find_objects(regions):
            n_rows, n_columns = rows.stop - rows.start, columns.stop - columns.start
            if min(n_columns / width, n_rows / height) >= LEAST_SIDE and n_columns * n_rows <= MOST_AREA * map_.size:
                yield columns.start, rows.start, columns.stop, rows.stop


def _score(sums: Map, cells: _Cells) -> float:
    """Return how much more stands out inside a box than around it, and a little for its size."""
    left, top, right, bottom = cells
    height, width = sums.shape[0] - 1, sums.shape[1] - 1
    wider = max(left - _RING, 0), max(top - _RING, 0), min(right + _RING, width), min(bottom + _RING, height)
    area, inside = (right - left) * (bottom - top), _sum(sums, cells)
    ring = (wider[2] - wider[0]) * (wider[3] - wider[1]) - area
    around = (_sum(sums, wider) - inside) / max(ring, 1)
    return float((inside / area - around) * (area / (height * width)) ** _AREA_POWER)


def _sum(sums: Map, cells: _Cells) -> float:
    left, top, right, bottom = cells
    return float(sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left])


def _fractions(cells: _Cells, shape: tuple[int, ...]) -> Box:
    left, top, right, bottom = cells
    return left / shape[1], top / shape[0], (right - left) / shape[1], (bottom - top) / shape[0]


def _apart(boxes: list[Box], most: int) -> list[Box]:
    """Return the first boxes that neither overlap much nor lie in one before them."""
    chosen: list[Box] = []
    for box in boxes:
        if len(chosen) < most and not any(_same(box, other) for other in chosen):
            chosen.append(box)
    return chosen


def _same(one: Box, other: Box) -> bool:
    smaller = min(one[2] * one[3], other[2] * other[3])
    return overlap(one, other) > MOST_OVERLAP or _common(one, other) > _MOST_INSIDE * smaller


def _common(one: Box, other: Box) -> float:
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    return max(width, 0) * max(height, 0)
