"""Tests of reading the weights in Keras' files, and of refusing what in them could do harm."""

import json
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras import layers

from embeddings.keras_files import read_h5, read_keras
from embeddings.torch_files import UnreadableWeights, UnsafeWeights

KERNEL = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.fixture
def file(tmp_path: Path) -> h5py.File:
    """A file in Keras 2's layout with one layer, open to be changed."""
    with h5py.File(tmp_path / "net.h5", "w") as file:
        file.attrs["layer_names"] = [b"pictures", b"dense"]
        file.create_group("pictures").attrs["weight_names"] = np.array([], dtype="S1")
        file.create_group("dense").attrs["weight_names"] = [b"dense/kernel:0", b"dense/bias:0"]
        file["dense"]["dense/kernel:0"] = KERNEL
        file["dense"]["dense/bias:0"] = np.zeros(3, np.float32)
        yield file


def read(file: h5py.File) -> dict[str, np.ndarray]:
    file.flush()
    return dict(read_h5(Path(file.filename)))


def test_it_reads_the_layers_that_a_file_lists(file: h5py.File) -> None:
    arrays = read(file)
    assert list(arrays) == ["dense/0", "dense/1"]
    np.testing.assert_array_equal(arrays["dense/0"], KERNEL)


def test_it_reads_a_list_that_is_cut_into_pieces(file: h5py.File) -> None:
    del file.attrs["layer_names"]
    file.attrs["layer_names0"], file.attrs["layer_names1"] = [b"pictures"], [b"dense"]
    assert list(read(file)) == ["dense/0", "dense/1"]


def test_it_reads_the_weights_in_the_file_of_a_whole_network(file: h5py.File) -> None:
    group = file.create_group("model_weights")
    group.attrs["layer_names"] = file.attrs["layer_names"]
    file.move("dense", "model_weights/dense")
    file.move("pictures", "model_weights/pictures")
    assert list(read(file)) == ["dense/0", "dense/1"]


@pytest.mark.parametrize("link", [h5py.SoftLink("/other"), h5py.ExternalLink("/etc/passwd", "/")])
def test_it_refuses_a_link(link: h5py.SoftLink | h5py.ExternalLink, file: h5py.File) -> None:
    del file["dense/dense/bias:0"]
    file["dense/dense/bias:0"] = link
    with pytest.raises(UnsafeWeights, match="the weights have a link at dense/bias:0"):
        read(file)


def test_it_refuses_an_array_that_lies_in_another_file(file: h5py.File, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(bytes(12))
    del file["dense/dense/bias:0"]
    file["dense"].create_dataset("dense/bias:0", (3,), np.float32, external=[(str(tmp_path / "secret"), 0, 12)])
    with pytest.raises(UnsafeWeights, match="refers to another file"):
        read(file)


def test_it_refuses_an_array_larger_than_its_file(file: h5py.File) -> None:
    del file["dense/dense/bias:0"]
    file["dense"].create_dataset("dense/bias:0", (10**12,), np.float32, chunks=(1024,))
    with pytest.raises(UnreadableWeights, match="declares 4000000000000 bytes in a file of"):
        read(file)


def test_it_refuses_a_file_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "net.h5").write_bytes(b"not weights")
    with pytest.raises(UnreadableWeights, match="not a readable Keras file"):
        read_h5(tmp_path / "net.h5")


def test_it_refuses_a_file_without_weights(tmp_path: Path) -> None:
    h5py.File(tmp_path / "net.h5", "w").close()
    with pytest.raises(UnreadableWeights, match="holds no weights of Keras"):
        read_h5(tmp_path / "net.h5")


def test_it_refuses_a_listed_layer_that_is_missing(file: h5py.File) -> None:
    file.attrs["layer_names"] = [b"dense", b"gone"]
    with pytest.raises(UnsafeWeights, match="link at gone"):
        read(file)


def saved(path: Path, *inside: layers.Layer) -> Path:
    keras.Sequential([keras.Input((2,)), *inside]).save(path)
    return path


def test_it_reads_a_keras_file_by_the_names_of_layers(tmp_path: Path) -> None:
    path = saved(tmp_path / "net.keras", layers.Dense(3, name="zebra"), layers.Dense(4, name="ant"))
    arrays = read_keras(path)
    assert {name: values.shape for name, values in arrays.items()} == {
        "zebra/0": (2, 3),
        "zebra/1": (3,),
        "ant/0": (3, 4),
        "ant/1": (4,),
    }


def test_it_refuses_a_keras_file_with_a_lambda_layer(tmp_path: Path) -> None:
    path = saved(tmp_path / "net.keras", layers.Dense(3), layers.Lambda(lambda x: x))
    with pytest.raises(UnsafeWeights, match=r"net\.keras has a Lambda layer, which is code"):
        read_keras(path)


def test_it_refuses_a_keras_file_with_a_layer_of_another_package(tmp_path: Path) -> None:
    path = saved(tmp_path / "net.keras", layers.Dense(3))
    with zipfile.ZipFile(path) as archive:
        config, weights = json.loads(archive.read("config.json")), archive.read("model.weights.h5")
    config["config"]["layers"][-1].update(module="os", class_name="system")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", weights)
    with pytest.raises(UnsafeWeights, match="a layer of the class system, which is not one of Keras itself"):
        read_keras(path)


def test_it_refuses_a_keras_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "net.keras").write_bytes(b"not weights")
    with pytest.raises(UnreadableWeights, match=r"net\.keras is no \.keras file"):
        read_keras(tmp_path / "net.keras")
