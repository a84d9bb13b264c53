"""What networks take of a picture: the whole of it, or a part, squashed to a small square."""

from typing import Final

from PIL import Image

from embeddings.images.refusals import RefusedImage

# Pillow widens the filter when it shrinks, so that nothing is aliased.
FILTER: Final = Image.Resampling.BILINEAR
# Decode to no less than this many times the input's size, so that `draft` and `reduce` stay invisible in the result.
MARGIN: Final = 2
LARGEST_EDGE: Final = 100_000  # no picture is decoded larger, however small the crop

# x, y, width, height as fractions of the upright picture.
Crop = tuple[float, float, float, float]


def edge_for(size: int, crop: Crop | None = None) -> int:
    """Return to which edge a picture is to be decoded, for the input of a network.

    Raises RefusedImage with code "crop" if the crop is not inside the picture.
    """
    width, height = checked(crop)[2:] if crop else (1.0, 1.0)
    return round(min(MARGIN * size / min(width, height), LARGEST_EDGE))


def region(picture: Image.Image, crop: Crop | None) -> Image.Image:
    """Return the part of a picture that a crop names; all of it without one."""
    return picture.crop(crop_box(picture.size, crop)) if crop else picture


def squashed(picture: Image.Image, size: int) -> Image.Image:
    """Return a picture as a square of that edge."""
    return picture.resize((size, size), FILTER)


def crop_box(size: tuple[int, int], crop: Crop) -> tuple[int, int, int, int]:
    """Return left, top, right, bottom of a crop in pixels of a picture of `size`, at least one of them.

    Raises RefusedImage with code "crop" if the crop is not inside the picture.
    """
    x, y, crop_width, crop_height = checked(crop)
    width, height = size
    left, top = min(int(x * width), width - 1), min(int(y * height), height - 1)
    right, bottom = round((x + crop_width) * width), round((y + crop_height) * height)
    return left, top, max(left + 1, right), max(top + 1, bottom)


def checked(crop: Crop) -> Crop:
    """Return a crop that is inside the picture. Raises RefusedImage with code "crop" for another one."""
    x, y, width, height = crop
    inside = x >= 0 and y >= 0 and width > 0 and height > 0 and x + width <= 1 + 1e-6 and y + height <= 1 + 1e-6
    if not inside:  # nan is outside as well
        raise RefusedImage(
            "crop", f"The crop must be x, y, width, height as fractions inside the picture, from 0 to 1; got {crop}."
        )
    return crop
