"""Tests of the spatial features in the exported graph of every family of networks: random weights, small pictures."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pytest
from keras.src.applications.resnet import ResNet, stack_residual_blocks_v1
from numpy.typing import NDArray

from embeddings.networks import build, conv_autoencoder, dinov2, metric_convnet, vit
from embeddings.networks.keras_applications import pooled
from embeddings.runtime import CpuNetwork
from embeddings.spatial import NoLocations
from embeddings.specs import spec_for

Pictures = NDArray[np.uint8]


def transformer(architecture: vit.Architecture, size: int) -> keras.Model:
    spec = replace(spec_for("vit_tiny"), dim=32, input_size=size)
    return vit.transformer(spec, None, replace(architecture, n_blocks=2, head_dim=8))


def short_resnet() -> keras.Model:
    """Return one block of the ResNet50 of `keras.applications`: exporting all of it takes ten seconds."""
    block = partial(stack_residual_blocks_v1, filters=8, blocks=1, stride1=2, name="conv2")
    body = partial(ResNet, block, False, True)
    return pooled(replace(spec_for("resnet50"), input_size=64), None, body, keras.applications.resnet.preprocess_input)


# Each network, and the shape of its locations for one picture.
NETWORKS: dict[str, tuple[Callable[[], keras.Model], tuple[int, int, int]]] = {
    "resnet50": (short_resnet, (8, 8, 32)),
    "vgg16": (lambda: build("vgg16", None, input_size=64), (2, 2, 512)),
    "published": (lambda: metric_convnet.build_network(32, 8, depth="published"), (3, 3, 128)),
    "residual": (lambda: metric_convnet.build_network(32, 8, depth="residual"), (4, 4, 128)),
    "autoencoder": (lambda: conv_autoencoder.build_network(32, 8)[1], (2, 2, 32)),
    "autoencoder, l2": (lambda: conv_autoencoder.build_network(48, 8, distance="l2")[1], (3, 3, 32)),
    "vit": (partial(transformer, vit.VIT, 64), (4, 4, 32)),
    "dinov2": (partial(transformer, dinov2.DINOV2, 70), (5, 5, 32)),
}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Export a network by its name in `NETWORKS`, once, and return its `.xml` file; the `.keras` file lies beside."""
    paths: dict[str, Path] = {}

    def export(name: str) -> Path:
        if name not in paths:
            keras.utils.set_random_seed(7)
            paths[name] = tmp_path_factory.mktemp("networks") / "network.xml"
            network = NETWORKS[name][0]()
            network.export(str(paths[name]), format="openvino", verbose=False)
            network.save(paths[name].with_suffix(".keras"))
        return paths[name]

    return export


def noise(path: Path, n: int = 2) -> Pictures:
    size = CpuNetwork(path).input_size
    return np.random.default_rng(0).integers(0, 256, (n, size, size, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_has_rows_and_columns(name: str, exported: Callable[[str], Path]) -> None:
    locations = CpuNetwork(exported(name), locations=True).locations(noise(exported(name)))
    assert locations.shape == (2, *NETWORKS[name][1])
    assert locations.dtype == np.float32
    assert np.isfinite(locations).all()


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(("down", "right"), [(False, True), (True, False)])
def test_they_lie_as_the_picture_does(name: str, down: bool, right: bool, exported: Callable[[str], Path]) -> None:
    pictures = noise(exported(name))
    quarter = pictures.shape[1] // 4
    rows, columns = (slice(-quarter, None) if at_end else slice(quarter) for at_end in (down, right))
    pictures[1] = pictures[0]
    pictures[1][rows, columns] = 0
    before, after = CpuNetwork(exported(name), locations=True).locations(pictures)
    changed = np.linalg.norm(after - before, axis=-1)
    row, column = np.unravel_index(changed.argmax(), changed.shape)
    assert (row >= len(changed) / 2, column >= len(changed) / 2) == (down, right)


@pytest.mark.parametrize("name", ["resnet50", "vgg16"])
def test_their_mean_is_the_vector_where_a_network_pools(name: str, exported: Callable[[str], Path]) -> None:
    pictures = noise(exported(name))
    means = CpuNetwork(exported(name), locations=True).locations(pictures).mean(axis=(1, 2))
    vectors = CpuNetwork(exported(name)).run(pictures)[0]
    np.testing.assert_allclose(means / np.linalg.norm(means, axis=1, keepdims=True), vectors, atol=1e-5)


@pytest.mark.parametrize("name", ["vit", "dinov2"])
def test_the_tokens_of_a_transformer_are_normalised_as_its_class_token_is(
    name: str, exported: Callable[[str], Path]
) -> None:
    network = keras.models.load_model(exported(name).with_suffix(".keras"))
    tokens = keras.Model(network.input, network.get_layer("class_token").input)
    pictures = noise(exported(name))
    expected = network.get_layer("norm")(tokens.predict(pictures, verbose=0))[:, 1:]
    received = CpuNetwork(exported(name), locations=True).locations(pictures)
    np.testing.assert_allclose(received.reshape(expected.shape), expected, atol=1e-4)


def test_a_network_without_them_says_so(tmp_path: Path) -> None:
    pictures = keras.Input((8, 8, 3), dtype="uint8")
    flat = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(pictures))
    network = keras.Model(pictures, keras.layers.Dense(4)(flat))
    network.export(str(tmp_path / "network.xml"), format="openvino", verbose=False)
    with pytest.raises(NoLocations, match="no features that belong to a place"):
        CpuNetwork(tmp_path / "network.xml", locations=True)
