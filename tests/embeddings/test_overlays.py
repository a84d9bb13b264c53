"""Tests of the pictures that show which places count."""

from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from embeddings.images import RefusedImage, heated
from tests.pictures import jpeg_bytes, plain_png, rotated_jpeg

HOT_LEFT = np.array([[1, 1, 0, 0]] * 4, np.float32)
HOT = np.ones((7, 7), np.float32)
COLD = np.zeros((7, 7), np.float32)


def pixels(content: bytes) -> NDArray[np.float32]:
    picture = Image.open(BytesIO(content))
    assert picture.format == "JPEG"
    return np.asarray(picture, np.float32)


def colourfulness(part: NDArray[np.float32]) -> float:
    return float((part.max(axis=2) - part.min(axis=2)).mean())


def test_what_is_hot_keeps_its_colour_and_the_rest_is_dim_and_grey() -> None:
    shown = pixels(heated(plain_png(200, 100, (200, 60, 60)), HOT_LEFT))
    left, right = shown[:, :100], shown[:, -100:]
    assert colourfulness(left) > 90
    assert colourfulness(right) < 6
    assert left.mean() > 1.5 * right.mean()


def test_heat_fades_without_steps() -> None:
    row = pixels(heated(plain_png(400, 100, (220, 220, 220)), HOT_LEFT))[60].mean(axis=1)
    assert np.abs(np.diff(row)).max() < 6
    assert row[0] - row[-1] > 80


@pytest.mark.parametrize(("size", "expected"), [((1200, 800), (480, 320)), ((32, 64), (240, 480))])
def test_the_long_edge_is_the_one_that_is_asked_for(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert pixels(heated(jpeg_bytes(*size), HOT)).shape == (expected[1], expected[0], 3)
    assert max(pixels(heated(jpeg_bytes(*size), HOT, long_edge=200)).shape) == 200


def test_the_picture_stands_upright_and_has_no_metadata() -> None:
    content = heated(rotated_jpeg(6, 400, 300), HOT)
    assert pixels(content).shape == (480, 360, 3)
    assert not Image.open(BytesIO(content)).getexif()


def test_points_are_numbered_where_they_are() -> None:
    plain = plain_png(480, 480, (90, 160, 90))
    without = pixels(heated(plain, HOT))
    changed = np.abs(pixels(heated(plain, HOT, [(0.25, 0.75)])) - without).sum(axis=2) > 60
    rows, columns = np.nonzero(changed)
    assert (columns.mean(), rows.mean()) == pytest.approx((120, 360), abs=2)
    assert 20 < np.ptp(rows) < 40
    one, two = (pixels(heated(plain, HOT, points)) for points in ([(0.25, 0.75)], [(0.75, 0.25), (0.25, 0.75)]))
    number = (slice(350, 371), slice(112, 129))
    assert np.abs(one[number] - two[number]).max() > 100


def test_a_point_in_the_corner_is_whole() -> None:
    plain = plain_png(480, 480, (90, 160, 90))
    changed = np.abs(pixels(heated(plain, HOT, [(0, 0)])) - pixels(heated(plain, HOT))).sum(axis=2) > 60
    middle = pixels(heated(plain, HOT, [(0.5, 0.5)]))
    whole = np.abs(middle - pixels(heated(plain, HOT))).sum(axis=2) > 60
    assert changed.sum() == pytest.approx(whole.sum(), rel=0.1)


def test_outside_the_crop_it_is_darker_than_the_coldest_inside() -> None:
    shown = pixels(heated(plain_png(400, 400, "white"), COLD, crop=(0.5, 0.25, 0.5, 0.5), long_edge=400))
    assert shown[200, 300].mean() > 1.5 * shown[200, 100].mean()
    assert shown[50, 300].mean() == pytest.approx(shown[200, 100].mean(), abs=3)


def test_heat_and_points_lie_in_the_crop() -> None:
    plain = plain_png(400, 400, (200, 60, 60))
    crop = (0.5, 0.5, 0.5, 0.5)
    shown = pixels(heated(plain, HOT_LEFT, crop=crop, long_edge=400))
    assert colourfulness(shown[210:, 210:240]) > 90
    assert colourfulness(shown[210:, 370:]) < 10
    changed = np.abs(pixels(heated(plain, HOT_LEFT, [(0.5, 0.5)], crop=crop, long_edge=400)) - shown).sum(axis=2) > 60
    rows, columns = np.nonzero(changed)
    assert (columns.mean(), rows.mean()) == pytest.approx((300, 300), abs=2)


def test_a_crop_outside_the_picture_is_refused() -> None:
    with pytest.raises(RefusedImage, match="as fractions inside the picture"):
        heated(plain_png(40, 40), HOT, crop=(0.5, 0.5, 0.6, 0.5))


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(RefusedImage):
        heated(b"no picture", HOT)


def test_heat_of_other_axes_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected heat of shape \(rows, columns\), received \(7, 7, 1\)"):
        heated(plain_png(40, 40), HOT[..., np.newaxis])
