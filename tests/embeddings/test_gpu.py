"""What runs on a GPU, on the processor: Keras in place of the CPU runtime, batches that fit, other precisions."""

import logging
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from embeddings import device, networks
from embeddings.device import Device
from embeddings.encoder import Encoder
from embeddings.gpu import GpuNetwork
from embeddings.install import InstalledEncoder
from embeddings.networks import metric_convnet
from embeddings.networks.precision import in_precision

Install = Callable[[str], InstalledEncoder]
Images = NDArray[np.uint8]


@pytest.fixture
def with_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Keras' processor pass for a GPU."""
    monkeypatch.setattr(device, "find", lambda: Device(name="a processor", is_gpu=True))


@pytest.mark.parametrize("name", [pytest.param("mobilenet_v2", marks=pytest.mark.thorough), "efficientnet_lite0"])
def test_vectors_and_tags_are_those_of_the_cpu_runtime(
    name: str, installed: Install, photos: Images, with_gpu: None
) -> None:
    folder = installed(name).folder
    on_gpu, on_cpu = Encoder.load(folder, processor="gpu"), Encoder.load(folder)
    assert (on_gpu.encode(photos) * on_cpu.encode(photos)).sum(axis=1).min() > 0.999
    if on_gpu.spec.n_classes:
        assert [tags[0][0] for tags in on_gpu.encode_with_tags(photos)[1]] == [
            tags[0][0] for tags in on_cpu.encode_with_tags(photos)[1]
        ]


def test_without_a_gpu_it_computes_on_the_processor_and_says_so(
    installed: Install, photos: Images, caplog: pytest.LogCaptureFixture
) -> None:
    folder = installed("mobilenet_v2").folder
    with caplog.at_level(logging.WARNING):
        vectors = Encoder.load(folder, processor="gpu").encode(photos)
    assert "Keras finds no GPU: mobilenet_v2 computes on the processor." in caplog.text
    np.testing.assert_allclose(vectors, Encoder.load(folder).encode(photos), atol=1e-5)


class SmallGpu:
    """A network that has memory for so many pictures at once; their sums are their vectors."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.outputs = [np.empty((1, 1))]
        self.batches: list[int] = []

    def predict_on_batch(self, images: Images) -> Any:
        if len(images) > self.room:
            raise RuntimeError("RESOURCE_EXHAUSTED: out of memory while trying to allocate 1 byte")
        self.batches.append(len(images))
        return images.astype(np.float32).sum(axis=(1, 2, 3))[:, np.newaxis]


def gpu_of(network: SmallGpu) -> GpuNetwork:
    return GpuNetwork(network)  # type: ignore[arg-type]  # as much of a network as is asked for


def test_batches_shrink_until_they_fit_and_stay_so() -> None:
    network = SmallGpu(room=64)
    images = np.random.default_rng(0).integers(0, 256, (200, 4, 4, 3), dtype=np.uint8)
    made = gpu_of(network)
    (sums,) = made.run(images)
    np.testing.assert_allclose(sums[:, 0], images.sum(axis=(1, 2, 3)))
    # The last eight pictures are a batch of a size that was compiled: a power of two.
    assert network.batches == [64, 64, 64, 8]
    made.run(images[:70])
    assert network.batches[4:] == [64, 8]


def test_a_picture_that_does_not_fit_alone_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="RESOURCE_EXHAUSTED"):
        gpu_of(SmallGpu(room=0)).run(np.zeros((3, 4, 4, 3), np.uint8))


def test_no_pictures_are_no_batch() -> None:
    assert gpu_of(SmallGpu(room=8)).run(np.zeros((0, 4, 4, 3), np.uint8))[0].shape == (0, 1)


@pytest.mark.parametrize("name", ["mobilenet_v2", pytest.param("vit_tiny", marks=pytest.mark.thorough)])
def test_a_network_in_16_bits_is_nearly_the_same_and_back_again_the_same(name: str) -> None:
    network = networks.build(name, None)
    images = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), dtype=np.uint8)
    half = in_precision(network, "mixed_bfloat16")
    assert {layer.compute_dtype for layer in half.layers[1:]} == {"bfloat16"}
    assert {str(weight.dtype) for weight in half.weights} == {"float32"}
    exact, rough = network.predict_on_batch(images), half.predict_on_batch(images)
    assert (exact * np.asarray(rough, np.float32)).sum(axis=1).min() > 0.98
    np.testing.assert_array_equal(in_precision(half, "float32").predict_on_batch(images), exact)


def test_a_vector_is_of_32_bits_whatever_the_layers_before_it_compute_in() -> None:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        network = metric_convnet.build_network(32, 8, depth="residual")
    finally:
        keras.config.set_dtype_policy(before)
    vectors = network.predict_on_batch(np.zeros((1, 32, 32, 3), np.uint8))
    assert vectors.dtype == np.float32
    assert abs(np.linalg.norm(vectors) - 1) < 1e-6
