"""The drawings of the sample: which families there are, and how many of each."""

from collections.abc import Callable, Iterator
from functools import partial

from PIL import Image

from embeddings.sample import patterns, scenes, things
from embeddings.sample.canvas import Canvas
from embeddings.sample.recipes import Recipe

N_PER_FAMILY = 27
FAMILIES: dict[str, Callable[[Canvas], None]] = {
    "sailing boats": scenes.sailing_boat,
    "houses": scenes.house,
    "trees": scenes.tree,
    "sun over hills": scenes.sun_over_hills,
    "city at night": scenes.city_at_night,
    "balloons": scenes.balloon,
    "planets": scenes.planet,
    "fish": things.fish,
    "flowers": things.flower,
    "mushrooms": things.mushroom,
    "faces": things.face,
    "leaves": things.leaf,
    "butterflies": things.butterfly,
    "stripes": patterns.stripes,
    "polka dots": patterns.polka_dots,
    "spirals": patterns.spiral,
}


def drawing_recipes() -> Iterator[Recipe]:
    for label, draw in FAMILIES.items():
        for number in range(1, N_PER_FAMILY + 1):
            name = f"drawings/{label}/{label.replace(' ', '-')}-{number:02d}.jpg"
            yield Recipe(name=name, label=label, make=partial(_drawn, draw, name))


def _drawn(draw: Callable[[Canvas], None], seed: str) -> Image.Image:
    canvas = Canvas(seed)
    draw(canvas)
    return canvas.finished()
