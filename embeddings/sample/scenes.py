"""Drawings of things in a landscape, or above one: boats, houses, trees, hills, a city, balloons, planets."""

import math

from embeddings.sample.canvas import Canvas, Colour, Point, colour, mixed, petal, placed

WHITE: Colour = (255, 255, 255)
BLACK: Colour = (0, 0, 0)


def sailing_boat(canvas: Canvas) -> None:
    """Draw a boat with two sails on the sea, under a sky of any hour."""
    _day(canvas)
    horizon = canvas.between(0.55, 0.68)
    sea = colour(canvas.between(0.5, 0.6), 0.65, canvas.between(0.5, 0.75))
    for band in range(7):
        level = horizon + band * 0.07
        shade = mixed(sea, BLACK, band * 0.055)
        canvas.polygon([*_wave(canvas, level, 0.004 + band * 0.002), (1.01, 1.01), (-0.01, 1.01)], shade)
    size, at = canvas.between(0.75, 1.1), (canvas.between(0.38, 0.62), horizon + canvas.between(0.06, 0.14))
    lean, side = canvas.between(-0.12, 0.12), canvas.random.choice([-1, 1])
    sail, jib, hull = (colour(canvas.between(0, 1), *tone) for tone in ((0.12, 0.99), (0.65, 0.92), (0.7, 0.55)))

    def shape(points: list[Point], fill: Colour) -> None:
        canvas.polygon(placed([(x * side, y) for x, y in points], at, size, lean), fill)

    shape([(-0.01, 0), (0.01, 0), (0.005, -0.48), (-0.005, -0.48)], (90, 62, 44))
    shape([(0.02, -0.46), (0.06, -0.28), (0.24, -0.05), (0.02, -0.05)], sail)
    shape([(0.02, -0.05), (0.02, -0.16), (0.18, -0.12), (0.24, -0.05)], mixed(sail, BLACK, 0.1))
    shape([(-0.02, -0.42), (-0.08, -0.2), (-0.19, -0.04), (-0.02, -0.06)], jib)
    shape([(-0.24, -0.02), (0.27, -0.02), (0.19, 0.09), (-0.17, 0.09)], hull)
    shape([(-0.24, -0.02), (0.27, -0.02), (0.257, 0.0), (-0.228, 0.0)], mixed(hull, WHITE, 0.7))
    canvas.polygon([*_wave(canvas, at[1] + 0.07 * size, 0.008), (1.01, 1.01), (-0.01, 1.01)], mixed(sea, BLACK, 0.2))
    for _ in range(9):
        x, y = canvas.between(0, 0.9), canvas.between(at[1] + 0.1, 0.98)
        canvas.line([(x, y), (x + canvas.between(0.03, 0.09), y)], mixed(sea, WHITE, 0.25), 0.006)


def house(canvas: Canvas) -> None:
    """Draw a house with a pitched roof, a door, windows and a chimney on a meadow."""
    _day(canvas)
    canvas.hills(canvas.between(0.62, 0.7), 0.02, colour(canvas.between(0.22, 0.33), 0.5, 0.72))
    canvas.hills(canvas.between(0.76, 0.8), 0.012, colour(canvas.between(0.22, 0.33), 0.6, 0.6))
    wall = colour(canvas.between(0, 1), canvas.between(0.12, 0.4), 0.95)
    roof = colour(canvas.random.choice([0.0, 0.03, 0.06, 0.6, 0.9]), 0.62, canvas.between(0.5, 0.7))
    half, left = canvas.between(0.17, 0.26), canvas.between(0.36, 0.64)
    top, ground = canvas.between(0.46, 0.54), 0.82
    peak = top - canvas.between(0.14, 0.22)
    chimney = left + half * canvas.random.choice([-0.6, 0.6])
    canvas.box(chimney - 0.03, peak + 0.0, chimney + 0.03, top, mixed(roof, BLACK, 0.25))
    for puff in range(3):
        canvas.disc((chimney + 0.03 * puff, peak - 0.05 - 0.05 * puff), 0.024 + 0.009 * puff, (240, 240, 242))
    canvas.box(left - half, top, left + half, ground, wall)
    canvas.box(left - half, top, left + half, top + 0.02, mixed(wall, BLACK, 0.15))
    canvas.polygon([(left - half - 0.05, top), (left, peak), (left + half + 0.05, top)], roof)
    canvas.box(left - 0.05, ground - 0.19, left + 0.05, ground, mixed(roof, BLACK, 0.3), 0.012)
    canvas.disc((left + 0.03, ground - 0.09), 0.007, (250, 220, 120))
    for x in (left - half * 0.62, left + half * 0.62):
        _window(canvas, x, (top + ground) / 2 - 0.03, min(0.06, half * 0.25))
    _bushes(canvas, ground)


def tree(canvas: Canvas) -> None:
    """Draw one tree, round or pointed, in any season."""
    _day(canvas)
    canvas.hills(canvas.between(0.7, 0.8), 0.02, colour(canvas.between(0.18, 0.34), 0.5, 0.68))
    x, foot, top = canvas.between(0.4, 0.6), canvas.between(0.86, 0.92), canvas.between(0.2, 0.3)
    bark = colour(0.07, 0.5, canvas.between(0.35, 0.5))
    leaves = colour(canvas.random.choice([0.25, 0.3, 0.36, 0.12, 0.07, 0.02, 0.93]), 0.62, canvas.between(0.55, 0.8))
    canvas.disc((x + 0.03, foot), 0.2, mixed(colour(0.28, 0.5, 0.5), BLACK, 0.15), height=0.025)
    canvas.polygon([(x - 0.045, foot), (x + 0.045, foot), (x + 0.02, 0.45), (x - 0.02, 0.45)], bark)
    if canvas.random.random() < 0.35:
        for tier in range(4):
            level, half = top + tier * 0.13, 0.12 + tier * 0.05
            shade = mixed(leaves, BLACK, 0.3 - tier * 0.08)
            canvas.polygon([(x, level - 0.1), (x - half, level + 0.14), (x + half, level + 0.14)], shade)
        return
    crown = canvas.between(0.17, 0.22)
    for depth in range(45):  # from the dark rim to the light middle, each bunch of leaves a golden angle further
        angle, reach = depth * 2.4 + canvas.between(-0.3, 0.3), crown * (1 - depth / 60) * canvas.between(0.6, 1.0)
        at = (
            x - depth * 0.0012 + reach * math.cos(angle),
            top + 0.15 - depth * 0.0015 + reach * math.sin(angle) * 0.85,
        )
        shade = mixed(mixed(leaves, BLACK, 0.26), mixed(leaves, WHITE, 0.2), depth / 44)
        canvas.disc(at, canvas.between(0.055, 0.085) - depth * 0.0006, shade)


def sun_over_hills(canvas: Canvas) -> None:
    """Draw a low sun behind three to five ranges of hills."""
    hue = canvas.random.choice([0.0, 0.03, 0.07, 0.11, 0.9, 0.8, 0.58])
    canvas.sky(colour(hue + canvas.between(0.5, 0.65), 0.4, 0.75), colour(hue, 0.4, 0.99))
    at, radius = (canvas.between(0.2, 0.8), canvas.between(0.28, 0.46)), canvas.between(0.07, 0.14)
    canvas.glow(at, radius * 2.4, (255, 240, 200))
    canvas.disc(at, radius, colour(canvas.between(0.05, 0.14), canvas.between(0.15, 0.5), 1.0))
    n_ranges, hill = canvas.random.randint(3, 5), canvas.between(0, 1)
    for number in range(n_ranges):
        share = (number + 1) / n_ranges
        fill = mixed(colour(hue, 0.3, 0.9), colour(hill, 0.6, 0.22), share)
        canvas.hills(0.5 + 0.38 * number / n_ranges, 0.035, fill)


def city_at_night(canvas: Canvas) -> None:
    """Draw two rows of towers with lit windows before a dusky sky."""
    hue = canvas.between(0.58, 0.95)
    canvas.sky(colour(hue, 0.75, 0.22), colour(hue + canvas.between(0.05, 0.2), 0.5, canvas.between(0.5, 0.85)))
    for _ in range(30):
        canvas.disc((canvas.between(0, 1), canvas.between(0, 0.4)), canvas.between(0.0015, 0.004), (255, 250, 235))
    moon = (canvas.between(0.12, 0.88), canvas.between(0.1, 0.24))
    canvas.glow(moon, 0.12, (250, 240, 220), 0.4)
    canvas.disc(moon, canvas.between(0.03, 0.06), (252, 246, 226))
    for row, (low, high) in enumerate(((0.35, 0.6), (0.5, 0.78))):
        wall, x = colour(hue, 0.5, 0.34 - row * 0.18), -0.02
        while x < 1:
            width = canvas.between(0.07, 0.15)
            _tower(canvas, x, width, canvas.between(low, high), wall)
            x += width + canvas.between(-0.005, 0.015)


def balloon(canvas: Canvas) -> None:
    """Draw one hot-air balloon with coloured gores, and perhaps another one far away."""
    _day(canvas)
    canvas.hills(canvas.between(0.84, 0.92), 0.02, colour(canvas.between(0.22, 0.4), 0.4, 0.65))
    if canvas.random.random() < 0.6:
        _balloon(canvas, (canvas.between(0.12, 0.85), canvas.between(0.15, 0.4)), canvas.between(0.2, 0.32))
    _balloon(canvas, (canvas.between(0.4, 0.6), canvas.between(0.36, 0.44)), canvas.between(0.85, 1.15))


def planet(canvas: Canvas) -> None:
    """Draw a banded planet among stars, with a ring or a moon."""
    canvas.sky(colour(canvas.between(0.6, 0.85), 0.7, 0.16), colour(canvas.between(0.6, 0.85), 0.8, 0.06))
    for _ in range(90):
        canvas.disc((canvas.between(0, 1), canvas.between(0, 1)), canvas.between(0.001, 0.0045), (255, 252, 240))
    at, radius = (canvas.between(0.42, 0.58), canvas.between(0.42, 0.58)), canvas.between(0.19, 0.27)
    hue, tilt = canvas.between(0, 1), canvas.between(-0.5, 0.5)
    ground = colour(hue, 0.55, 0.9)
    has_ring, ring = canvas.random.random() < 0.65, colour(hue + 0.1, 0.25, 0.92)
    canvas.glow(at, radius * 1.5, ground, 0.45)
    if has_ring:
        canvas.line(_arc(at, radius, tilt, math.pi, math.tau), mixed(ring, BLACK, 0.35), 0.022)
    _globe(canvas, at, radius, tilt, ground)
    if has_ring:
        canvas.line(_arc(at, radius, tilt, 0, math.pi), ring, 0.026)
    else:
        moon = placed([(radius * 1.6, 0)], at, 1.0, canvas.between(0, math.tau))[0]
        canvas.disc(moon, radius * 0.2, colour(hue + 0.5, 0.2, 0.85))


def _day(canvas: Canvas) -> None:
    """Fill the sky with an hour of the day, with clouds and perhaps a sun."""
    hue, depth = canvas.random.choice([0.55, 0.58, 0.6, 0.52, 0.08, 0.95, 0.75]), canvas.between(0.25, 0.5)
    canvas.sky(colour(hue, depth, 0.93), colour(hue + 0.03, depth * 0.25, 0.99))
    if canvas.random.random() < 0.5:
        sun = (canvas.random.choice([canvas.between(0.1, 0.25), canvas.between(0.75, 0.9)]), canvas.between(0.1, 0.22))
        canvas.glow(sun, 0.15, (255, 245, 205))
        canvas.disc(sun, 0.055, (255, 225, 130))
    for _ in range(canvas.random.randint(0, 3)):
        x, y, size = canvas.between(0, 1), canvas.between(0.08, 0.35), canvas.between(0.5, 1)
        for dx, dy, radius in ((-0.07, 0.012, 0.035), (0, 0, 0.055), (0.06, 0.008, 0.042), (0.11, 0.02, 0.025)):
            canvas.disc((x + dx * size, y + dy * size), radius * size, (250, 251, 253), height=radius * size * 0.75)


def _wave(canvas: Canvas, level: float, height: float) -> list[Point]:
    shift, length = canvas.between(0, math.tau), canvas.between(25, 45)
    return [(x / 100, level + height * math.sin(x / 100 * length + shift)) for x in range(-1, 102)]


def _window(canvas: Canvas, x: float, y: float, half: float) -> None:
    canvas.box(x - half - 0.01, y - half - 0.01, x + half + 0.01, y + half + 0.01, (252, 250, 245), 0.008)
    canvas.box(x - half, y - half, x + half, y + half, canvas.random.choice([(160, 205, 230), (255, 226, 150)]))
    canvas.line([(x, y - half), (x, y + half)], (252, 250, 245), 0.01)
    canvas.line([(x - half, y), (x + half, y)], (252, 250, 245), 0.01)


def _bushes(canvas: Canvas, ground: float) -> None:
    for _ in range(canvas.random.randint(2, 5)):
        x, green = canvas.random.choice([canvas.between(0, 0.15), canvas.between(0.85, 1)]), canvas.between(0.25, 0.4)
        canvas.disc((x, ground), canvas.between(0.05, 0.09), colour(green, 0.55, canvas.between(0.4, 0.6)))


def _tower(canvas: Canvas, x: float, width: float, top: float, wall: Colour) -> None:
    canvas.box(x, top, x + width, 1.01, wall)
    if canvas.random.random() < 0.3:
        canvas.line([(x + width / 2, top), (x + width / 2, top - 0.07)], wall, 0.007)
    n_columns = max(2, round(width / 0.032))
    for row in range(int((1 - top) / 0.04)):
        for column in range(n_columns):
            if canvas.random.random() < 0.5:
                left, upper = x + width * (column + 0.28) / n_columns, top + 0.02 + row * 0.04
                lit = canvas.random.choice([(255, 214, 120), (255, 236, 180), (255, 190, 90)])
                canvas.box(left, upper, left + width * 0.45 / n_columns, upper + 0.02, lit)


def _balloon(canvas: Canvas, at: Point, size: float) -> None:
    tones = [colour(canvas.between(0, 1), 0.7, 0.92), colour(canvas.between(0, 1), 0.25, 0.99)]
    for side in (-0.1, 0.1):
        canvas.line(placed([(side, 0.2), (side * 0.45, 0.37)], at, size), (110, 84, 60), 0.005)
    n_gores = canvas.random.choice([7, 9, 11])
    n_rings = (n_gores + 1) // 2
    for ring in range(n_rings):  # the gores lie on one another, each narrower, so that the last is the middle one
        width = math.sin((1 - ring / n_rings) * math.pi / 2)
        fill = mixed(tones[ring % 2], BLACK, 0.16 * (1 - ring / n_rings))
        canvas.polygon(placed(_envelope(width), at, size), fill)
    x, y = placed([(0, 0.41)], at, size)[0]
    canvas.box(x - 0.05 * size, y - 0.035 * size, x + 0.05 * size, y + 0.035 * size, (150, 100, 60), 0.012 * size)


def _envelope(width: float) -> list[Point]:
    """Return the outline of a balloon, or of its inner part of a share of the width."""
    right = []
    for step in range(41):
        angle = math.pi * step / 40
        narrowing = 1 if angle < math.pi / 2 else 1 - 0.55 * ((angle - math.pi / 2) / (math.pi / 2)) ** 2
        reach = math.sin(angle) * narrowing + (0.1 if step > 36 else 0) * (step - 36) / 4
        right.append((0.27 * width * reach, -0.28 * math.cos(angle) * (1 if angle < math.pi / 2 else 0.9)))
    return right + [(-x, y) for x, y in reversed(right)]


def _arc(at: Point, radius: float, tilt: float, start: float, end: float) -> list[Point]:
    angles = [start + (end - start) * step / 60 for step in range(61)]
    return placed([(1.75 * math.cos(angle), 0.42 * math.sin(angle)) for angle in angles], at, radius, tilt)


def _globe(canvas: Canvas, at: Point, radius: float, tilt: float, ground: Colour) -> None:
    """Draw a ball with bands round its axis and a shadow on one side."""
    canvas.disc(at, radius, ground)
    n_bands = canvas.random.randint(3, 6)
    for band in range(n_bands):
        middle = -0.85 + 1.7 * (band + canvas.between(0.2, 0.8)) / n_bands
        half = math.sqrt(1 - middle**2) * 0.99
        fill = mixed(ground, canvas.random.choice([WHITE, BLACK]), canvas.between(0.12, 0.35))
        shape = [(x - half, y) for x, y in petal(2 * half, canvas.between(0.1, 0.26))]
        canvas.polygon(placed([(x, y + middle) for x, y in shape], at, radius, tilt), fill)
    dark = mixed(ground, BLACK, 0.45)
    rim = [(math.cos(step / 20 * math.pi), math.sin(step / 20 * math.pi)) for step in range(21)]
    inner = [(x, y * 0.62) for x, y in reversed(rim)]
    canvas.polygon(placed(rim + inner, at, radius * 1.003, tilt), dark)
