"""A gallery that needs no net: photographs that come inside two libraries, and drawings made here. Files, no rows."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from embeddings.sample.families import drawing_recipes
from embeddings.sample.recipes import SamplePicture
from embeddings.sample.subjects import CREDITS, photograph_recipes

__all__ = ["CREDITS", "SamplePicture", "drawings", "photographs", "write_sample"]


def photographs() -> Iterator[SamplePicture]:
    """Yield photographs, each followed by its crops, mirrored, turned, recoloured and recompressed versions."""
    return (recipe.made() for recipe in photograph_recipes())


def drawings() -> Iterator[SamplePicture]:
    """Yield drawings in labelled families, varied in colour, place, size and background; the same on each run."""
    return (recipe.made() for recipe in drawing_recipes())


def write_sample(folder: Path) -> int:
    """Write the sample as folder/photographs/<label>/… and folder/drawings/<label>/…, and return how many it has.

    What is there already stays, so a second run is quick and a broken one is completed.
    """
    n_pictures = 0
    for recipe in chain(photograph_recipes(), drawing_recipes()):
        path = folder / recipe.name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_suffix(".part")
            unfinished.write_bytes(recipe.made().content)
            unfinished.replace(path)
        n_pictures += 1
    return n_pictures
