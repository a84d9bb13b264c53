"""Tests of the boxes that are suggested to search with."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from embeddings.encoder import Encoder
from embeddings.install import InstalledEncoder
from embeddings.regions import Box, overlap, suggest

Images = NDArray[np.uint8]
ALIKE = np.ones((7, 7, 4), np.float32)
# The photographs of `photos` by number, each where it lies in the picture that `pasted` makes.
PLACES: dict[int, Box] = {0: (0.1, 0.1, 0.35, 0.45), 2: (0.55, 0.5, 0.4, 0.4)}


@pytest.fixture(scope="module")
def encoder(installed: Callable[[str], InstalledEncoder]) -> Encoder:
    return Encoder.load(installed("mobilenet_v2").folder)


def canvas(colour: tuple[int, int, int] = (225, 220, 205)) -> Images:
    return np.full((224, 224, 3), colour, np.uint8)


def square(picture: Images, box: Box, colour: tuple[int, int, int]) -> Images:
    left, top, right, bottom = (round(224 * edge) for edge in (box[0], box[1], box[0] + box[2], box[1] + box[3]))
    picture[top:bottom, left:right] = colour
    return picture


def pasted(photos: Images) -> Images:
    picture = canvas()
    for number, (x, y, width, height) in PLACES.items():
        rows = np.linspace(0, 223, round(height * 224)).astype(int)
        columns = np.linspace(0, 223, round(width * 224)).astype(int)
        top, left = round(y * 224), round(x * 224)
        part = photos[number][np.ix_(rows, columns)]
        picture[top : top + len(rows), left : left + len(columns)] = part
    return picture


def test_it_finds_photographs_that_lie_on_a_table(encoder: Encoder, photos: Images) -> None:
    picture = pasted(photos)
    boxes = suggest(picture, encoder.encode_locations(picture[np.newaxis])[0])
    assert overlap(boxes[0], max(PLACES.values(), key=lambda place: overlap(boxes[0], place))) > 0.8
    assert all(max(overlap(box, place) for box in boxes) > 0.6 for place in PLACES.values())


def test_boxes_are_neither_small_nor_nearly_all_nor_the_same(encoder: Encoder, photos: Images) -> None:
    for photo, locations in zip(photos, encoder.encode_locations(photos), strict=True):
        boxes = suggest(photo, locations)
        assert all(min(width, height) >= 0.12 and width * height <= 0.8 for _, _, width, height in boxes)
        assert all(x >= 0 and y >= 0 and x + width <= 1 and y + height <= 1 for x, y, width, height in boxes)
        assert all(overlap(box, other) <= 0.5 for number, box in enumerate(boxes) for other in boxes[:number])


def test_the_flower_is_what_to_search_for(encoder: Encoder, photos: Images) -> None:
    x, y, width, height = suggest(photos[4], encoder.encode_locations(photos[4:])[0])[0]
    assert (x + width / 2, y + height / 2) == pytest.approx((0.5, 0.5), abs=0.12)
    assert 0.3 < width < 0.6


def test_what_stands_out_more_comes_first() -> None:
    weak, strong = (0.1, 0.1, 0.3, 0.3), (0.6, 0.6, 0.3, 0.3)
    picture = square(square(canvas(), weak, (160, 120, 90)), strong, (200, 20, 20))
    boxes = suggest(picture, ALIKE)
    assert overlap(boxes[0], strong) > 0.8
    assert overlap(boxes[1], weak) > 0.8


def test_features_tell_a_thing_from_a_stain() -> None:
    left, right = (0.14, 0.3, 0.3, 0.4), (0.56, 0.3, 0.3, 0.4)
    picture = square(square(canvas(), left, (20, 20, 200)), right, (20, 20, 200))
    locations = np.random.default_rng(0).random((1, 1, 32), dtype=np.float32).repeat(7, 0).repeat(7, 1)
    thing = locations.copy()
    thing[2:5, 4:6] = 2 * np.random.default_rng(1).random(32, dtype=np.float32)
    assert overlap(suggest(picture, thing)[0], right) > 0.8
    assert overlap(suggest(picture, thing[:, ::-1])[0], left) > 0.8


def test_no_more_are_given_than_are_asked_for() -> None:
    picture = canvas()
    for x in (0.08, 0.4, 0.72):
        for y in (0.1, 0.6):
            square(picture, (x, y, 0.2, 0.25), (200, 20, 20))
    assert len(suggest(picture, ALIKE)) == 4
    assert len(suggest(picture, ALIKE, most=2)) == 2


@pytest.mark.parametrize("make", [canvas, lambda: np.random.default_rng(0).integers(0, 256, (224, 224, 3), np.uint8)])
def test_a_picture_without_things_has_no_boxes(make: Callable[[], Images], encoder: Encoder) -> None:
    picture = make()
    assert suggest(picture, encoder.encode_locations(picture[np.newaxis])[0]) == []


def test_crumbs_are_no_things() -> None:
    assert suggest(square(canvas(), (0.4, 0.4, 0.07, 0.07), (200, 20, 20)), ALIKE) == []


@pytest.mark.parametrize("size", [(40, 300), (30, 30), (900, 500)])
def test_pictures_of_any_size_are_taken(size: tuple[int, int]) -> None:
    picture = np.full((*size, 3), 230, np.uint8)
    picture[size[0] // 4 : size[0] * 3 // 4, size[1] // 4 : size[1] * 3 // 4] = (200, 20, 20)
    assert overlap(suggest(picture, ALIKE)[0], (0.25, 0.25, 0.5, 0.5)) > 0.7


def test_it_refuses_other_arrays() -> None:
    with pytest.raises(ValueError, match=r"received \(224, 224\) and \(7, 7, 4\)"):
        suggest(canvas()[..., 0], ALIKE)
