"""The Keras networks, one module a family: `build(name, arrays)` is the door. Only this package and
`embeddings.training` import Keras.

A family's module has one public function, `build(spec, arrays)`. Importing this package imports no Keras yet, so
that a process can still choose the backend.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from embeddings.specs import spec_for
from embeddings.torch_files import Arrays

if TYPE_CHECKING:
    import keras


def build(name: str, arrays: Arrays) -> keras.Model:
    """Return the Keras network of an encoder, with `arrays` as its weights.

    Input: uint8 RGB (n, input_size, input_size, 3); the network normalises it itself. Output: float32 (n, dim) of
    unit length, and where the spec has classes a second output, probabilities (n, n_classes).
    Raises UnknownEncoder, or MissingWeights if the arrays do not fit the network.
    """
    spec = spec_for(name)
    # By name, because each family imports Keras.
    family = import_module(f"embeddings.networks.{spec.family}")
    network: keras.Model = family.build(spec, arrays)
    return network
