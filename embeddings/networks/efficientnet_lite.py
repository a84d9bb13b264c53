"""EfficientNet-Lite0 (https://arxiv.org/abs/1905.11946, the variant for small devices): no squeeze-excite, ReLU6.

TensorFlow trained it, so convolutions pad as TensorFlow's "same" does and epsilon is 1e-3; the weights come in the
names of the PyTorch port (`_conv_stem.weight` … `_fc.bias`).
"""

import keras
from keras import layers

from embeddings.networks.torch_weights import TorchWeights
from embeddings.specs import EncoderSpec
from embeddings.torch_files import Arrays

# Repeats, kernel, stride of the first, expansion, channels.
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_EPSILON = 1e-3


def build(spec: EncoderSpec, arrays: Arrays | None) -> keras.Model:
    """Return the network, with random weights for None: uint8 RGB (n, size, size, 3) to two outputs.

    They are unit vectors (n, dim) and class probabilities (n, n_classes).
    """
    weights = TorchWeights(arrays)
    pictures = keras.Input((spec.input_size, spec.input_size, 3), dtype="uint8", name="pictures")
    x = layers.Rescaling(1 / 128, -127 / 128, name="normalise")(pictures)
    x = _conv(x, weights, "_conv_stem", "_bn0", 32, size=3, stride=2)
    number = 0
    for repeats, size, first_stride, expansion, channels in _STAGES:
        for repeat in range(repeats):
            stride = first_stride if repeat == 0 else 1
            x = _block(x, weights, f"_blocks.{number}", channels, size=size, stride=stride, expansion=expansion)
            number += 1
    x = _conv(x, weights, "_conv_head", "_bn1", spec.dim, size=1, stride=1)
    pooled = layers.GlobalAveragePooling2D(name="pool")(x)
    vectors = layers.UnitNormalization(name="vectors")(pooled)
    logits = weights.dense(layers.Dense(spec.n_classes, name="logits"), "_fc")(pooled)
    probabilities = layers.Softmax(name="probabilities")(logits)
    network = keras.Model(pictures, [vectors, probabilities], name=spec.name)
    weights.load()
    return network


def _conv(
    x: keras.KerasTensor, weights: TorchWeights, conv: str, norm: str, channels: int, *, size: int, stride: int
) -> keras.KerasTensor:
    x = weights.conv(layers.Conv2D(channels, size, strides=stride, padding="same", use_bias=False), conv)(x)
    x = weights.batch_norm(layers.BatchNormalization(epsilon=_EPSILON), norm)(x)
    return layers.ReLU(6.0)(x)


def _block(
    x: keras.KerasTensor, weights: TorchWeights, name: str, channels: int, *, size: int, stride: int, expansion: int
) -> keras.KerasTensor:
    inputs, n_inputs = x, int(x.shape[-1])
    if expansion != 1:
        x = _conv(x, weights, f"{name}._expand_conv", f"{name}._bn0", n_inputs * expansion, size=1, stride=1)
    depthwise = layers.DepthwiseConv2D(size, strides=stride, padding="same", use_bias=False)
    x = weights.depthwise(depthwise, f"{name}._depthwise_conv")(x)
    x = weights.batch_norm(layers.BatchNormalization(epsilon=_EPSILON), f"{name}._bn1")(x)
    x = layers.ReLU(6.0)(x)
    x = weights.conv(layers.Conv2D(channels, 1, use_bias=False), f"{name}._project_conv")(x)
    x = weights.batch_norm(layers.BatchNormalization(epsilon=_EPSILON), f"{name}._bn2")(x)
    return layers.Add()([inputs, x]) if stride == 1 and n_inputs == channels else x
