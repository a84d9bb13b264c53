"""The normalisation that most networks trained with PyTorch take: 0..1, then the mean and deviation of ImageNet."""

import keras
from keras import layers

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


def normalised(
    pictures: keras.KerasTensor, mean: tuple[float, ...] = MEAN, std: tuple[float, ...] = STD
) -> keras.KerasTensor:
    """Return (pictures / 255 - mean) / std as float32 for uint8 RGB (n, height, width, 3)."""
    scale = [1 / (255 * deviation) for deviation in std]
    offset = [-middle / deviation for middle, deviation in zip(mean, std, strict=True)]
    return layers.Rescaling(scale, offset, name="normalise")(pictures)
