"""ResNet-50 as PyTorch trains it: the stride in the 3 × 3 convolution, symmetric padding, epsilon 1e-5.

The names follow torchvision (`conv1.weight` … `layer4.2.bn3.bias`). The network in `keras.applications` strides in
the first 1 × 1 convolution and has biases, so these weights do not fit it.
"""

import keras
from keras import layers

from embeddings.networks.imagenet import normalised
from embeddings.networks.torch_weights import TorchWeights, backbone
from embeddings.specs import EncoderSpec
from embeddings.torch_files import Arrays

# Blocks, channels inside a block, stride of the first: table 1 of https://arxiv.org/abs/1512.03385.
_STAGES = ((3, 64, 1), (4, 128, 2), (6, 256, 2), (3, 512, 2))
_EXPANSION = 4
_EPSILON = 1e-5


def build(spec: EncoderSpec, arrays: Arrays | None) -> keras.Model:
    """Return the network, with random weights for None: uint8 RGB (n, size, size, 3) to unit vectors (n, dim).

    The arrays may have a prefix before torchvision's names, and a head `fc`, which is left out.
    """
    weights = TorchWeights(arrays and backbone(arrays, "conv1.weight", without=("fc.",)))
    pictures = keras.Input((spec.input_size, spec.input_size, 3), dtype="uint8", name="pictures")
    x = layers.ReLU()(_conv(normalised(pictures), weights, "conv1", "bn1", 64, size=7, stride=2))
    # After ReLU nothing is below zero, so zeros at the border never are the largest.
    x = layers.MaxPooling2D(3, strides=2)(layers.ZeroPadding2D(1)(x))
    for stage, (n_blocks, channels, first_stride) in enumerate(_STAGES, start=1):
        for number in range(n_blocks):
            stride = first_stride if number == 0 else 1
            x = _block(x, weights, f"layer{stage}.{number}", channels, stride=stride)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    vectors = layers.UnitNormalization(name="vectors")(x)
    network = keras.Model(pictures, vectors, name=spec.name)
    weights.load()
    return network


def _conv(
    x: keras.KerasTensor, weights: TorchWeights, conv: str, norm: str, channels: int, *, size: int, stride: int = 1
) -> keras.KerasTensor:
    if size > 1:
        x = layers.ZeroPadding2D(size // 2)(x)
    x = weights.conv(layers.Conv2D(channels, size, strides=stride, use_bias=False), conv)(x)
    return weights.batch_norm(layers.BatchNormalization(epsilon=_EPSILON), norm)(x)


def _block(x: keras.KerasTensor, weights: TorchWeights, name: str, channels: int, *, stride: int) -> keras.KerasTensor:
    """Add a bottleneck: narrow, convolve, widen, and add what came in, brought to the same shape where it differs."""
    inputs, n_outputs = x, channels * _EXPANSION
    x = layers.ReLU()(_conv(x, weights, f"{name}.conv1", f"{name}.bn1", channels, size=1))
    x = layers.ReLU()(_conv(x, weights, f"{name}.conv2", f"{name}.bn2", channels, size=3, stride=stride))
    x = _conv(x, weights, f"{name}.conv3", f"{name}.bn3", n_outputs, size=1)
    if int(inputs.shape[-1]) != n_outputs:
        shortcut = f"{name}.downsample"
        inputs = _conv(inputs, weights, f"{shortcut}.0", f"{shortcut}.1", n_outputs, size=1, stride=stride)
    return layers.ReLU()(layers.Add()([x, inputs]))
