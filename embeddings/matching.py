"""Why two pictures are alike: which places of one answer to which of the other, from their spatial features."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Heat = NDArray[np.float32]
Point = tuple[float, float]
Pair = tuple[Point, Point, float]

MOST_PAIRS = 5
USUAL_LIKENESS = 0.3

# Between the usual likeness and 1: where heat is full, and what a pair of places must pass. With .3 that is .75 and .5:
# of 240 pairs each of the Grocery Store photographs in MobileNetV2, nine tenths of the best matches in pictures of
# different classes stay below .44, and the best tenth of those in one class lies above .70.
_FULL_SHARE = 0.64
_LEAST_SHARE = 0.3


@dataclass(frozen=True, kw_only=True, eq=False)
class Match:
    """What two pictures have in common.

    first, second: float32 (rows, columns), 0..1, how much each location takes part in the likeness.
    pairs: places that answer to each other, the surest first, at most five: (x, y) in the first and in the second
    picture, as fractions of width and height from the top left, and the correlation of their features, up to 1.
    """

    first: Heat
    second: Heat
    pairs: list[Pair]


def match(first: NDArray[np.float32], second: NDArray[np.float32], *, usual: float = USUAL_LIKENESS) -> Match:
    """Return what two pictures have in common, from their `encode_locations`, (rows, columns, channels) each.

    usual: the `usual_likeness` of the network, at which heat begins; the default is about that of MobileNetV2
    and EfficientNet-Lite0; a larger network needs its own, or strangers look warm.
    Raises ValueError for another number of axes or different channels.
    """
    if first.ndim != 3 or second.ndim != 3 or first.shape[2] != second.shape[2]:
        raise ValueError(f"expected two maps (rows, columns, channels), received {first.shape} and {second.shape}")
    ones, others = first.reshape(-1, first.shape[2]), second.reshape(-1, second.shape[2])
    likeness = correlations(ones, others)
    heat = _heat(ones, others.mean(axis=0), _certainty(likeness.max(axis=1), usual))
    other_heat = _heat(others, ones.mean(axis=0), _certainty(likeness.max(axis=0), usual))
    sure = np.where(likeness >= usual + _LEAST_SHARE * (1 - usual), likeness, 0)
    return Match(
        first=heat.reshape(first.shape[:2]),
        second=other_heat.reshape(second.shape[:2]),
        pairs=_pairs(sure, heat, other_heat, first.shape[:2], second.shape[:2]),
    )


def usual_likeness(maps: NDArray[np.float32]) -> float:
    """Return how alike places in pictures of different things are in a network: what a quarter of best matches pass.

    maps: `encode_locations` of two or more pictures of different things, (n, rows, columns, channels); ten serve.
    Of ten of the Grocery Store photographs: .30 to .40 in MobileNetV2, .27 to .34 in EfficientNet-Lite0, .54 to .57 in
    the ResNet-50 of AugNet.
    Raises ValueError for fewer than two pictures.
    """
    if maps.ndim != 4 or len(maps) < 2:
        raise ValueError(f"expected maps (n, rows, columns, channels) of two pictures or more, received {maps.shape}")
    places = [map_.reshape(-1, maps.shape[3]) for map_ in maps]
    found = [correlations(one, other) for number, one in enumerate(places) for other in places[:number]]
    best = np.concatenate([likeness.max(axis=axis) for likeness in found for axis in (0, 1)])
    return float(np.percentile(best, 75))


def correlations(ones: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the correlation over the channels of each location of one with each of the other, (n, m), -1..1.

    ones: float32 (n, channels); others: (m, channels).

    After a ReLU all features are positive, and the cosine of any two places is .4 or more. Taking each place's own mean
    off brings that to .2 and keeps what tells one thing from another (AUC .80 place by place, as the cosine's). Taking
    the mean place of both pictures off does not (.60): a heap of fruit is then like nothing.
    """
    return _centred(ones) @ _centred(others).T


def _heat(locations: Heat, pooled: Heat, certainty: Heat) -> Heat:
    """Return how much each location takes part: by its share in the dot product of the vectors, and by its best match.

    For mean-pooled networks the dot product of two vectors is the mean over the locations of one of their dot products
    with the other's mean (Stylianou, Souvenir and Pless, Visualizing Deep Similarity Networks, WACV 2019).
    """
    share = np.maximum(locations @ pooled, 0)
    share /= max(float(share.max()), 1e-12)
    return (np.sqrt(share) * certainty).astype(np.float32)


def _certainty(best: Heat, usual: float) -> Heat:
    """Return 0 where a best match is usual in strangers, 1 where it is hardly ever seen in them."""
    return _smooth((best - usual) / (_FULL_SHARE * (1 - usual)))


def _smooth(values: Heat) -> Heat:
    values = np.clip(values, 0, 1)
    return values * values * (3 - 2 * values)


def _centred(locations: Heat) -> Heat:
    deviations = locations - locations.mean(axis=1, keepdims=True)
    return deviations / np.maximum(np.linalg.norm(deviations, axis=1, keepdims=True), 1e-12)


def _pairs(
    likeness: Heat, heat: Heat, other_heat: Heat, shape: tuple[int, ...], other_shape: tuple[int, ...]
) -> list[Pair]:
    """Return the mutual nearest neighbours, the hottest first, none beside another in either picture.

    likeness: 0 where it is too little for a pair.
    """
    nearest, back = likeness.argmax(axis=1), likeness.argmax(axis=0)
    mutual = np.flatnonzero(back[nearest] == np.arange(len(nearest)))
    mutual = mutual[likeness[mutual, nearest[mutual]] > 0]
    warmth = heat[mutual] * other_heat[nearest[mutual]]
    chosen: list[tuple[int, int]] = []
    for one in mutual[np.argsort(-warmth, kind="stable")]:
        other = nearest[one]
        if all(
            _apart(one, taken, shape[1]) and _apart(other, its_match, other_shape[1]) for taken, its_match in chosen
        ):
            chosen.append((int(one), int(other)))
    return [
        (_point(one, shape), _point(other, other_shape), float(likeness[one, other]))
        for one, other in chosen[:MOST_PAIRS]
    ]


def _apart(one: int, other: int, n_columns: int) -> bool:
    rows = abs(one // n_columns - other // n_columns)
    return max(rows, abs(one % n_columns - other % n_columns)) > 1


def _point(index: int, shape: tuple[int, ...]) -> Point:
    row, column = divmod(index, shape[1])
    return (column + 0.5) / shape[1], (row + 0.5) / shape[0]
