"""Tests of the Keras networks against values that PyTorch gave for the same weights and the same picture."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from embeddings.install import InstalledEncoder
from embeddings.networks import build, load
from embeddings.networks.torch_weights import MissingWeights
from embeddings.specs import SPECS, EncoderSpec, UnknownEncoder

# Leading values and the three largest, by place, of PyTorch 2.13's unit vector for the gradient picture.
CANONICAL = {
    "mobilenet_v2": (
        [0.017195, 0.000654, 0.000541, 0.015226, 0.0, 0.0, 0.010505, 0.000635, 0.001168, 0.008966, 0.000768, 0.025142],
        {738: 0.20815, 110: 0.17982, 641: 0.16818},
    ),
    "efficientnet_lite0": (
        [0.0, 0.0, 0.007508, 0.001246, 0.0, 0.0, 0.0, 0.0, 0.0, 0.003788, 0.0, 0.0],
        {897: 0.40463, 113: 0.31125, 689: 0.24617},
    ),
    "resnet50_augnet": (
        [0.003454, 0.008711, 0.009074, 0.027919, 0.042499, 0.014817, 0.008752, 2.8e-05, 0.002781, 0.022103, 0.019129],
        {1276: 0.11623, 93: 0.10839, 1878: 0.09853},
    ),
}
# The largest takes a minute to be exported.
each_encoder = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.thorough) if "resnet" in name else name for name in CANONICAL]
)


def outputs_of(encoder: InstalledEncoder, images: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
    outputs = load(encoder.folder / f"{encoder.spec.name}.keras").predict(images, verbose=0)
    return outputs if isinstance(outputs, list) else [outputs]


@each_encoder
def test_the_stored_network_gives_the_vector_that_torch_gives(
    name: str, installed: Callable[[str], InstalledEncoder], gradient: NDArray[np.uint8]
) -> None:
    leading, largest = CANONICAL[name]
    vector = outputs_of(installed(name), gradient)[0][0]
    np.testing.assert_allclose(vector[: len(leading)], leading, atol=1e-5)
    np.testing.assert_allclose(vector[list(largest)], list(largest.values()), atol=2e-5)
    assert list(np.argsort(-vector)[:3]) == list(largest)


@each_encoder
def test_the_vectors_have_unit_length(
    name: str, installed: Callable[[str], InstalledEncoder], photos: NDArray[np.uint8]
) -> None:
    vectors = outputs_of(installed(name), photos)[0]
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_the_class_head_gives_the_probabilities_that_torch_gives(
    installed: Callable[[str], InstalledEncoder], gradient: NDArray[np.uint8]
) -> None:
    probabilities = outputs_of(installed("efficientnet_lite0"), gradient)[1][0]
    np.testing.assert_allclose(probabilities[[818, 782, 604]], [0.027423, 0.025414, 0.021726], atol=1e-5)
    np.testing.assert_allclose(probabilities.sum(), 1, atol=1e-5)


@pytest.mark.parametrize("spec", SPECS.values(), ids=lambda spec: spec.name)
def test_without_weights_every_network_ends_in_pool_and_vectors(spec: EncoderSpec) -> None:
    network = build(spec.name, None)
    pool, vectors = network.get_layer("pool"), network.get_layer("vectors")
    assert network.input.shape == (None, spec.input_size, spec.input_size, 3)
    assert network.input.dtype == "uint8"
    assert vectors.input is pool.output
    assert pool.output.shape == (None, spec.dim)
    assert any(vectors.output is output for output in network.outputs)


def test_a_vision_transformer_comes_back_from_its_file(tmp_path: Path, photos: NDArray[np.uint8]) -> None:
    network = build("vit_tiny", None)
    network.save(tmp_path / "vit_tiny.keras")
    again = load(tmp_path / "vit_tiny.keras")
    np.testing.assert_array_equal(again.predict(photos[:1], verbose=0), network.predict(photos[:1], verbose=0))


def test_it_says_which_weights_are_missing() -> None:
    with pytest.raises(MissingWeights, match=r"the weights have no features\.0\.0\.weight"):
        build("mobilenet_v2", {})


def test_it_refuses_weights_of_another_shape() -> None:
    with pytest.raises(MissingWeights, match=r"features\.0\.0: expected shapes \[\(3, 3, 3, 32\)\]"):
        build("mobilenet_v2", {"features.0.0.weight": np.zeros((16, 3, 3, 3), np.float32)})


def test_it_refuses_an_unknown_encoder() -> None:
    with pytest.raises(UnknownEncoder):
        build("resnet51", {})


def test_each_network_says_where_its_files_are(installed: Callable[[str], InstalledEncoder]) -> None:
    encoder = installed("mobilenet_v2")
    names = {"mobilenet_v2.keras", "mobilenet_v2.xml", "mobilenet_v2.bin", "mobilenet_v2.json"}
    assert {Path(path).name for path in encoder.folder.iterdir()} == names
