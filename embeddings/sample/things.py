"""Drawings of one thing on a plain or soft ground: fish, flowers, mushrooms, faces, leaves, butterflies."""

import math

from embeddings.sample.canvas import Canvas, Colour, Point, colour, mixed, petal, placed

WHITE: Colour = (255, 255, 255)
BLACK: Colour = (0, 0, 0)


def fish(canvas: Canvas) -> None:
    """Draw a fish with fins and stripes among bubbles."""
    water = canvas.between(0.47, 0.62)
    canvas.sky(colour(water, 0.45, 0.9), colour(water + 0.03, 0.75, 0.5))
    for _ in range(4):
        _weed(canvas, canvas.between(0, 1), colour(canvas.between(0.3, 0.45), 0.55, 0.5))
    at, size = (canvas.between(0.42, 0.58), canvas.between(0.38, 0.6)), canvas.between(0.75, 1.1)
    side, tilt = canvas.random.choice([-1, 1]), canvas.between(-0.25, 0.25)
    hue = canvas.random.choice([0.02, 0.07, 0.12, 0.16, 0.85, 0.95, 0.75])
    body, fin = colour(hue, 0.75, 0.97), colour(hue + canvas.between(-0.08, 0.08), 0.8, 0.8)

    def shape(points: list[Point], fill: Colour) -> None:
        canvas.polygon(placed([(x * side, y) for x, y in points], at, size, tilt), fill)

    shape([(-0.22, 0), (-0.4, -0.15), (-0.35, 0), (-0.4, 0.15)], fin)
    shape([(-0.1, -0.1), (-0.02, -0.24), (0.12, -0.19), (0.14, -0.08)], fin)
    shape([(-0.05, 0.1), (-0.1, 0.21), (0.04, 0.18), (0.08, 0.09)], fin)
    shape([(x - 0.29, y) for x, y in petal(0.62, canvas.between(0.26, 0.36))], body)
    for stripe in range(canvas.random.randint(0, 4)):
        x = 0.08 - stripe * 0.09
        high = 0.14 * math.sin(math.pi * (x + 0.29) / 0.62)
        shape([(x, -high), (x + 0.035, -high), (x + 0.02, 0), (x + 0.035, high), (x, high), (x - 0.015, 0)], WHITE)
    shape([(-0.02, 0.0), (-0.12, -0.045), (-0.11, 0.05)], mixed(fin, BLACK, 0.1))
    eye = placed([(0.2 * side, -0.03)], at, size, tilt)[0]
    canvas.disc(eye, 0.033 * size, WHITE)
    canvas.disc((eye[0] + 0.006 * side, eye[1]), 0.018 * size, (25, 25, 35))
    for _ in range(8):
        bubble = (canvas.between(0.05, 0.95), canvas.between(0.05, 0.6))
        canvas.ring(bubble, canvas.between(0.01, 0.026), mixed(colour(water, 0.4, 0.9), WHITE, 0.6), 0.005)


def flower(canvas: Canvas) -> None:
    """Draw a flower from above with one or two rings of petals, its stem and two leaves."""
    _ground(canvas)
    at, size = (canvas.between(0.42, 0.58), canvas.between(0.34, 0.46)), canvas.between(0.8, 1.1)
    green, foot = colour(canvas.between(0.25, 0.4), 0.6, 0.55), (at[0] + canvas.between(-0.1, 0.1), 1.02)
    canvas.line([at, ((at[0] + foot[0]) / 2 + 0.03, 0.7), foot], green, 0.022)
    for side in (-1, 1):
        canvas.polygon(placed(petal(0.24, 0.1), ((at[0] + foot[0]) / 2 + 0.02, 0.84), 1.0, -1.57 + side * 0.9), green)
    n_petals, hue = (
        canvas.random.choice([5, 6, 8, 10, 13]),
        canvas.random.choice([0.0, 0.05, 0.13, 0.6, 0.75, 0.85, 0.93]),
    )
    outer, start = colour(hue, canvas.between(0.35, 0.75), 0.97), canvas.between(0, math.tau)
    for ring, (reach, shade) in enumerate(((0.3, 0.16), (0.29, 0.0), (0.19, -0.12))):
        for number in range(n_petals):
            angle = start + (number + ring / 2) * math.tau / n_petals
            fill = mixed(outer, BLACK if shade > 0 else WHITE, abs(shade))
            canvas.polygon(placed(petal(reach, 1.5 * reach / n_petals**0.62), at, size, angle), fill)
    heart = colour(canvas.random.choice([0.12, 0.1, 0.05, 0.15]), 0.75, canvas.between(0.6, 0.98))
    canvas.disc(at, 0.075 * size, mixed(heart, BLACK, 0.2))
    canvas.disc((at[0] - 0.004, at[1] - 0.004), 0.064 * size, heart)
    for _ in range(22):
        dot = placed([(canvas.between(0, 0.055), 0)], at, size, canvas.between(0, math.tau))[0]
        canvas.disc(dot, 0.005, mixed(heart, BLACK, 0.35))


def mushroom(canvas: Canvas) -> None:
    """Draw one big mushroom with a dotted cap, and perhaps small ones beside it."""
    _ground(canvas)
    canvas.hills(canvas.between(0.8, 0.86), 0.012, colour(canvas.between(0.2, 0.38), 0.5, canvas.between(0.4, 0.6)))
    cap = colour(canvas.random.choice([0.0, 0.01, 0.04, 0.08, 0.11, 0.75, 0.93]), 0.75, canvas.between(0.65, 0.88))
    for _ in range(canvas.random.randint(0, 2)):
        x = canvas.random.choice([canvas.between(0.1, 0.25), canvas.between(0.75, 0.9)])
        _mushroom(canvas, (x, 0.87), canvas.between(0.3, 0.5), cap)
    _mushroom(canvas, (canvas.between(0.42, 0.58), 0.9), canvas.between(0.85, 1.15), cap)
    for _ in range(26):
        x, y = canvas.between(0, 1), canvas.between(0.88, 1)
        blade = [(x, y), (x + canvas.between(-0.02, 0.02), y - canvas.between(0.03, 0.07))]
        canvas.line(blade, colour(canvas.between(0.22, 0.38), 0.6, canvas.between(0.35, 0.6)), 0.006)


def face(canvas: Canvas) -> None:
    """Draw a friendly face with hair, ears, cheeks and a smile."""
    _ground(canvas)
    at, size = (canvas.between(0.45, 0.55), canvas.between(0.5, 0.56)), canvas.between(0.9, 1.12)
    skin = canvas.random.choice([(255, 224, 196), (244, 200, 164), (222, 168, 124), (172, 116, 78), (118, 78, 54)])
    hair = canvas.random.choice(
        [(44, 32, 28), (96, 60, 36), (170, 96, 40), (222, 178, 96), (150, 150, 156), (188, 62, 44)]
    )

    def spot(x: float, y: float, radius: float, fill: Colour, height: float | None = None) -> None:
        canvas.disc(placed([(x, y)], at, size)[0], radius * size, fill, height=height and height * size)

    shirt = colour(canvas.between(0, 1), 0.55, 0.75)
    length, iris = (
        canvas.random.choice([0.0, 0.1, 0.24]),
        canvas.random.choice([(70, 48, 36), (60, 100, 140), (70, 110, 70)]),
    )
    spot(0, -0.06 + length / 2, 0.285, hair, 0.3 + length / 2)
    spot(0, 0.56, 0.34, shirt, 0.24)
    spot(0, 0.3, 0.075, mixed(skin, BLACK, 0.14), 0.12)
    spot(0, 0.03, 0.245, skin, 0.275)
    for side in (-1, 1):
        spot(side * 0.245, 0.04, 0.042, mixed(skin, BLACK, 0.06), 0.058)
        spot(side * 0.14, 0.12, 0.045, mixed(skin, (235, 90, 90), 0.35))
        spot(side * 0.095, 0.0, 0.04, WHITE, 0.034)
        spot(side * 0.095, 0.002, 0.023, iris)
        spot(side * 0.095, 0.002, 0.011, (15, 15, 18))
        brow = placed([(side * 0.055, -0.07), (side * 0.1, -0.085), (side * 0.145, -0.068)], at, size)
        canvas.line(brow, mixed(hair, BLACK, 0.2), 0.014 * size)
    fringe = [
        (0.25 * math.cos(step / 16 * math.pi), -0.24 * math.sin(step / 16 * math.pi) - 0.02) for step in range(17)
    ]
    parting = canvas.between(-0.12, 0.12)
    canvas.polygon(placed([*fringe, (-0.2, -0.13), (parting, -0.17), (0.2, -0.13)], at, size), hair)
    canvas.line(placed([(0, 0.02), (0.016, 0.085), (-0.006, 0.09)], at, size), mixed(skin, BLACK, 0.22), 0.01 * size)
    smile, depth = canvas.between(0.07, 0.11), canvas.between(0.02, 0.05)
    mouth = [(smile * step / 10, 0.15 + depth * (1 - (step / 10) ** 2)) for step in range(-10, 11)]
    canvas.line(placed(mouth, at, size), (178, 60, 62), 0.016 * size)


def leaf(canvas: Canvas) -> None:
    """Draw one big leaf with its veins, in a colour of any season."""
    _ground(canvas)
    size, angle = canvas.between(0.85, 1.1), canvas.between(0, math.tau)
    green = colour(canvas.random.choice([0.3, 0.27, 0.22, 0.14, 0.09, 0.05, 0.0]), 0.7, canvas.between(0.5, 0.8))
    width, vein = canvas.between(0.3, 0.46), mixed(green, WHITE, 0.4)
    foot = placed([(-0.34, 0)], (0.5, 0.5), size, angle)[0]
    blade = placed(petal(0.74, width), foot, size, angle)
    canvas.polygon([(x + 0.012, y + 0.016) for x, y in blade], mixed(green, BLACK, 0.55))
    canvas.polygon(blade, green)
    canvas.polygon(placed(petal(0.74, width)[:25], foot, size, angle), mixed(green, BLACK, 0.13))
    for number in range(1, 8):
        start = 0.74 * number / 9
        reach = width / 2 * math.sin(math.pi * min(1.0, start / 0.74 + 0.12)) * 0.86
        for side in (-1, 1):
            canvas.line(placed([(start, 0), (start + 0.09, side * reach)], foot, size, angle), vein, 0.006)
    canvas.line(placed([(-0.12, 0), (0.72, 0)], foot, size, angle), vein, 0.013)


def butterfly(canvas: Canvas) -> None:
    """Draw a butterfly with open wings, seen from above."""
    _ground(canvas)
    at, size, tilt = (
        (canvas.between(0.45, 0.55), canvas.between(0.45, 0.55)),
        canvas.between(0.85, 1.1),
        canvas.between(-0.5, 0.5),
    )
    hue = canvas.between(0, 1)
    wing, edge = colour(hue, 0.75, 0.93), colour(hue + canvas.between(-0.1, 0.1), 0.8, canvas.between(0.15, 0.4))
    spot, reach = colour(hue + canvas.between(0.3, 0.6), 0.35, 0.99), canvas.between(0.36, 0.44)
    for side in (-1, 1):
        for length, width, turn in ((reach * 0.82, 0.27, 0.65), (reach, 0.3, -0.6)):
            heading = tilt + (turn if side > 0 else math.pi - turn)
            for share, fill in ((1.0, edge), (0.84, wing), (0.45, mixed(wing, WHITE, 0.3))):
                outline = petal(length * share, width * share)
                canvas.polygon(placed(outline, at, size, heading), fill)
            canvas.disc(placed([(length * 0.66, 0)], at, size, heading)[0], 0.026 * size, spot)
        feeler = placed([(0, -0.13), (side * 0.03, -0.2), (side * 0.09, -0.25)], at, size, tilt)
        canvas.line(feeler, (40, 32, 30), 0.008 * size)
        canvas.disc(feeler[-1], 0.011 * size, (40, 32, 30))
    canvas.polygon(placed([(x - 0.17, y) for x, y in petal(0.36, 0.06)], at, size, tilt + math.pi / 2), (40, 32, 30))
    canvas.disc(placed([(0, -0.13)], at, size, tilt)[0], 0.03 * size, (40, 32, 30))


def _ground(canvas: Canvas) -> None:
    """Fill the background with a soft gradient of a pale colour and a light spot."""
    hue, saturation = canvas.between(0, 1), canvas.between(0.08, 0.35)
    canvas.sky(colour(hue, saturation * 0.5, 0.98), colour(hue + 0.06, saturation, canvas.between(0.8, 0.95)))
    canvas.glow((canvas.between(0.3, 0.7), canvas.between(0.3, 0.6)), 0.35, WHITE, 0.4)


def _weed(canvas: Canvas, x: float, fill: Colour) -> None:
    sway, top = canvas.between(0.01, 0.04), canvas.between(0.55, 0.8)
    path = [(x + sway * math.sin(step / 3), 1.0 - (1.0 - top) * step / 14) for step in range(15)]
    canvas.line(path, fill, 0.02)


def _mushroom(canvas: Canvas, foot: Point, size: float, cap: Colour) -> None:
    """Draw a mushroom that stands on `foot`: a stem, gills, a domed cap with dots."""
    stem = (246, 236, 218)
    canvas.polygon(placed([(-0.075, 0), (0.075, 0), (0.05, -0.36), (-0.05, -0.36)], foot, size), stem)
    canvas.polygon(placed([(0.02, 0), (0.075, 0), (0.05, -0.36), (0.02, -0.36)], foot, size), mixed(stem, BLACK, 0.1))
    x, y = placed([(0, -0.34)], foot, size)[0]
    canvas.disc((x, y), 0.28 * size, mixed(stem, BLACK, 0.18), height=0.055 * size)
    dome = [(0.3 * math.cos(step / 30 * math.pi), -0.34 - 0.27 * math.sin(step / 30 * math.pi)) for step in range(31)]
    under = [
        (0.3 * math.cos(step / 30 * math.pi), -0.34 + 0.03 * math.sin(step / 30 * math.pi))
        for step in range(30, -1, -1)
    ]
    canvas.polygon(placed(dome + under, foot, size), cap)
    canvas.polygon(
        placed([(px * 0.8 - 0.03, (py + 0.34) * 0.8 - 0.36) for px, py in dome], foot, size), mixed(cap, WHITE, 0.1)
    )
    for dx, dy, radius in (
        (-0.15, -0.42, 0.032),
        (0.02, -0.5, 0.042),
        (0.16, -0.44, 0.03),
        (-0.06, -0.38, 0.022),
        (0.09, -0.38, 0.024),
    ):
        nudge = canvas.between(-0.02, 0.02)
        canvas.disc(
            placed([(dx + nudge, dy)], foot, size)[0], radius * size, (252, 246, 236), height=radius * size * 0.85
        )
