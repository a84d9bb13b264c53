"""Tests of the losses against slow twins in plain numpy, hand-worked cases, and batches that have nothing to learn."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from embeddings.training.losses import MultiSimilarity, PairsSoftmax, Proxies, ProxyAnchor, SupervisedContrastive

Vectors = NDArray[np.float32]
Labels = NDArray[np.int64]

X, Y = [1.0, 0.0], [0.0, 1.0]
LOSSES = (PairsSoftmax, SupervisedContrastive, MultiSimilarity, ProxyAnchor)
LABELS = {
    "balanced": [0, 1, 2, 3, 0, 1, 2, 3],
    "uneven": [2, 0, 0, 1, 0, 3, 0, 2],
    "one class": [1] * 8,
    "all different": list(range(8)),
}


def unit_vectors(n: int = 8, dim: int = 8, seed: int = 0) -> Vectors:
    vectors = np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def slow_pairs_softmax(labels: Labels, vectors: Vectors) -> float:
    n = len(vectors) // 2
    logits = [[float(vectors[i] @ vectors[n + j]) / 0.2 for j in range(n)] for i in range(n)]
    return float(np.mean([np.log(np.sum(np.exp(logits[i]))) - logits[i][i] for i in range(n)]))


def slow_supervised_contrastive(labels: Labels, vectors: Vectors) -> float:
    n, values = len(vectors), []
    for i in range(n):
        weights = {j: np.exp(float(vectors[i] @ vectors[j]) / 0.1) for j in range(n) if j != i}
        chances = [weights[j] / sum(weights.values()) for j in weights if labels[j] == labels[i]]
        values.append(-np.mean(np.log(chances)) if chances else 0.0)
    return float(np.mean(values))


def slow_multi_similarity(labels: Labels, vectors: Vectors) -> float:
    n, values = len(vectors), []
    for i in range(n):
        positives = [float(vectors[i] @ vectors[j]) for j in range(n) if j != i and labels[j] == labels[i]]
        negatives = [float(vectors[i] @ vectors[j]) for j in range(n) if labels[j] != labels[i]]
        near = [cosine for cosine in negatives if positives and cosine > min(positives) - 0.1]
        far = [cosine for cosine in positives if negatives and cosine < max(negatives) + 0.1]
        pull = np.log(1 + sum(np.exp(-2 * (cosine - 0.5)) for cosine in far)) / 2
        values.append(pull + np.log(1 + sum(np.exp(50 * (cosine - 0.5)) for cosine in near)) / 50)
    return float(np.mean(values))


def slow_proxy_anchor(labels: Labels, cosines: Vectors) -> float:
    pulls, pushes = [], []
    for proxy in range(cosines.shape[1]):
        own = [float(row[proxy]) for row, label in zip(cosines, labels, strict=True) if label == proxy]
        rest = [float(row[proxy]) for row, label in zip(cosines, labels, strict=True) if label != proxy]
        if own:
            pulls.append(np.log(1 + sum(np.exp(-32 * (cosine - 0.1)) for cosine in own)))
        pushes.append(np.log(1 + sum(np.exp(32 * (cosine + 0.1)) for cosine in rest)))
    return float(np.mean(pulls) + np.mean(pushes))


TWINS = (slow_pairs_softmax, slow_supervised_contrastive, slow_multi_similarity, slow_proxy_anchor)


def value_of(loss: keras.losses.Loss, labels: list[int], vectors: Vectors | list[list[float]]) -> float:
    return float(loss(np.array(labels), np.array(vectors, np.float32)))


def gradient_of(loss: keras.losses.Loss, labels: list[int], vectors: Vectors) -> Vectors:
    """Return the gradient by what one step of a rate of 1 takes away: this needs no backend by name."""
    table = keras.layers.Embedding(*vectors.shape)
    network = keras.Sequential([keras.Input((), dtype="int32"), table])
    table.set_weights([vectors])
    network.compile(keras.optimizers.SGD(1.0), loss, jit_compile=False)
    network.train_on_batch(np.arange(len(vectors)), np.array(labels))
    return vectors - table.get_weights()[0]


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
@pytest.mark.parametrize(("loss", "twin"), list(zip(LOSSES, TWINS, strict=True)))
def test_it_gives_what_its_slow_twin_gives(
    loss: type[keras.losses.Loss], twin: Callable[[Labels, Vectors], float], labels: list[int]
) -> None:
    for seed in range(5):
        vectors = unit_vectors(seed=seed)
        assert value_of(loss(), labels, vectors) == pytest.approx(twin(np.array(labels), vectors), abs=1e-5, rel=1e-5)


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
@pytest.mark.parametrize(("loss", "twin"), list(zip(LOSSES, TWINS, strict=True)))
def test_its_gradient_is_the_slope_of_its_slow_twin(
    loss: type[keras.losses.Loss], twin: Callable[[Labels, Vectors], float], labels: list[int]
) -> None:
    vectors = unit_vectors(seed=3).astype(np.float64)
    direction = np.random.default_rng(1).normal(size=vectors.shape)
    step = 1e-6 * direction
    slope = (twin(np.array(labels), vectors + step) - twin(np.array(labels), vectors - step)) / 2e-6
    gradient = gradient_of(loss(), labels, vectors.astype(np.float32))
    assert float(np.sum(gradient * direction)) == pytest.approx(slope, rel=1e-3, abs=1e-5)


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
@pytest.mark.parametrize("loss", LOSSES)
def test_identical_vectors_give_a_finite_loss_and_gradient(loss: type[keras.losses.Loss], labels: list[int]) -> None:
    vectors = np.tile(unit_vectors(n=1), (8, 1))
    assert np.isfinite(value_of(loss(), labels, vectors))
    assert np.isfinite(gradient_of(loss(), labels, vectors)).all()


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
@pytest.mark.parametrize("loss", LOSSES)
def test_opposite_vectors_give_a_finite_loss_and_gradient(loss: type[keras.losses.Loss], labels: list[int]) -> None:
    vectors = np.eye(8, dtype=np.float32)[[0] * 8] * np.where(np.arange(8) % 2, 1, -1)[:, np.newaxis]
    assert np.isfinite(value_of(loss(), labels, vectors))
    assert np.isfinite(gradient_of(loss(), labels, vectors.astype(np.float32))).all()


@pytest.mark.parametrize("loss", [SupervisedContrastive, MultiSimilarity])
@pytest.mark.parametrize("labels", [list(range(8)), [5]], ids=["all different", "one picture"])
def test_anchors_without_positives_teach_nothing(loss: type[keras.losses.Loss], labels: list[int]) -> None:
    vectors = unit_vectors(n=len(labels))
    assert value_of(loss(), labels, vectors) == 0
    assert not gradient_of(loss(), labels, vectors).any()


def test_pairs_of_right_angles_have_a_logit_of_five_against_zero() -> None:
    assert value_of(PairsSoftmax(0.2), [0, 1, 0, 1], [X, Y, X, Y]) == pytest.approx(np.log(1 + np.exp(-5)))


def test_ten_pairs_that_look_all_the_same_lose_the_logarithm_of_ten() -> None:
    assert value_of(PairsSoftmax(), [0] * 20, [X] * 20) == pytest.approx(np.log(10))


def test_pairs_take_no_notice_of_labels() -> None:
    assert value_of(PairsSoftmax(), [0, 1, 0, 1], [X, Y, X, Y]) == value_of(PairsSoftmax(), [7] * 4, [X, Y, X, Y])


def test_supervised_contrast_of_two_alike_and_one_other() -> None:
    # The two: -log(e / (e + 1)) each; the third has no positive and counts as 0 of three.
    expected = 2 * np.log(1 + np.exp(-1)) / 3
    assert value_of(SupervisedContrastive(1.0), [4, 4, 9], [X, X, Y]) == pytest.approx(expected)


def test_multi_similarity_mines_nothing_where_all_is_well() -> None:
    assert value_of(MultiSimilarity(), [0, 0, 1], [X, X, Y]) == 0


def test_multi_similarity_of_a_negative_that_is_nearer_than_the_positive() -> None:
    # First anchor: positive at 0, negative at 1. Second: both at 0. Third: no positive.
    first = np.log(1 + np.exp(1)) / 2 + np.log(1 + np.exp(25)) / 50
    second = np.log(1 + np.exp(1)) / 2 + np.log(1 + np.exp(-25)) / 50
    assert value_of(MultiSimilarity(), [0, 0, 1], [X, Y, X]) == pytest.approx((first + second) / 3)


def test_proxy_anchor_of_pictures_that_lie_on_their_proxies() -> None:
    expected = np.log(1 + np.exp(-32 * 0.9)) + np.log(1 + np.exp(32 * 0.1))
    assert value_of(ProxyAnchor(), [0, 1], [X, Y]) == pytest.approx(expected)


def test_proxy_anchor_divides_its_pull_by_the_proxies_present_and_its_push_by_all() -> None:
    expected = np.log(1 + np.exp(-32 * 0.9)) + np.log(1 + np.exp(32 * 0.1)) / 2
    assert value_of(ProxyAnchor(), [0], [X]) == pytest.approx(expected)


def test_proxies_give_the_cosine_to_each_proxy() -> None:
    layer, vectors = Proxies(3), 5 * unit_vectors()
    cosines = keras.ops.convert_to_numpy(layer(vectors))
    proxies = layer.get_weights()[0]
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True) * np.linalg.norm(proxies, axis=1)
    np.testing.assert_allclose(cosines, vectors @ proxies.T / lengths, atol=1e-6)


def test_proxies_and_vectors_learn_together() -> None:
    keras.utils.set_random_seed(0)
    table, proxies = keras.layers.Embedding(8, 4), Proxies(4)
    network = keras.Sequential([keras.Input((), dtype="int32"), table, proxies])
    network.compile(keras.optimizers.Adam(0.1), ProxyAnchor(), jit_compile=False)
    labels = np.array(LABELS["balanced"])
    before, *_, after = (float(network.train_on_batch(np.arange(8), labels)) for _ in range(60))
    assert after < before / 4
    assert (network.predict(np.arange(8), verbose=0).argmax(axis=1) == labels).all()


def test_a_vector_of_zeros_leaves_the_proxies_finite() -> None:
    network = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4, use_bias=False), Proxies(4)])
    network.compile(keras.optimizers.SGD(0.1), ProxyAnchor(), jit_compile=False)
    network.train_on_batch(np.zeros((2, 8), np.float32), np.array([0, 1]))
    assert all(np.isfinite(weights).all() for weights in network.get_weights())


@pytest.mark.parametrize(
    "loss",
    [PairsSoftmax(0.3), SupervisedContrastive(0.3), MultiSimilarity(1.0, 2.0, 0.3, 0.4), ProxyAnchor(0.3, 4.0)],
    ids=lambda loss: loss.name,
)
def test_a_loss_can_be_stored_with_its_settings(loss: keras.losses.Loss) -> None:
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert type(again) is type(loss)
    assert again.get_config() == loss.get_config()


def test_a_network_with_proxies_loads_in_safe_mode(tmp_path: Path) -> None:
    path = tmp_path / "network.keras"
    network = keras.Sequential([keras.Input((8,)), Proxies(4)])
    network.save(path)
    again = keras.saving.load_model(path, safe_mode=True)
    np.testing.assert_array_equal(again.predict(unit_vectors(), verbose=0), network.predict(unit_vectors(), verbose=0))
