"""Whether two pictures are the same one, edited, mirrored or turned, or a part of each other."""

import pytest
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from embeddings.images import RefusedImage
from embeddings.images.parts import correlation, grey, relation
from tests.embeddings.conftest import PHOTOS
from tests.pictures import plain_png, saved

ASTRONAUT, CAT = (Image.open(PHOTOS[n]).convert("RGB").reduce(2) for n in (0, 1))
WIDTH, HEIGHT = ASTRONAUT.size


def related(query: Image.Image, found: Image.Image = ASTRONAUT) -> str | None:
    return relation(grey(saved(query, "JPEG")), grey(saved(found, "JPEG")))


@pytest.mark.parametrize(
    "edited",
    [
        ImageOps.scale(ASTRONAUT, 0.25),
        ASTRONAUT.convert("L"),
        ImageEnhance.Brightness(ASTRONAUT).enhance(0.6),
        ASTRONAUT.filter(ImageFilter.GaussianBlur(2)),
        ASTRONAUT.resize((WIDTH, HEIGHT // 2)),
    ],
)
def test_an_edited_picture_is_the_same(edited: Image.Image) -> None:
    assert related(edited) == "same"


@pytest.mark.parametrize("turn", list(Image.Transpose))
def test_a_mirrored_or_turned_picture_is_told(turn: Image.Transpose) -> None:
    assert related(ASTRONAUT.transpose(turn)) == "turned"


@pytest.mark.parametrize("box", [(0.25, 0.25, 0.75, 0.75), (0.0, 0.0, 0.5, 0.5), (0.1, 0.3, 0.8, 0.9)])
def test_a_part_is_found_in_the_whole_and_the_other_way_round(box: tuple[float, float, float, float]) -> None:
    left, top, right, bottom = box
    part = ASTRONAUT.crop((int(left * WIDTH), int(top * HEIGHT), int(right * WIDTH), int(bottom * HEIGHT)))
    assert related(part) == "whole"
    assert related(ASTRONAUT, part) == "part"


def test_other_pictures_and_plain_ones_are_none_of_it() -> None:
    assert related(CAT) is None
    red, blue = (grey(plain_png(64, 48, colour)) for colour in ("red", "blue"))
    assert relation(red, blue) is None
    assert relation(red, red) is None


def test_the_correlation_of_a_picture_with_itself_is_one_and_small_with_a_stranger() -> None:
    astronaut, cat = grey(saved(ASTRONAUT, "PNG")), grey(saved(CAT, "PNG"))
    assert correlation(astronaut, astronaut) == pytest.approx(1, abs=1e-3)
    assert correlation(cat, astronaut) < 0.7


@pytest.mark.parametrize("size", [(400, 3), (3, 400), (1, 1)])
def test_narrow_pictures_do_no_harm(size: tuple[int, int]) -> None:
    narrow = Image.linear_gradient("L").resize(size)
    assert related(narrow) is None
    assert related(ASTRONAUT, narrow) is None


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(RefusedImage, match="not a picture"):
        grey(b"nothing of the kind")
