"""Tests of the networks that are trained here: their layers, their files, the CPU runtime, and that they learn."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from embeddings.networks import conv_autoencoder, metric_convnet
from embeddings.runtime import CpuNetwork
from embeddings.training.batches import pairs
from embeddings.training.losses import PairsSoftmax

Pictures = NDArray[np.uint8]

ENCODERS: dict[str, Callable[[], keras.Model]] = {
    "published": lambda: metric_convnet.build_network(32, 8, depth="published"),
    "residual": lambda: metric_convnet.build_network(32, 8, depth="residual"),
    "autoencoder": lambda: conv_autoencoder.build_network(32, 8)[1],
    "autoencoder, l2": lambda: conv_autoencoder.build_network(48, 8, distance="l2")[1],
}
every_encoder = pytest.mark.parametrize("build", ENCODERS.values(), ids=ENCODERS)


def noise(n: int, size: int) -> Pictures:
    return np.random.default_rng(0).integers(0, 256, (n, size, size, 3), dtype=np.uint8)


def tinted(n: int) -> tuple[Pictures, NDArray[np.int64]]:
    """Return n noisy pictures of 32 x 32 and their class, by turns reddish, greenish and bluish."""
    labels = np.arange(n) % 3
    return noise(n, 32) // 8 + 200 * np.eye(3, dtype=np.uint8)[labels][:, np.newaxis, np.newaxis], labels


def losses_of(network: keras.Model, loss: keras.losses.Loss | str, inputs: Pictures, targets: NDArray) -> list[float]:
    """Train for five epochs in batches of six; return the loss of each epoch."""
    # XLA would take longer to compile than this takes to run.
    network.compile(keras.optimizers.Adam(2e-3), loss, jit_compile=False)
    return network.fit(inputs, targets, batch_size=6, epochs=5, shuffle=False, verbose=0).history["loss"]


@every_encoder
def test_a_stored_network_loads_in_safe_mode_and_gives_the_same(
    build: Callable[[], keras.Model], tmp_path: Path
) -> None:
    network = build()
    images = noise(5, network.input_shape[1])
    network.save(tmp_path / "network.keras")
    again = keras.saving.load_model(tmp_path / "network.keras", safe_mode=True)
    np.testing.assert_allclose(again.predict(images, verbose=0), network.predict(images, verbose=0), atol=1e-6)


@every_encoder
def test_the_cpu_runtime_gives_the_same_vectors(build: Callable[[], keras.Model], tmp_path: Path) -> None:
    network = build()
    images = noise(8, network.input_shape[1])
    network.export(str(tmp_path / "network.xml"), format="openvino", verbose=False)
    expected, (received,) = network.predict(images, verbose=0), CpuNetwork(tmp_path / "network.xml").run(images)
    lengths = np.linalg.norm(expected, axis=1) * np.linalg.norm(received, axis=1)
    assert np.min(np.sum(expected * received, axis=1) / lengths) >= 0.9999
    np.testing.assert_allclose(received, expected, atol=1e-3)


@every_encoder
def test_a_black_picture_has_a_direction_from_the_start(build: Callable[[], keras.Model]) -> None:
    network = build()
    black = np.zeros((1, *network.input_shape[1:]), np.uint8)
    assert np.linalg.norm(network.predict(black, verbose=0)) > 1e-3


@pytest.mark.parametrize("name", ["published", "residual", "autoencoder"])
def test_a_cosine_encoder_ends_in_pool_and_unit_vectors(name: str) -> None:
    network = ENCODERS[name]()
    images = noise(3, 32)
    pool, vectors = keras.Model(network.input, [network.get_layer("pool").output, network.get_layer("vectors").output])(
        images
    )
    assert [layer.name for layer in network.layers[-2:]] == ["pool", "vectors"]
    assert tuple(pool.shape) == (3, 8)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(network.predict(images, verbose=0), np.asarray(vectors), atol=1e-5)


def test_the_published_network_has_the_published_layers() -> None:
    network = metric_convnet.build_network(32, 8, depth="published")
    kernels = [weights.shape for weights in network.get_weights() if weights.ndim > 1]
    assert kernels == [(3, 3, 3, 32), (3, 3, 32, 64), (3, 3, 64, 128), (128, 8)]


def test_the_residual_network_is_small() -> None:
    assert 500_000 < metric_convnet.build_network(32, 8, depth="residual").count_params() < 1_000_000


@pytest.mark.parametrize(
    ("size", "dim", "depth", "message"),
    [
        (14, 8, "published", "expected an input of at least 15 and a dim of at least 1, got 14, 8"),
        (32, 0, "residual", "expected an input of at least 15 and a dim of at least 1, got 32, 0"),
        (32, 8, "deep", "expected a depth of published, residual, got 'deep'"),
    ],
)
def test_the_metric_network_refuses_what_it_cannot_be(size: int, dim: int, depth: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        metric_convnet.build_network(size, dim, depth=depth)


@pytest.mark.parametrize("depth", ["published", pytest.param("residual", marks=pytest.mark.thorough)])
def test_the_metric_networks_learn_what_looks_alike(depth: metric_convnet.Depth) -> None:
    keras.utils.set_random_seed(0)
    pictures, labels = tinted(30)
    chosen = pairs(labels, n_batches=12, seed=0, epoch=0).ravel()
    losses = losses_of(
        metric_convnet.build_network(32, 8, depth=depth), PairsSoftmax(), pictures[chosen], labels[chosen]
    )
    assert losses[-1] < losses[0] / 2


def test_a_batch_of_black_pictures_leaves_the_weights_finite() -> None:
    network = metric_convnet.build_network(32, 8, depth="published")
    losses_of(network, PairsSoftmax(), np.zeros((6, 32, 32, 3), np.uint8), np.zeros(6))
    assert max(np.abs(weights).max() for weights in network.get_weights()) < 10


def test_the_autoencoder_draws_a_picture_of_the_same_size() -> None:
    autoencoder, encoder = conv_autoencoder.build_network(48, 20)
    drawn = autoencoder.predict(noise(2, 48), verbose=0)
    assert drawn.shape == (2, 48, 48, 3)
    assert drawn.dtype == np.float32
    assert 0 <= drawn.min() <= drawn.max() <= 1
    assert encoder.output_shape == (None, 20)


def test_an_l2_encoder_ends_in_pool() -> None:
    _, encoder = conv_autoencoder.build_network(48, 8, distance="l2")
    assert encoder.layers[-1].name == "pool"
    assert "vectors" not in {layer.name for layer in encoder.layers}


def test_the_encoder_learns_when_the_autoencoder_does() -> None:
    keras.utils.set_random_seed(0)
    pictures, _ = tinted(60)
    autoencoder, encoder = conv_autoencoder.build_network(32, 16)
    vectors = encoder.predict(pictures[:2], verbose=0)
    losses = losses_of(autoencoder, "mse", pictures, pictures.astype(np.float32) / 255)
    assert losses[-1] < losses[0] * 0.7
    assert np.abs(encoder.predict(pictures[:2], verbose=0) - vectors).max() > 0.01


def test_the_autoencoder_of_256_pixels_stays_small() -> None:
    autoencoder, _ = conv_autoencoder.build_network(256, 128)
    assert autoencoder.output_shape == (None, 256, 256, 3)
    assert autoencoder.count_params() < 3_500_000


@pytest.mark.parametrize("size", [0, 8, 31, 250])
def test_the_autoencoder_says_which_sizes_it_takes(size: int) -> None:
    with pytest.raises(ValueError, match=rf"a multiple of 16 \(16, 32, 48, …\) and a dim of at least 1, got {size}, 8"):
        conv_autoencoder.build_network(size, 8)
