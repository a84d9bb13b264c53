"""DINOv2 (https://arxiv.org/abs/2304.07193): a vision transformer with LayerScale, trained without labels.

Its checkpoints have positions for pictures of 518 pixels, which are resized for smaller ones. The names follow
`Dinov2Model` in Hugging Face transformers.
"""

import keras

from embeddings.networks.imagenet import MEAN, STD
from embeddings.networks.vit import Architecture, transformer
from embeddings.specs import EncoderSpec
from embeddings.torch_files import Arrays

DINOV2 = Architecture(
    patch_size=14,
    epsilon=1e-6,
    mean=MEAN,
    std=STD,
    layer_scale=True,
    norms=("norm1", "norm2"),
    mlp=("mlp.fc1", "mlp.fc2"),
)


def build(spec: EncoderSpec, arrays: Arrays | None) -> keras.Model:
    """Return the network, with random weights for None: uint8 RGB (n, size, size, 3) to unit vectors (n, dim)."""
    return transformer(spec, arrays, DINOV2)
