"""MobileNet, the first version, at full width (https://arxiv.org/abs/1704.04861), from `keras.applications`."""

import keras
from keras.applications import mobilenet

from embeddings.networks.keras_applications import pooled
from embeddings.specs import EncoderSpec
from embeddings.torch_files import Arrays


def build(spec: EncoderSpec, arrays: Arrays | None) -> keras.Model:
    """Return the network, with random weights for None: uint8 RGB (n, size, size, 3) to unit vectors (n, dim)."""
    return pooled(spec, arrays, mobilenet.MobileNet, mobilenet.preprocess_input)
