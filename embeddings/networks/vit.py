"""The vision transformer (https://arxiv.org/abs/2010.11929); its vector is the class token after the last norm.

The names follow `ViTModel` in Hugging Face transformers (`embeddings.cls_token` … `layernorm.bias`). What differs in
a relative, such as DINOv2, stands in its `Architecture`.
"""

from dataclasses import dataclass

import keras
from keras import layers, ops

from embeddings.networks.imagenet import normalised
from embeddings.networks.positions import resized
from embeddings.networks.torch_weights import Parts, TorchWeights, backbone, same
from embeddings.networks.vit_layers import ClassTokenAndPositions, LayerScale
from embeddings.specs import EncoderSpec
from embeddings.torch_files import Arrays

_HALF = (0.5, 0.5, 0.5)
_NO_PART = ("pooler.", "classifier.", "embeddings.mask_token")


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """What is fixed about a family of transformers, and what its arrays are called within a block.

    `mean` and `std` are those of the pictures in 0..1. `head_dim` is the number of features of one attention head.
    """

    patch_size: int
    n_blocks: int = 12
    head_dim: int = 64
    expansion: int = 4
    epsilon: float
    mean: tuple[float, ...]
    std: tuple[float, ...]
    layer_scale: bool
    norms: tuple[str, str]
    mlp: tuple[str, str]


VIT = Architecture(
    patch_size=16,
    epsilon=1e-12,
    mean=_HALF,
    std=_HALF,
    layer_scale=False,
    norms=("layernorm_before", "layernorm_after"),
    mlp=("intermediate.dense", "output.dense"),
)


def build(spec: EncoderSpec, arrays: Arrays | None) -> keras.Model:
    """Return the network, with random weights for None: uint8 RGB (n, size, size, 3) to unit vectors (n, dim)."""
    return transformer(spec, arrays, VIT)


def transformer(spec: EncoderSpec, arrays: Arrays | None, architecture: Architecture) -> keras.Model:
    """Return a network of the given architecture, as `build` does.

    The arrays may have a prefix before their names; a pooler and a classifier are left out.
    Raises ValueError if the input is no whole number of patches or the vector no whole number of heads.
    """
    size, patch = spec.input_size, architecture.patch_size
    if size % patch or spec.dim % architecture.head_dim:
        raise ValueError(
            f"{spec.name}: {size} px in patches of {patch}, {spec.dim} in heads of {architecture.head_dim}"
        )
    n_patches = (size // patch) ** 2
    weights = TorchWeights(arrays and backbone(arrays, "embeddings.cls_token", without=_NO_PART))
    pictures = keras.Input((size, size, 3), dtype="uint8", name="pictures")
    x = normalised(pictures, architecture.mean, architecture.std)
    cut = layers.Conv2D(spec.dim, patch, strides=patch, name="patches")
    x = weights.conv(cut, "embeddings.patch_embeddings.projection")(x)
    x = layers.Reshape((n_patches, spec.dim))(x)
    x = weights.give(ClassTokenAndPositions(name="tokens"), "embeddings", _token_parts(n_patches))(x)
    for number in range(architecture.n_blocks):
        x = _block(x, weights, f"encoder.layer.{number}", architecture)
    # Each token is normalised by itself, so the others can go first.
    x = layers.Cropping1D((0, n_patches), name="class_token")(x)
    x = weights.layer_norm(layers.LayerNormalization(epsilon=architecture.epsilon, name="norm"), "layernorm")(x)
    x = layers.Reshape((spec.dim,), name="pool")(x)
    vectors = layers.UnitNormalization(name="vectors")(x)
    network = keras.Model(pictures, vectors, name=spec.name)
    weights.load()
    return network


def _token_parts(n_patches: int) -> Parts:
    return [("cls_token", same), ("position_embeddings", lambda positions: resized(positions, n_patches))]


def _block(x: keras.KerasTensor, weights: TorchWeights, name: str, architecture: Architecture) -> keras.KerasTensor:
    """Add a block: attention between the tokens, then two dense layers for each; both add to what came in."""
    x = layers.Add()(
        [x, _scaled(_attention(x, weights, name, architecture), weights, f"{name}.layer_scale1", architecture)]
    )
    return layers.Add()(
        [x, _scaled(_mlp(x, weights, name, architecture), weights, f"{name}.layer_scale2", architecture)]
    )


def _attention(x: keras.KerasTensor, weights: TorchWeights, name: str, architecture: Architecture) -> keras.KerasTensor:
    """Add attention from every token to every token (equation 1 of https://arxiv.org/abs/1706.03762), head by head.

    Keras' own MultiHeadAttention does the same, but the CPU runtime cannot read its export.
    """
    n_tokens, dim = int(x.shape[1]), int(x.shape[2])
    x = _norm(x, weights, f"{name}.{architecture.norms[0]}", architecture)

    def heads(part: str) -> keras.KerasTensor:
        y = weights.dense(layers.Dense(dim), f"{name}.attention.attention.{part}")(x)
        return layers.Permute((2, 1, 3))(layers.Reshape((n_tokens, -1, architecture.head_dim))(y))

    query, key, value = heads("query"), heads("key"), heads("value")
    scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2))) * architecture.head_dim**-0.5
    y = layers.Permute((2, 1, 3))(ops.matmul(layers.Softmax()(scores), value))
    return weights.dense(layers.Dense(dim), f"{name}.attention.output.dense")(layers.Reshape((n_tokens, dim))(y))


def _mlp(x: keras.KerasTensor, weights: TorchWeights, name: str, architecture: Architecture) -> keras.KerasTensor:
    dim = int(x.shape[-1])
    widen, narrow = architecture.mlp
    x = _norm(x, weights, f"{name}.{architecture.norms[1]}", architecture)
    x = weights.dense(layers.Dense(dim * architecture.expansion, activation="gelu"), f"{name}.{widen}")(x)
    return weights.dense(layers.Dense(dim), f"{name}.{narrow}")(x)


def _norm(x: keras.KerasTensor, weights: TorchWeights, name: str, architecture: Architecture) -> keras.KerasTensor:
    return weights.layer_norm(layers.LayerNormalization(epsilon=architecture.epsilon), name)(x)


def _scaled(x: keras.KerasTensor, weights: TorchWeights, name: str, architecture: Architecture) -> keras.KerasTensor:
    return weights.give(LayerScale(), name, [("lambda1", same)])(x) if architecture.layer_scale else x
