"""A square to draw on, in coordinates from 0 to 1, drawn larger than its result so that the edges come out smooth."""

import colorsys
import math
import random
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

EDGE = 320
_FINE = 3  # pixels drawn for one pixel of the result, in each direction

Colour = tuple[int, int, int]
Point = tuple[float, float]


def colour(hue: float, saturation: float, value: float) -> Colour:
    """Return RGB from hue, saturation and value, each 0 to 1; the hue wraps round."""
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, min(1.0, max(0.0, saturation)), min(1.0, max(0.0, value)))
    return round(red * 255), round(green * 255), round(blue * 255)


def mixed(a: Colour, b: Colour, share: float) -> Colour:
    """Return the colour that is `share` of the way from a to b."""
    red, green, blue = (round(one + (other - one) * share) for one, other in zip(a, b, strict=True))
    return red, green, blue


def placed(points: Sequence[Point], at: Point, size: float = 1.0, angle: float = 0.0) -> list[Point]:
    """Return points turned by `angle` (radians, clockwise), scaled and moved, so that their (0, 0) lies `at`."""
    cosine, sine = math.cos(angle) * size, math.sin(angle) * size
    return [(at[0] + x * cosine - y * sine, at[1] + x * sine + y * cosine) for x, y in points]


def petal(length: float, width: float, steps: int = 24) -> list[Point]:
    """Return a petal that starts in (0, 0), points to the right and is broadest in its middle."""
    upper = [(length * step / steps, -width / 2 * math.sin(math.pi * step / steps)) for step in range(steps + 1)]
    return upper + [(x, -y) for x, y in reversed(upper)]


class Canvas:
    """A picture in the making, with the random numbers that decide on it."""

    def __init__(self, seed: str) -> None:
        self.random = random.Random(seed)  # noqa: S311 -- decides on shapes and colours
        self._image = Image.new("RGB", (EDGE * _FINE, EDGE * _FINE))
        self._draw = ImageDraw.Draw(self._image)

    def between(self, low: float, high: float) -> float:
        return self.random.uniform(low, high)

    def sky(self, top: Colour, bottom: Colour) -> None:
        """Fill the whole with a gradient from top to bottom."""
        share = np.linspace(0, 1, self._image.height)[:, None, None]
        rows = np.array(top) * (1 - share) + np.array(bottom) * share
        self._image.paste(Image.fromarray(rows.round().astype(np.uint8)).resize(self._image.size))

    def disc(self, at: Point, radius: float, fill: Colour, *, height: float | None = None) -> None:
        """Draw a filled circle, or an ellipse of another half height."""
        (x, y), ry = at, height if height is not None else radius
        self._draw.ellipse(self._pixels([(x - radius, y - ry), (x + radius, y + ry)]), fill=fill)

    def ring(self, at: Point, radius: float, line: Colour, width: float) -> None:
        x, y = at
        box = self._pixels([(x - radius, y - radius), (x + radius, y + radius)])
        self._draw.ellipse(box, outline=line, width=self._width(width))

    def polygon(self, points: Sequence[Point], fill: Colour) -> None:
        self._draw.polygon(self._pixels(points), fill=fill)

    def box(self, left: float, top: float, right: float, bottom: float, fill: Colour, radius: float = 0.0) -> None:
        corners = self._pixels([(left, top), (right, bottom)])
        self._draw.rounded_rectangle(corners, radius=radius * self._image.width, fill=fill)

    def line(self, points: Sequence[Point], fill: Colour, width: float) -> None:
        """Draw a line with round joints and round ends."""
        pixels = self._pixels(points)
        self._draw.line(pixels, fill=fill, width=self._width(width), joint="curve")
        for x, y in (points[0], points[-1]):
            self.disc((x, y), width / 2, fill)

    def glow(self, at: Point, radius: float, fill: Colour, strength: float = 0.7) -> None:
        """Lay a soft light round a point."""
        mask = Image.new("L", (EDGE, EDGE))
        (x, y), reach = at, radius * EDGE
        box = (x * EDGE - reach, y * EDGE - reach, x * EDGE + reach, y * EDGE + reach)
        ImageDraw.Draw(mask).ellipse(box, fill=round(255 * strength))
        mask = mask.filter(ImageFilter.BoxBlur(reach / 3)).filter(ImageFilter.BoxBlur(reach / 3))
        self._image.paste(fill, mask=mask.resize(self._image.size, Image.Resampling.BILINEAR))

    def hills(self, level: float, roughness: float, fill: Colour) -> None:
        """Fill everything below a wavy line round `level`."""
        waves = [(self.between(1, 3.5) * math.tau, self.between(0, math.tau), self.between(0.3, 1)) for _ in range(3)]
        heights = [
            (
                x / 60,
                level + roughness * sum(share * math.sin(x / 60 * length + shift) for length, shift, share in waves),
            )
            for x in range(61)
        ]
        self.polygon([*heights, (1.01, 1.01), (-0.01, 1.01)], fill)

    def finished(self) -> Image.Image:
        """Return the picture at its final size."""
        return self._image.reduce(_FINE)

    def _pixels(self, points: Sequence[Point]) -> list[Point]:
        return [(x * self._image.width, y * self._image.height) for x, y in points]

    def _width(self, width: float) -> int:
        return max(1, round(width * self._image.width))
