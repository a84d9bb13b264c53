"""Read the weights in a Keras file, `.h5` or `.keras`, as arrays by layer. Nothing in the file is run or built.

Keras 2 wrote a list of layers into its `.h5` files (the files of `keras.applications` are such). A `.keras` file is a
zip archive with a description of the network, which is only looked at here, and an HDF5 file in another layout.
"""

import io
import json
import zipfile
from collections.abc import Iterator
from itertools import count, takewhile
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np
from numpy.typing import NDArray

from embeddings.torch_files import Arrays, UnreadableWeights, UnsafeWeights


def read_h5(path: Path) -> Arrays:
    """Return the arrays in an `.h5` file: "LAYER/0", "LAYER/1" …, layers in the order of the file.

    A layer's arrays come in Keras' own order: kernel, bias; or scale, offset, mean, variance.
    Raises UnsafeWeights if the file refers to other files, UnreadableWeights if it holds no weights of Keras.
    """
    with path.open("rb") as file:
        return _read(file)


def read_keras(path: Path) -> Arrays:
    """Return the arrays in a `.keras` file, as `read_h5` does, layers by name.

    Raises UnsafeWeights if the network has a layer that is code, or one that Keras does not know, as well.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check_layers(json.loads(archive.read("config.json")), path.name)
            return _read(io.BytesIO(archive.read("model.weights.h5")))
    except (zipfile.BadZipFile, KeyError, json.JSONDecodeError) as error:
        raise UnreadableWeights(f"{path.name} is no .keras file: {error}") from error


def _check_layers(config: object, name: str) -> None:
    """Refuse what is not a layer of Keras itself: a description may hold code (Lambda) or ask for some by name."""
    for part in _parts(config):
        layer = part["class_name"]
        if layer in ("Lambda", "__lambda__"):
            raise UnsafeWeights(f"{name} has a Lambda layer, which is code, and code from a file is never run")
        # Marks of plain values, such as __keras_tensor__, have no module.
        if not layer.startswith("__") and str(part.get("module")).split(".")[0] not in ("keras", "builtins"):
            raise UnsafeWeights(f"{name} has a layer of the class {layer}, which is not one of Keras itself")


def _parts(config: object) -> Iterator[dict[str, Any]]:
    """Yield every object in a description that names a class."""
    if isinstance(config, dict):
        if isinstance(config.get("class_name"), str):
            yield config
        config = list(config.values())
    if isinstance(config, list):
        for value in config:
            yield from _parts(value)


def _read(file: BinaryIO) -> Arrays:
    n_bytes = file.seek(0, io.SEEK_END)
    try:
        with h5py.File(file, "r") as root:
            # A whole network in `.h5`, rather than its weights, keeps them in a group of their own.
            weights = _inside(root, "model_weights") if "model_weights" in root else root
            layers = _listed_layers(weights) if _attribute(weights, "layer_names") else _named_layers(weights)
            arrays = {
                f"{layer}/{number}": _array(dataset, n_bytes)
                for layer, datasets in layers
                for number, dataset in enumerate(datasets)
            }
    # What h5py raises for a damaged file: OSError when opening, the others on the way through it.
    except (OSError, KeyError, RuntimeError, AttributeError) as error:
        raise UnreadableWeights(f"not a readable Keras file: {error}") from error
    if not arrays:
        raise UnreadableWeights("the file holds no weights of Keras")
    return arrays


def _listed_layers(weights: h5py.Group) -> Iterator[tuple[str, list[h5py.Dataset]]]:
    """Yield the layers of Keras 2's layout, which lists the names of layers and of their weights in attributes."""
    for layer in _attribute(weights, "layer_names"):
        group = _inside(weights, layer)
        yield layer, [_inside(group, name) for name in _attribute(group, "weight_names")]


def _named_layers(weights: h5py.Group) -> Iterator[tuple[str, list[h5py.Dataset]]]:
    """Yield the layers of Keras 3's layout: `layers/CLASS_NUMBER/vars/0` …, where `vars` knows the layer's name."""
    for key in weights.get("layers", ()):
        group = _inside(weights, f"layers/{key}/vars")
        if len(group):
            yield (
                str(group.attrs["name"]),
                [_inside(group, name) for name in sorted(group, key=lambda name: (len(name), name))],
            )


def _attribute(group: h5py.Group, name: str) -> list[str]:
    """Return a list of names; a long one is cut into pieces, since an attribute of HDF5 has at most 64 KB."""
    pieces = [name] if name in group.attrs else takewhile(group.attrs.__contains__, (f"{name}{i}" for i in count()))
    values = [value for piece in pieces for value in group.attrs[piece]]
    return [value.decode() if isinstance(value, bytes) else str(value) for value in values]


def _inside(group: h5py.Group, path: str) -> Any:
    """Return what lies at `path`, step by step: a link could lead into any other file."""
    for name in path.split("/"):
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise UnsafeWeights(f"the weights have a link at {path}")
        group = group[name]
    return group


def _array(dataset: h5py.Dataset, n_bytes: int) -> NDArray[np.float32]:
    if dataset.external or dataset.is_virtual:
        raise UnsafeWeights(f"{dataset.name} refers to another file")
    if dataset.nbytes > n_bytes:
        raise UnreadableWeights(f"{dataset.name} declares {dataset.nbytes} bytes in a file of {n_bytes}")
    return np.asarray(dataset[()], dtype=np.float32)
