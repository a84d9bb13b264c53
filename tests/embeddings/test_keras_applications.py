"""Tests of the networks of `keras.applications` against the library's own, with weights in the layout it publishes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group
from numpy.typing import NDArray

from embeddings.install import install
from embeddings.networks import build
from embeddings.networks.torch_weights import MissingWeights
from embeddings.specs import spec_for
from embeddings.weights import load_weights

Images = NDArray[np.uint8]
Networks = Callable[[str], keras.Model]

APPLICATIONS: dict[str, tuple[Any, Any]] = {
    "mobilenet": (keras.applications.MobileNet, keras.applications.mobilenet.preprocess_input),
    "resnet50": (keras.applications.ResNet50, keras.applications.resnet50.preprocess_input),
    "vgg16": (keras.applications.VGG16, keras.applications.vgg16.preprocess_input),
}


@pytest.fixture(scope="module")
def network() -> Networks:
    """Return the library's network without its classes, mean-pooled, with random weights, all of them."""
    networks: dict[str, keras.Model] = {}

    def get(name: str) -> keras.Model:
        if name not in networks:
            keras.utils.set_random_seed(7)
            application = APPLICATIONS[name][0]
            networks[name] = application(weights=None, include_top=False, pooling="avg", input_shape=(224, 224, 3))
            disturb_norms(networks[name])
        return networks[name]

    return get


def disturb_norms(network: keras.Model) -> None:
    """Give batch normalisation other values than ones and zeros, which would hide a swap."""
    generator = np.random.default_rng(7)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([generator.uniform(0.5, 1.5, weight.shape) for weight in layer.get_weights()])


def save_legacy(network: keras.Model, path: Path) -> Path:
    """Write weights as Keras 2 did, which is the layout of the published files."""
    with h5py.File(path, "w") as file:
        save_weights_to_hdf5_group(file, network)
    return path


def unit(vectors: NDArray[Any]) -> NDArray[Any]:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("name", ["mobilenet", "vgg16", pytest.param("resnet50", marks=pytest.mark.thorough)])
def test_it_gives_the_features_that_keras_gives(name: str, network: Networks, photos: Images, tmp_path: Path) -> None:
    arrays, _ = load_weights(spec_for(name), save_legacy(network(name), tmp_path / "notop.h5"))
    received = build(name, arrays).predict(photos[:2], verbose=0)
    expected = network(name).predict(APPLICATIONS[name][1](photos[:2].astype(np.float32)), verbose=0)
    np.testing.assert_allclose(received, unit(expected), atol=1e-5)


@pytest.mark.parametrize("suffix", ["keras", "weights.h5"])
def test_it_takes_the_weights_in_the_layouts_of_keras_3(
    suffix: str, network: Networks, photos: Images, tmp_path: Path
) -> None:
    whole = tmp_path / f"mobilenet.{suffix}"
    network("mobilenet").save(whole) if suffix == "keras" else network("mobilenet").save_weights(whole)
    received = build("mobilenet", load_weights(spec_for("mobilenet"), whole)[0]).predict(photos[:2], verbose=0)
    preprocess = keras.applications.mobilenet.preprocess_input
    expected = network("mobilenet").predict(preprocess(photos[:2].astype(np.float32)), verbose=0)
    np.testing.assert_allclose(received, unit(expected), atol=1e-5)


def test_it_takes_layers_in_their_order_where_they_have_other_names(network: Networks, tmp_path: Path) -> None:
    arrays, _ = load_weights(spec_for("vgg16"), save_legacy(network("vgg16"), tmp_path / "notop.h5"))
    renamed = {f"old_{name}": values for name, values in arrays.items()}
    kernel = build("vgg16", renamed).get_layer("block5_conv3").get_weights()[0]
    np.testing.assert_array_equal(kernel, arrays["block5_conv3/0"])


def test_it_refuses_the_weights_of_another_network(network: Networks, tmp_path: Path) -> None:
    arrays, _ = load_weights(spec_for("vgg16"), save_legacy(network("vgg16"), tmp_path / "notop.h5"))
    with pytest.raises(MissingWeights, match="expected weights of 54 layers, got 13"):
        build("mobilenet", arrays)


def test_it_refuses_weights_of_another_shape(network: Networks, tmp_path: Path) -> None:
    arrays, _ = load_weights(spec_for("vgg16"), save_legacy(network("vgg16"), tmp_path / "notop.h5"))
    with pytest.raises(MissingWeights, match=r"block1_conv1: expected shapes \[\(3, 3, 3, 64\), \(64,\)\]"):
        build("vgg16", {**arrays, "block1_conv1/0": np.zeros((3, 3, 1, 64), np.float32)})


def test_it_installs_from_a_published_file(network: Networks, photos: Images, tmp_path: Path) -> None:
    weights = save_legacy(network("mobilenet"), tmp_path / "mobilenet_1_0_224_tf_no_top.h5")
    encoder = install(
        "mobilenet",
        tmp_path / "mobilenet",
        weights_path=weights,
        sample_images=photos[:2],
        report=lambda line: None,
    )
    assert encoder.parity["f32"] >= 0.9999
    assert encoder.weights_sha256 == load_weights(spec_for("mobilenet"), weights)[1]
