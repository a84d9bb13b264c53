"""Hand the arrays of a PyTorch state dict to Keras layers: names, axis order, and the check that all were used."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from embeddings.torch_files import Arrays

Array = NDArray[Any]


class MissingWeights(ValueError):
    """Raised when the arrays do not fit the network: one is missing, left over or of another shape."""


class TorchWeights:
    """Collects pairs of a layer and its arrays while a network is put together, then sets them all at once."""

    def __init__(self, arrays: Arrays) -> None:
        self._arrays = arrays
        self._waiting: list[tuple[keras.layers.Layer, str, list[tuple[str, Callable[[Array], Array]]]]] = []

    def conv(self, layer: keras.layers.Layer, name: str) -> keras.layers.Layer:
        """Give the kernel `name`, (out, in, height, width) in torch, to a Conv2D without bias."""
        return self._later(layer, name, [("weight", lambda kernel: kernel.transpose(2, 3, 1, 0))])

    def depthwise(self, layer: keras.layers.Layer, name: str) -> keras.layers.Layer:
        """Give the kernel `name`, (channels, 1, height, width) in torch, to a DepthwiseConv2D without bias."""
        return self._later(layer, name, [("weight", lambda kernel: kernel.transpose(2, 3, 0, 1))])

    def batch_norm(self, layer: keras.layers.Layer, name: str) -> keras.layers.Layer:
        """Give scale, offset, running mean and variance of `name` to a BatchNormalization."""
        return self._later(layer, name, [(part, _same) for part in ("weight", "bias", "running_mean", "running_var")])

    def dense(self, layer: keras.layers.Layer, name: str) -> keras.layers.Layer:
        """Give the kernel, (out, in) in torch, and the bias of `name` to a Dense."""
        return self._later(layer, name, [("weight", np.transpose), ("bias", _same)])

    def load(self) -> None:
        """Set the weights of every layer. Raises MissingWeights if an array is missing, left over or does not fit."""
        used = set()
        for layer, prefix, parts in self._waiting:
            names = [f"{prefix}.{part}" for part, _ in parts]
            missing = [name for name in names if name not in self._arrays]
            if missing:
                raise MissingWeights(f"the weights have no {', '.join(missing)}")
            values = [reorder(self._arrays[name]) for name, (_, reorder) in zip(names, parts, strict=True)]
            expected = [tuple(weight.shape) for weight in layer.weights]
            if [value.shape for value in values] != expected:
                raise MissingWeights(f"{prefix}: expected shapes {expected}, got {[value.shape for value in values]}")
            layer.set_weights(values)
            used.update(names)
        left_over = {name for name in self._arrays if not name.endswith(".num_batches_tracked")} - used
        if left_over:
            raise MissingWeights(f"the network has no place for {', '.join(sorted(left_over)[:5])}")

    def _later(
        self, layer: keras.layers.Layer, name: str, parts: list[tuple[str, Callable[[Array], Array]]]
    ) -> keras.layers.Layer:
        self._waiting.append((layer, name, parts))
        return layer


def _same(values: Array) -> Array:
    return values
