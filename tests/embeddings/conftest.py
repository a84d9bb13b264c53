"""What the tests of the encoders share: real photographs, and each encoder installed once and kept for the next run."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import skimage
import sklearn
from numpy.typing import NDArray
from PIL import Image

from embeddings.install import InstalledEncoder, install

CACHE = Path(os.environ.get("IMGSIM_TEST_CACHE") or Path(__file__).resolve().parents[2] / ".cache" / "encoders")
PHOTOS = (
    Path(skimage.__path__[0], "data", "astronaut.png"),
    Path(skimage.__path__[0], "data", "chelsea.png"),
    Path(skimage.__path__[0], "data", "coffee.png"),
    Path(sklearn.__path__[0], "datasets", "images", "china.jpg"),
    Path(sklearn.__path__[0], "datasets", "images", "flower.jpg"),
)


@pytest.fixture(scope="session")
def photos() -> NDArray[np.uint8]:
    """Five photographs, uint8 (5, 224, 224, 3): an astronaut, a cat, a cup of coffee, a temple, a flower."""
    pictures = [Image.open(path).convert("RGB").resize((224, 224), Image.Resampling.BILINEAR) for path in PHOTOS]
    return np.stack([np.asarray(picture) for picture in pictures])


@pytest.fixture(scope="session")
def gradient() -> NDArray[np.uint8]:
    """A picture that needs no decoder, uint8 (1, 224, 224, 3): rows in red, columns in green, their mean in blue."""
    rows, columns = np.mgrid[0:224, 0:224]
    return np.stack([rows, columns, (rows + columns) // 2], axis=-1).astype(np.uint8)[np.newaxis]


@pytest.fixture(scope="session")
def installed(photos: NDArray[np.uint8]) -> Callable[[str], InstalledEncoder]:
    """Install an encoder by name, into a folder that later runs use again."""
    return lambda name: install(name, CACHE / name, sample_images=photos, report=lambda line: None)
