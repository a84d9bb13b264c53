"""How well the suggested boxes fit: `python -m benchmarks.regions var/encoders/mobilenet_v2 [--on-white FOLDER]`.

Two or three of the sample's photographs lie on a plain, a shaded or a textured ground, at places that are known; with
--on-white, JPEGs of single things on white are measured too. "iou" is that of the first box with the photograph that
it fits best, "recall" the share of photographs that some box fits with an IoU of at least .5, both means over pictures.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import skimage
from numpy.typing import NDArray
from PIL import Image

from benchmarks import report
from embeddings import regions
from embeddings.encoder import Encoder
from embeddings.regions import Box, overlap
from embeddings.sample.subjects import photograph_recipes

EDGE = 480
TEXTURES = ("brick.png", "grass.png", "gravel.png")
# Of the sample's photographs those of a thing; the others are textures themselves.
THINGS = "astronaut,photographer,chelsea the cat,coffee,ancient coins,horse,retina,rocket,pagoda,dahlia".split(",")

Picture = NDArray[np.uint8]
Suggest = Callable[[Picture, NDArray[np.float32]], list[Box]]


@dataclass(frozen=True, kw_only=True)
class Known:
    """A picture, what kind it is of, and where in it something is to be found."""

    kind: str
    picture: Image.Image
    boxes: list[Box]


def main() -> None:
    parser = argparse.ArgumentParser(description="How well the suggested boxes fit what is known to be there.")
    parser.add_argument("folder", type=Path, help="folder of an installed encoder")
    parser.add_argument("--pictures", type=int, default=60, help="how many compositions (default: 60)")
    parser.add_argument("--on-white", type=Path, help="folder of JPEGs of single things on white")
    options = parser.parse_args()
    encoder = Encoder.load(options.folder)
    pictures = [*compositions(options.pictures), *(on_white(options.on_white) if options.on_white else ())]
    inputs = np.stack([_input(known.picture, encoder.spec.input_size) for known in pictures])
    locations = encoder.encode_locations(inputs)
    rows: list[dict[str, object]] = []
    for name, suggest in VARIANTS.items():
        started = time.process_time()
        found = [suggest(*pair) for pair in zip(inputs, locations, strict=True)]
        spent_ms = (time.process_time() - started) * 1000 / len(found)
        for kind in dict.fromkeys(known.kind for known in pictures):
            chosen = [pair for pair in zip(pictures, found, strict=True) if pair[0].kind == kind]
            rows.append({"variant": name, "pictures": kind, "n": len(chosen), **_fit(chosen), "cpu_ms": spent_ms})
    report.tell("Suggested boxes", rows)


def compositions(n: int) -> Iterator[Known]:
    """Yield pictures with one to three photographs on a ground, no two touching, the same on each run."""
    generator = np.random.default_rng(0)
    recipes = {recipe.label: recipe for recipe in reversed(list(photograph_recipes()))}
    photographs = [recipes[label].make().convert("RGB") for label in THINGS]
    for number in range(n):
        kind = ("plain", "shaded", "textured")[number % 3]
        ground, boxes = _ground(kind, generator), _places(1 + number // 3 % 3, generator)
        for x, y, width, height in boxes:
            photograph = photographs[generator.integers(len(photographs))]
            ground.paste(
                photograph.resize((round(width * EDGE), round(height * EDGE))), (round(x * EDGE), round(y * EDGE))
            )
        yield Known(kind=kind, picture=ground, boxes=boxes)


def on_white(folder: Path) -> Iterator[Known]:
    """Yield those pictures in which what is not white leaves a border."""
    for path in sorted(folder.rglob("*.jpg")):
        picture = Image.open(path).convert("RGB")
        rows, columns = np.nonzero(np.asarray(picture).min(axis=2) < 240)
        if not len(rows):
            continue
        # Not to the last pixel, which may be an artefact of JPEG.
        (left, right), (top, bottom) = np.percentile(columns, [0.5, 99.5]), np.percentile(rows, [0.5, 99.5])
        width, height = (right - left) / picture.width, (bottom - top) / picture.height
        if width * height < 0.75:
            yield Known(
                kind="on white", picture=picture, boxes=[(left / picture.width, top / picture.height, width, height)]
            )


def _places(n: int, generator: np.random.Generator) -> list[Box]:
    boxes: list[Box] = []
    while len(boxes) < n:
        width, height = generator.uniform(0.2, 0.42, 2)
        x, y = generator.uniform(0.02, 0.98 - width), generator.uniform(0.02, 0.98 - height)
        wider = (x - 0.03, y - 0.03, width + 0.06, height + 0.06)
        if all(overlap(wider, box) == 0 for box in boxes):
            boxes.append((x, y, width, height))
    return boxes


def _ground(kind: str, generator: np.random.Generator) -> Image.Image:
    if kind == "plain":
        return Image.new("RGB", (EDGE, EDGE), tuple(int(value) for value in generator.integers(60, 256, 3)))
    if kind == "shaded":
        first, last = generator.integers(0, 256, (2, 3))
        shade = np.linspace(0, 1, EDGE)[:, np.newaxis, np.newaxis]
        return Image.fromarray(np.broadcast_to(first + (last - first) * shade, (EDGE, EDGE, 3)).astype(np.uint8))
    path = Path(skimage.__path__[0], "data", TEXTURES[generator.integers(len(TEXTURES))])
    return Image.open(path).convert("RGB").resize((EDGE, EDGE))


def _input(picture: Image.Image, size: int) -> Picture:
    return np.asarray(picture.resize((size, size), Image.Resampling.BILINEAR))


def _fit(chosen: list[tuple[Known, list[Box]]]) -> dict[str, float]:
    ious = [max((overlap(found[0], box) for box in known.boxes), default=0) if found else 0 for known, found in chosen]
    recalls = [
        np.mean([any(overlap(box, one) >= 0.5 for one in found) for box in known.boxes]) for known, found in chosen
    ]
    boxes = float(np.mean([len(found) for _, found in chosen]))
    return {"iou": float(np.mean(ious)), "recall": float(np.mean(recalls)), "boxes": boxes}


def _by_colours(picture: Picture, locations: NDArray[np.float32]) -> list[Box]:
    return regions.suggest(picture, np.ones((2, 2, 2), np.float32))


def _by_features(picture: Picture, locations: NDArray[np.float32]) -> list[Box]:
    """Suggest as `regions.suggest` does, where the colours say nothing."""
    features = regions.enlarged(regions.foreground(locations), (72, 72))
    return regions.boxes_in([features], standing_out=features, most=4)


VARIANTS: dict[str, Suggest] = {
    "colours and features": regions.suggest,
    "colours": _by_colours,
    "features": _by_features,
}


if __name__ == "__main__":
    main()
