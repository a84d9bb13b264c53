"""MobileNetV2 (https://arxiv.org/abs/1801.04381) as PyTorch trained it: symmetric padding, epsilon 1e-5, ReLU6.

The names follow the first public PyTorch port (`features.0.0.weight` … `features.18.1.bias`). The network in
`keras.applications` pads and normalises differently, so these weights do not fit it.
"""

import keras
from keras import layers

from embeddings.networks.imagenet import normalised
from embeddings.networks.torch_weights import TorchWeights
from embeddings.specs import EncoderSpec
from embeddings.torch_files import Arrays

# Expansion, channels, repeats, stride of the first: table 2 of the paper.
_STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
_EPSILON = 1e-5


def build(spec: EncoderSpec, arrays: Arrays | None) -> keras.Model:
    """Return the network, with random weights for None: uint8 RGB (n, size, size, 3) to unit vectors (n, dim)."""
    weights = TorchWeights(arrays)
    pictures = keras.Input((spec.input_size, spec.input_size, 3), dtype="uint8", name="pictures")
    x = _conv(normalised(pictures), weights, "features.0", 32, size=3, stride=2)
    number = 1
    for expansion, channels, repeats, first_stride in _STAGES:
        for repeat in range(repeats):
            stride = first_stride if repeat == 0 else 1
            x = _block(x, weights, f"features.{number}.conv", channels, expansion=expansion, stride=stride)
            number += 1
    x = _conv(x, weights, f"features.{number}", spec.dim, size=1, stride=1)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    vectors = layers.UnitNormalization(name="vectors")(x)
    network = keras.Model(pictures, vectors, name=spec.name)
    weights.load()
    return network


def _conv(
    x: keras.KerasTensor, weights: TorchWeights, name: str, channels: int, *, size: int, stride: int
) -> keras.KerasTensor:
    if size == 3:
        x = layers.ZeroPadding2D(1)(x)
    x = weights.conv(layers.Conv2D(channels, size, strides=stride, use_bias=False), f"{name}.0")(x)
    x = weights.batch_norm(layers.BatchNormalization(epsilon=_EPSILON), f"{name}.1")(x)
    return layers.ReLU(6.0)(x)


def _block(
    x: keras.KerasTensor, weights: TorchWeights, name: str, channels: int, *, expansion: int, stride: int
) -> keras.KerasTensor:
    """Add an inverted residual block; its parts are numbered in one sequence, and without expansion it starts later."""
    inputs, n_inputs, part = x, int(x.shape[-1]), 0
    if expansion != 1:
        x = weights.conv(layers.Conv2D(n_inputs * expansion, 1, use_bias=False), f"{name}.0")(x)
        x = weights.batch_norm(layers.BatchNormalization(epsilon=_EPSILON), f"{name}.1")(x)
        x = layers.ReLU(6.0)(x)
        part = 3
    x = layers.ZeroPadding2D(1)(x)
    x = weights.depthwise(layers.DepthwiseConv2D(3, strides=stride, use_bias=False), f"{name}.{part}")(x)
    x = weights.batch_norm(layers.BatchNormalization(epsilon=_EPSILON), f"{name}.{part + 1}")(x)
    x = layers.ReLU(6.0)(x)
    x = weights.conv(layers.Conv2D(channels, 1, use_bias=False), f"{name}.{part + 3}")(x)
    x = weights.batch_norm(layers.BatchNormalization(epsilon=_EPSILON), f"{name}.{part + 4}")(x)
    return layers.Add()([inputs, x]) if stride == 1 and n_inputs == channels else x
