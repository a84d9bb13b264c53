"""The Keras networks, one module a family: `build(name, arrays)` and `load(path)` are the doors. Only this package
and `embeddings.training` import Keras.

A family's module has a function `build(spec, arrays)`. Importing this package imports no Keras yet, so that a process
can still choose the backend.
"""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from embeddings.specs import spec_for
from embeddings.torch_files import Arrays

if TYPE_CHECKING:
    import keras


def build(name: str, arrays: Arrays | None, *, input_size: int = 0) -> keras.Model:
    """Return the Keras network of an encoder, with `arrays` as its weights, or random initial weights for None.

    input_size: edge of its pictures; 0: the encoder's own, and the only one that weights fit.
    Input: uint8 RGB (n, input_size, input_size, 3); the network normalises it itself. Output: float32 (n, dim) of
    unit length, from a layer named "vectors" whose input, of any length, comes from a layer named "pool"; and where
    the spec has classes a second output, probabilities (n, n_classes).
    Raises UnknownEncoder, or MissingWeights if the arrays do not fit the network.
    """
    spec = spec_for(name)
    spec = replace(spec, input_size=input_size or spec.input_size)
    # By name, because each family imports Keras.
    family = import_module(f"embeddings.networks.{spec.family}")
    network: keras.Model = family.build(spec, arrays)
    return network


def load(path: Path) -> keras.Model:
    """Return the network in a `.keras` file that ImgSim wrote. Raises ValueError where Keras cannot read it."""
    import keras

    # Registers the layers that Keras does not know of itself.
    import_module("embeddings.networks.vit_layers")
    network: keras.Model = keras.saving.load_model(path, compile=False)
    return network
