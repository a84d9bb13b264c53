"""Hand the arrays of a PyTorch state dict to Keras layers: names, axis order, and the check that all were used."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from embeddings.torch_files import Arrays

Array = NDArray[Any]
# The last parts of a name, and what each array goes through on its way into the layer.
Parts = Sequence[tuple[str, Callable[[Array], Array]]]


class MissingWeights(ValueError):
    """Raised when the arrays do not fit the network: one is missing, left over or of another shape."""


class TorchWeights:
    """Collects pairs of a layer and its arrays while a network is put together, then sets them all at once.

    Without arrays (None) the layers keep their random initial weights.
    """

    def __init__(self, arrays: Arrays | None) -> None:
        self._arrays = arrays
        self._waiting: list[tuple[keras.layers.Layer, str, Parts]] = []

    def conv(self, layer: keras.layers.Layer, name: str) -> keras.layers.Layer:
        """Give the kernel `name`, (out, in, height, width) in torch, and a bias if it has one, to a Conv2D."""
        kernel: Parts = [("weight", lambda kernel: kernel.transpose(2, 3, 1, 0))]
        return self.give(layer, name, [*kernel, ("bias", same)] if layer.use_bias else kernel)

    def depthwise(self, layer: keras.layers.Layer, name: str) -> keras.layers.Layer:
        """Give the kernel `name`, (channels, 1, height, width) in torch, to a DepthwiseConv2D without bias."""
        return self.give(layer, name, [("weight", lambda kernel: kernel.transpose(2, 3, 0, 1))])

    def batch_norm(self, layer: keras.layers.Layer, name: str) -> keras.layers.Layer:
        """Give scale, offset, running mean and variance of `name` to a BatchNormalization."""
        return self.give(layer, name, [(part, same) for part in ("weight", "bias", "running_mean", "running_var")])

    def layer_norm(self, layer: keras.layers.Layer, name: str) -> keras.layers.Layer:
        """Give scale and offset of `name` to a LayerNormalization."""
        return self.give(layer, name, [("weight", same), ("bias", same)])

    def dense(self, layer: keras.layers.Layer, name: str) -> keras.layers.Layer:
        """Give the kernel, (out, in) in torch, and the bias of `name` to a Dense."""
        return self.give(layer, name, [("weight", np.transpose), ("bias", same)])

    def give(self, layer: keras.layers.Layer, name: str, parts: Parts) -> keras.layers.Layer:
        """Give the arrays called `name.PART`, in the order of the layer's own weights, to any layer."""
        self._waiting.append((layer, name, parts))
        return layer

    def load(self) -> None:
        """Set the weights of every layer. Raises MissingWeights if an array is missing, left over or does not fit."""
        if self._arrays is None:
            return
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


def backbone(arrays: Arrays, first: str, *, without: tuple[str, ...]) -> Arrays:
    """Return the arrays by their names inside the backbone, without heads.

    first: the name of an array of the backbone; whatever precedes it in the file is taken off every name.
    without: how the names begin, after that, of arrays that are no part of the backbone.
    """
    prefix = min((name.removesuffix(first) for name in arrays if name.endswith(first)), key=len, default="")
    short = {name.removeprefix(prefix): values for name, values in arrays.items()}
    return {name: values for name, values in short.items() if not name.startswith(without)}


def same(values: Array) -> Array:
    """Return the values as they are."""
    return values
