"""Small networks for tiny pictures (32 x 32), trained here from scratch to give vectors rather than classes.

"published" is the network of the Keras example "Metric learning for image similarity search" (Mat Kelcey):
https://keras.io/examples/vision/metric_learning/. "residual" is a narrow ResNet (https://arxiv.org/abs/1512.03385)
that two CPU cores can still train.
"""

from typing import Literal

import keras
from keras import layers

Depth = Literal["published", "residual"]

_WIDTHS = (32, 64, 128)
_BLOCKS_PER_STAGE = 2
# Three unpadded 3 x 3 convolutions of stride 2 leave nothing of a smaller picture.
_MIN_SIZE = 15


def build_network(input_size: int, dim: int, *, depth: Depth) -> keras.Model:
    """Return an untrained network: uint8 RGB (n, input_size, input_size, 3) to float32 unit vectors (n, dim).

    The network divides by 255 itself. The layer "pool" gives the vector before it is brought to unit length.
    "published" has 94,280 parameters at 8 dimensions, "residual" 0.70 million.
    Raises ValueError if input_size is below 15, dim below 1, or depth unknown.
    """
    if input_size < _MIN_SIZE or dim < 1:
        raise ValueError(f"expected an input of at least {_MIN_SIZE} and a dim of at least 1, got {input_size}, {dim}")
    if depth not in _BODIES:
        raise ValueError(f"expected a depth of {', '.join(_BODIES)}, got {depth!r}")
    pictures = keras.Input((input_size, input_size, 3), dtype="uint8", name="pictures")
    x = layers.Rescaling(1 / 255, name="normalise")(pictures)
    x = layers.GlobalAveragePooling2D(name="mean")(_BODIES[depth](x))
    # With zeros a black picture would have no direction at first, and its gradient would be 1e12 or not a number.
    bias = keras.initializers.RandomNormal(stddev=0.01)
    x = layers.Dense(dim, bias_initializer=bias, dtype="float32", name="pool")(x)
    vectors = layers.UnitNormalization(dtype="float32", name="vectors")(x)
    return keras.Model(pictures, vectors, name=f"metric_convnet_{depth}")


def _published(x: keras.KerasTensor) -> keras.KerasTensor:
    for channels in _WIDTHS:
        x = layers.Conv2D(channels, 3, strides=2, activation="relu")(x)
    return x


def _residual(x: keras.KerasTensor) -> keras.KerasTensor:
    """Add the stem at full size, then three stages that each halve the size at their start."""
    x = _conv(x, _WIDTHS[0], stride=1)
    for channels in _WIDTHS:
        for repeat in range(_BLOCKS_PER_STAGE):
            x = _block(x, channels, stride=2 if repeat == 0 else 1)
    return x


def _block(x: keras.KerasTensor, channels: int, *, stride: int) -> keras.KerasTensor:
    """Add a basic block; where it changes the shape, a 1 x 1 convolution brings its input to the same."""
    inputs = x
    if stride != 1 or int(x.shape[-1]) != channels:
        inputs = layers.Conv2D(channels, 1, strides=stride, use_bias=False)(x)
        inputs = layers.BatchNormalization()(inputs)
    x = _conv(x, channels, stride=stride)
    x = layers.Conv2D(channels, 3, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    return layers.ReLU()(layers.Add()([inputs, x]))


def _conv(x: keras.KerasTensor, channels: int, *, stride: int) -> keras.KerasTensor:
    x = layers.Conv2D(channels, 3, strides=stride, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    return layers.ReLU()(x)


_BODIES = {"published": _published, "residual": _residual}
