"""Read the tensors of a PyTorch checkpoint into numpy arrays, without PyTorch and without running its pickle freely.

A checkpoint is a pickle, and a pickle may call anything. The unpickler here knows the names that a plain state dict
needs and refuses every other. Both layouts are read: the legacy stream (before PyTorch 1.6) and the zip archive.
"""

import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]

# Layout: _legacy_save in torch/serialization.py.
_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_DTYPES = {
    "FloatStorage": np.dtype("<f4"),
    "DoubleStorage": np.dtype("<f8"),
    "HalfStorage": np.dtype("<f2"),
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
    "ByteStorage": np.dtype("u1"),
    "BoolStorage": np.dtype("?"),
}


class UnsafeWeights(ValueError):
    """Raised for a checkpoint whose pickle asks for a name that a plain state dict has no need of."""


class UnreadableWeights(ValueError):
    """Raised for a file that is no PyTorch state dict, or only part of one."""


@dataclass(frozen=True, kw_only=True)
class _Storage:
    key: str
    dtype: np.dtype[Any]
    n_items: int


@dataclass(frozen=True, kw_only=True)
class _Tensor:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _rebuild_tensor(
    storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: object
) -> _Tensor:
    return _Tensor(storage=storage, offset=offset, shape=tuple(shape), strides=tuple(strides))


class _ClosedUnpickler(pickle.Unpickler):
    """An unpickler that resolves no name by importing it."""

    _ALLOWED: Mapping[tuple[str, str], object] = {
        ("collections", "OrderedDict"): OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
        **{("torch", name): dtype for name, dtype in _DTYPES.items()},
    }

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self._ALLOWED[module, name]
        except KeyError:
            raise UnsafeWeights(f"the weights ask for {module}.{name}, which a state dict does not need") from None

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, key, _location, n_items, *view = pid
        if kind != "storage" or not isinstance(dtype, np.dtype) or any(part is not None for part in view):
            raise UnreadableWeights(f"unexpected reference in the weights: {kind!r}")
        return _Storage(key=str(key), dtype=dtype, n_items=int(n_items))


def read_state_dict(stream: BinaryIO) -> dict[str, NDArray[Any]]:
    """Return the tensors of a checkpoint by name, each a contiguous array of its own.

    stream: a seekable binary file that holds what `torch.save(network.state_dict())` writes.
    Raises UnsafeWeights if the pickle asks for anything but tensors, UnreadableWeights if the file is damaged.
    """
    try:
        if zipfile.is_zipfile(stream):
            return _read_zip(stream)
        stream.seek(0)
        return _read_legacy(stream)
    except (UnsafeWeights, UnreadableWeights):
        raise
    # A damaged pickle can fail in almost any way: the pickle module documents these and "not limited to" them.
    except Exception as error:
        raise UnreadableWeights(f"not a readable PyTorch state dict: {error}") from error


def _read_legacy(stream: BinaryIO) -> dict[str, NDArray[Any]]:
    if _unpickle(stream) != _MAGIC or _unpickle(stream) != _PROTOCOL or not _unpickle(stream)["little_endian"]:
        raise UnreadableWeights("not a PyTorch state dict: the header does not fit")
    tensors = _unpickle(stream)
    keys = _unpickle(stream)
    sizes = {tensor.storage.key: tensor.storage for tensor in _tensors(tensors).values()}
    storages: dict[str, NDArray[Any]] = {}
    for key in keys:
        storage = sizes[key]
        n_items = int.from_bytes(stream.read(8), "little")
        if n_items != storage.n_items:
            raise UnreadableWeights(f"storage {key} has {n_items} items, its tensors expect {storage.n_items}")
        storages[key] = _array(stream.read(n_items * storage.dtype.itemsize), storage)
    return _assemble(tensors, storages.__getitem__)


def _read_zip(stream: BinaryIO) -> dict[str, NDArray[Any]]:
    with zipfile.ZipFile(stream) as archive:
        pickles = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise UnreadableWeights(f"expected one data.pkl in the archive, found {len(pickles)}")
        root = pickles[0].removesuffix("data.pkl")
        order = f"{root}byteorder"
        if order in archive.namelist() and archive.read(order) != b"little":
            raise UnreadableWeights("the weights are big-endian")
        tensors = _unpickle(io.BytesIO(archive.read(pickles[0])))
        storages = {
            tensor.storage.key: _array(archive.read(f"{root}data/{tensor.storage.key}"), tensor.storage)
            for tensor in _tensors(tensors).values()
        }
        return _assemble(tensors, storages.__getitem__)


def _unpickle(stream: BinaryIO) -> Any:
    return _ClosedUnpickler(stream, encoding="utf-8").load()


def _tensors(state: object) -> dict[str, _Tensor]:
    if not isinstance(state, dict) or not all(isinstance(value, _Tensor) for value in state.values()):
        raise UnreadableWeights("not a plain state dict: expected tensors by name and nothing else")
    return state


def _array(raw: bytes, storage: _Storage) -> NDArray[Any]:
    if len(raw) != storage.n_items * storage.dtype.itemsize:
        raise UnreadableWeights(f"storage {storage.key} is cut short: {len(raw)} bytes for {storage.n_items} items")
    return np.frombuffer(raw, dtype=storage.dtype)


def _assemble(state: object, storage_for: Callable[[str], NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {name: _view(tensor, storage_for(tensor.storage.key)) for name, tensor in _tensors(state).items()}


def _view(tensor: _Tensor, items: NDArray[Any]) -> NDArray[Any]:
    """Return the tensor's items in its own shape; the strides of a checkpoint need not be contiguous."""
    if len(tensor.shape) != len(tensor.strides) or min((tensor.offset, *tensor.shape, *tensor.strides), default=0) < 0:
        raise UnreadableWeights(f"impossible shape {tensor.shape} with strides {tensor.strides}")
    last = tensor.offset + sum((n - 1) * stride for n, stride in zip(tensor.shape, tensor.strides, strict=True))
    if 0 not in tensor.shape and last >= items.size:
        raise UnreadableWeights(f"a tensor reaches item {last} of a storage of {items.size}")
    start = items[tensor.offset :]
    strides = tuple(stride * items.itemsize for stride in tensor.strides)
    return np.array(np.lib.stride_tricks.as_strided(start, tensor.shape, strides, writeable=False), order="C")
