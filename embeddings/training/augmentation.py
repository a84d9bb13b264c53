"""Changed copies of pictures for training: the augmentations of the classifier, by name, and a quick one for tiny
pictures. uint8 in, uint8 of the same shape out; the networks normalise.
"""

import os
import random
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

# Importing albumentations asks PyPI for newer versions, unless this is set.
os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"

import albumentations

from embeddings.training import sheets

Picture = NDArray[np.uint8]
Pictures = NDArray[np.uint8]

_PADDING = 4


def _flip() -> albumentations.BasicTransform:
    """Flip horizontally, vertically or both: albumentations 2 has no Flip any more."""
    both = albumentations.Sequential([albumentations.HorizontalFlip(p=1), albumentations.VerticalFlip(p=1)], p=1)
    return albumentations.OneOf([albumentations.HorizontalFlip(p=1), albumentations.VerticalFlip(p=1), both], p=0.5)


_MAKERS: dict[str, Callable[[], albumentations.BasicTransform]] = {
    "horizontal_flip": lambda: albumentations.HorizontalFlip(p=0.5),
    "random_brightness_contrast": lambda: albumentations.RandomBrightnessContrast(p=0.5),
    "random_rotate_90": lambda: albumentations.RandomRotate90(p=0.5),
    "flip": _flip,
    "rgb_shift": lambda: albumentations.RGBShift(p=0.5),
    "hue_saturation_value": lambda: albumentations.HueSaturationValue(p=0.5),
    "clahe": lambda: albumentations.CLAHE(p=0.2),
    "random_gamma": lambda: albumentations.RandomGamma(p=0.5),
    "blur": lambda: albumentations.Blur(p=0.2),
    "to_gray": lambda: albumentations.ToGray(p=0.2),
    # Its own range, 99 to 100, would change nothing that shows.
    "image_compression": lambda: albumentations.ImageCompression(quality_range=(60, 100), p=0.2),
}
NAMES: tuple[str, ...] = tuple(_MAKERS)


def pipeline(names: Sequence[str], seed: int) -> Callable[[Picture], Picture]:
    """Return a function that changes one picture at a time, uint8 (s, s, 3) to the same.

    The named augmentations act in the order of NAMES, each by chance: those that move pixels or light one time in
    two, those that take something away (clahe, blur, to_gray, image_compression) one time in five. "flip" is one of
    horizontal, vertical and both, because Albumentations 2 has no Flip. The strengths are Albumentations' own, apart
    from image_compression: JPEG of quality 60 to 100. Without names pictures come back unchanged.
    The same seed gives the same sequence of changes. The pictures that come back are copies.
    Raises ValueError for unknown names; the function raises it for anything but a square uint8 RGB picture.
    """
    unknown = [name for name in names if name not in _MAKERS]
    if unknown:
        raise ValueError(f"unknown augmentation {', '.join(unknown)}; known: {', '.join(NAMES)}")
    chosen = [_MAKERS[name]() for name in NAMES if name in names]
    composed = albumentations.Compose(chosen)
    # Compose's own `seed` gives every augmentation the same random numbers: they would act together or not at all.
    composed.set_random_state(np.random.default_rng(seed), random.Random(seed))  # noqa: S311 -- has to repeat

    def change(picture: Picture) -> Picture:
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape != (len(picture), len(picture), 3):
            raise ValueError(f"expected a uint8 picture of shape (s, s, 3), got {picture.dtype} {picture.shape}")
        # A copy that may be written to, because pictures from Pillow may not.
        return np.ascontiguousarray(composed(image=picture.copy())["image"])

    return change


def augmented(images: Pictures, names: Sequence[str], seed: int) -> Pictures:
    """Return a changed copy of each picture, uint8 (n, s, s, 3): see `pipeline`."""
    change = pipeline(names, seed)
    copies = np.empty_like(images)
    for index, image in enumerate(images):
        copies[index] = change(image)
    return copies


def sheet(images: Pictures, names: Sequence[str], seed: int, n_each: int) -> Picture:
    """Return one picture with a row for each of `images`: itself, then n_each changed copies, with white gaps of 8.

    images: uint8 (n, s, s, 3). The result is uint8 (n * (s + 8) - 8, (1 + n_each) * (s + 8) - 8, 3).
    Raises ValueError if there is no picture.
    """
    if not len(images):
        raise ValueError("a sheet needs at least one picture")
    copies = augmented(np.repeat(images, n_each, axis=0), names, seed).reshape(len(images), n_each, *images.shape[1:])
    return sheets.tiled(np.concatenate([images[:, np.newaxis], copies], axis=1))


def jittered(images: Pictures, seed: int) -> Pictures:
    """Return each picture moved by up to 4 pixels either way, black coming in at the edge, and half of them mirrored.

    images: uint8 (n, h, w, 3), any n. Pure numpy, for tiny pictures: 50,000 of 32 x 32 take about a second on one core.
    The usual augmentation of CIFAR-10, as in section 4.2 of https://arxiv.org/abs/1512.03385.
    """
    n, height, width = images.shape[:3]
    rng = np.random.default_rng(seed)
    downs, rights = rng.integers(0, 2 * _PADDING + 1, size=(2, n))
    mirrored = rng.integers(2, size=(n,))
    padded = np.pad(images, ((0, 0), (_PADDING, _PADDING), (_PADDING, _PADDING), (0, 0)))
    copies = np.empty_like(images)
    # One slice a picture: four times as fast as one index array over all pixels.
    for index, (down, right) in enumerate(zip(downs, rights, strict=True)):
        window = padded[index, down : down + height, right : right + width]
        copies[index] = window[:, ::-1] if mirrored[index] else window
    return copies
