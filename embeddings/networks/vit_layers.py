"""The two layers of vision transformers that Keras has not. Registered, so that a `.keras` file can name them."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="imgsim")
class ClassTokenAndPositions(keras.layers.Layer):
    """Puts a learnt class token before the patches and adds a learnt position to each.

    Input float32 (n, n_patches, dim), output (n, 1 + n_patches, dim). The weights are the token (1, 1, dim) and the
    positions (1, 1 + n_patches, dim), that of the token first.
    """

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the weights."""
        n_patches, dim = input_shape[1:]
        start = keras.initializers.TruncatedNormal(stddev=0.02)
        self.token = self.add_weight(shape=(1, 1, dim), initializer=start, name="token")
        self.positions = self.add_weight(shape=(1, 1 + (n_patches or 0), dim), initializer=start, name="positions")

    def call(self, patches: Any) -> Any:
        """Return the tokens."""
        n_patches = int(patches.shape[1])
        token = ops.pad(self.token, ((0, 0), (0, n_patches), (0, 0)))
        return ops.pad(patches, ((0, 0), (1, 0), (0, 0))) + (token + self.positions)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape with one more token."""
        n, n_patches, dim = input_shape
        return n, 1 + (n_patches or 0), dim


@keras.saving.register_keras_serializable(package="imgsim")
class LayerScale(keras.layers.Layer):
    """Multiplies each of the last axis' features by a learnt factor (https://arxiv.org/abs/2103.17239)."""

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the factors (dim,), which start at 1."""
        self.factors = self.add_weight(shape=input_shape[-1:], initializer="ones", name="factors")

    def call(self, tokens: Any) -> Any:
        """Return the scaled tokens."""
        return tokens * self.factors

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the same shape."""
        return input_shape
