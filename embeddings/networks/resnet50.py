"""ResNet50 (https://arxiv.org/abs/1512.03385), from `keras.applications`: it takes BGR less a mean, as in Caffe."""

import keras
from keras.applications import resnet

from embeddings.networks.keras_applications import pooled
from embeddings.specs import EncoderSpec
from embeddings.torch_files import Arrays


def build(spec: EncoderSpec, arrays: Arrays | None) -> keras.Model:
    """Return the network, with random weights for None: uint8 RGB (n, size, size, 3) to unit vectors (n, dim)."""
    return pooled(spec, arrays, resnet.ResNet50, resnet.preprocess_input)
