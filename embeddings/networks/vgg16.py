"""VGG16 (https://arxiv.org/abs/1409.1556), from `keras.applications`, up to its fifth block, whose output is pooled."""

import keras
from keras.applications import vgg16

from embeddings.networks.keras_applications import pooled
from embeddings.specs import EncoderSpec
from embeddings.torch_files import Arrays


def build(spec: EncoderSpec, arrays: Arrays | None) -> keras.Model:
    """Return the network, with random weights for None: uint8 RGB (n, size, size, 3) to unit vectors (n, dim)."""
    return pooled(spec, arrays, vgg16.VGG16, vgg16.preprocess_input)
