"""Drawings that are patterns: stripes, polka dots and spirals."""

import math

from embeddings.sample.canvas import Canvas, Colour, colour, mixed, placed


def stripes(canvas: Canvas) -> None:
    """Draw bands of three colours across the whole, at any angle, straight or waved."""
    band = _two_tones(canvas)
    canvas.sky(band[0], band[0])
    width, angle = canvas.between(0.05, 0.13), canvas.between(0, math.pi)
    wave = canvas.random.choice([0.0, 0.0, canvas.between(0.01, 0.03)])
    for number in range(-14, 15):
        path = [(x / 30 - 0.3, number * width * 2 + wave * math.sin(x / 3)) for x in range(-30, 50)]
        canvas.line(placed(path, (0.5, 0.5), 1.0, angle), band[1 + number % (len(band) - 1)], width)


def polka_dots(canvas: Canvas) -> None:
    """Draw rows of equal dots, each second row shifted by half a step, on a plain ground."""
    ground, *dots = _two_tones(canvas)
    canvas.sky(ground, ground)
    step, angle = canvas.between(0.1, 0.2), canvas.between(-0.4, 0.4)
    radius = step * canvas.between(0.24, 0.38)
    for row in range(-14, 15):
        for column in range(-14, 15):
            grid = ((column + row % 2 / 2) * step, row * step * 0.86)
            canvas.disc(placed([grid], (0.5, 0.5), 1.0, angle)[0], radius, dots[(row + column) % len(dots)])


def spiral(canvas: Canvas) -> None:
    """Draw one to three arms that wind out of a point near the middle and grow thicker."""
    ground, *arms = _two_tones(canvas)
    canvas.sky(mixed(ground, (255, 255, 255), 0.1), mixed(ground, (0, 0, 0), 0.12))
    middle = (canvas.between(0.42, 0.58), canvas.between(0.42, 0.58))
    n_arms, turns = canvas.random.choice([1, 2, 2, 3]), canvas.between(2.4, 4.2)
    turns /= n_arms**0.7
    direction, start = canvas.random.choice([-1, 1]), canvas.between(0, math.tau)
    for arm in range(n_arms):
        for step in range(700):
            share = step / 699
            angle = start + direction * share * turns * math.tau + arm * math.tau / n_arms
            distance = 0.46 * share
            at = (middle[0] + distance * math.cos(angle), middle[1] + distance * math.sin(angle))
            canvas.disc(at, (0.012 + 0.03 * share) / n_arms**0.2, arms[arm % len(arms)])


def _two_tones(canvas: Canvas) -> list[Colour]:
    """Return a ground and one or two colours that stand out from it."""
    hue, distance = canvas.between(0, 1), canvas.between(0.3, 0.6)
    light, deep = colour(hue, canvas.between(0.1, 0.3), 0.97), colour(hue + distance, 0.72, canvas.between(0.45, 0.8))
    second = colour(hue + distance + 0.12, 0.65, 0.85)
    tones = canvas.random.choice([[light, deep], [light, deep, second], [deep, light], [deep, light, second]])
    return list(tones)
