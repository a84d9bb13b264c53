"""Whether two pictures are the same one, edited, mirrored or turned, or a part of each other."""

import pytest
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from embeddings.images import RefusedImage
from embeddings.images.parts import correlation, grey, relation
from tests.embeddings.conftest import PHOTOS
from tests.pictures import plain_png, saved

CAT, COFFEE = (Image.open(PHOTOS[n]).convert("RGB").reduce(2) for n in (1, 2))
WIDTH, HEIGHT = COFFEE.size


def related(query: Image.Image, found: Image.Image = COFFEE) -> str | None:
    return relation(grey(saved(query, "JPEG")), grey(saved(found, "JPEG")))


@pytest.mark.parametrize(
    "edited",
    [
        ImageOps.scale(COFFEE, 0.25),
        COFFEE.convert("L"),
        ImageEnhance.Brightness(COFFEE).enhance(0.6),
        COFFEE.filter(ImageFilter.GaussianBlur(2)),
        COFFEE.resize((WIDTH, WIDTH)),
    ],
)
def test_an_edited_picture_is_the_same(edited: Image.Image) -> None:
    assert related(edited) == "same"


@pytest.mark.parametrize("turn", list(Image.Transpose))
def test_a_mirrored_or_turned_picture_is_told(turn: Image.Transpose) -> None:
    assert related(COFFEE.transpose(turn)) == "turned"


@pytest.mark.parametrize("box", [(0.25, 0.25, 0.75, 0.75), (0.0, 0.0, 0.5, 0.5), (0.1, 0.3, 0.8, 0.9)])
def test_a_part_is_found_in_the_whole_and_the_other_way_round(box: tuple[float, float, float, float]) -> None:
    left, top, right, bottom = box
    part = COFFEE.crop((int(left * WIDTH), int(top * HEIGHT), int(right * WIDTH), int(bottom * HEIGHT)))
    assert related(part) == "whole"
    assert related(COFFEE, part) == "part"


def test_other_pictures_and_plain_ones_are_none_of_it() -> None:
    assert related(CAT) is None
    red, blue = (grey(plain_png(64, 48, colour)) for colour in ("red", "blue"))
    assert relation(red, blue) is None
    assert relation(red, red) is None


def test_the_correlation_of_a_picture_with_itself_is_one_and_small_with_a_stranger() -> None:
    coffee, cat = grey(saved(COFFEE, "PNG")), grey(saved(CAT, "PNG"))
    assert correlation(coffee, coffee) == pytest.approx(1, abs=1e-3)
    assert correlation(cat, coffee) < 0.7


@pytest.mark.parametrize("size", [(400, 3), (3, 400), (1, 1)])
def test_narrow_pictures_do_no_harm(size: tuple[int, int]) -> None:
    narrow = Image.linear_gradient("L").resize(size)
    assert related(narrow) is None
    assert related(COFFEE, narrow) is None


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(RefusedImage, match="not a picture"):
        grey(b"nothing of the kind")
