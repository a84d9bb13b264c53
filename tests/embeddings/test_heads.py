"""Tests of linear heads: what they find, what they refuse, and that an encoder with one is an encoder."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from embeddings import heads
from embeddings.encoder import EncoderDamaged, HeadedEncoder
from embeddings.specs import EncoderSpec
from tests.fakes import COLOUR_SPEC, ColourNetwork

SPEC = EncoderSpec(
    name="head",
    family="linear_head",
    dim=2,
    input_size=COLOUR_SPEC.input_size,
    description="A head.",
    licence="MIT",
    source=None,
    backbone=COLOUR_SPEC.name,
)


def clouds(n_each: int, seed: int = 0, dim: int = 20) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Three classes that differ in two directions, under noise that is ten times as large in all the others."""
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(3), n_each)
    vectors = generator.normal(size=(3 * n_each, dim))
    vectors[:, :2] *= 0.1
    vectors[:, :2] += np.array([[1, 0], [-1, 0], [0, 1]])[labels]
    return vectors.astype(np.float32), labels


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_it_finds_what_tells_the_classes_apart() -> None:
    vectors, labels = clouds(40)
    valid, valid_labels = clouds(40, seed=1)
    choice = heads.fit_discriminant(vectors, labels, valid, valid_labels)
    assert choice.map_before < 0.7 < 0.99 < choice.map_by_shrinkage[choice.shrinkage]
    assert choice.head.dim == 2


def test_of_many_vectors_some_choose_the_shrinkage_and_all_are_learnt_from(monkeypatch: pytest.MonkeyPatch) -> None:
    (vectors, labels), (valid, valid_labels) = clouds(200), clouds(100)
    whole = heads.fit_discriminant(vectors, labels, valid, valid_labels, shrinkages=[0.1])
    monkeypatch.setattr(heads, "MOST_CHECKED", 30)
    monkeypatch.setattr(heads, "MOST_RANKED", 100)
    some = heads.fit_discriminant(vectors, labels, valid, valid_labels, shrinkages=[0.1])
    assert (whole.n_checked, some.n_checked) == (len(valid), 30)
    assert some.map_by_shrinkage[0.1] == pytest.approx(whole.map_by_shrinkage[0.1], abs=0.05)
    np.testing.assert_array_equal(some.head.matrix, whole.head.matrix)


def test_without_shrinkage_to_speak_of_it_spans_what_scikit_learn_finds() -> None:
    vectors, labels = clouds(200)
    expected = LinearDiscriminantAnalysis(solver="eigen").fit(vectors, labels).scalings_[:, :2]
    found = heads.Discriminant(vectors, labels).head(1e-9).matrix
    angles = np.linalg.svd(np.linalg.qr(expected)[0].T @ np.linalg.qr(found)[0], compute_uv=False)
    np.testing.assert_allclose(angles, 1, atol=1e-4)


def test_pca_keeps_the_directions_that_scikit_learn_keeps() -> None:
    vectors, _ = clouds(50)
    expected = unit(PCA(5).fit_transform(vectors).astype(np.float32))
    np.testing.assert_allclose(np.abs(heads.fit_pca(vectors, 5).apply(vectors)), np.abs(expected), atol=1e-3)


def test_centring_subtracts_the_mean() -> None:
    vectors, _ = clouds(10)
    np.testing.assert_allclose(
        heads.fit_centring(vectors).apply(vectors), unit(vectors - vectors.mean(axis=0)), atol=1e-5
    )


def test_a_vector_without_a_direction_gets_one() -> None:
    head = heads.fit_centring(np.ones((3, 4), dtype=np.float32))
    np.testing.assert_array_equal(head.apply(np.ones((1, 4), dtype=np.float32)), [[1, 0, 0, 0]])


@pytest.mark.parametrize(
    ("labels", "message"),
    [(["a"] * 4, "at least two classes are needed, and there is one"), (["a", "b", "c", "d"], "are too few")],
)
def test_it_says_what_is_missing_to_fit(labels: list[str], message: str) -> None:
    with pytest.raises(heads.CannotFit, match=message):
        heads.Discriminant(np.eye(4, dtype=np.float32), np.array(labels))


def test_validation_images_of_other_labels_choose_no_shrinkage() -> None:
    vectors, labels = clouds(20)
    with pytest.raises(heads.CannotFit, match="no validation image has a label that is learnt from"):
        heads.fit_discriminant(vectors, labels, vectors, labels + 3)


def test_before_the_head_vectors_of_any_length_are_ranked_by_their_distance() -> None:
    vectors = np.array([[1, 0], [0, 1], [9, 9], [9, 8]], np.float32)
    labels = np.array([0, 1, 2, 2])
    choice = heads.fit_discriminant(
        np.concatenate([vectors, vectors]), np.tile(labels, 2), vectors[:2] * 1.1, labels[:2], shrinkages=[0.1]
    )
    assert choice.map_before == 1  # by their inner products the far ones would come first


def test_more_directions_than_there_are_vectors_are_refused() -> None:
    with pytest.raises(heads.CannotFit, match="from 4 vectors 1 to 3 directions"):
        heads.fit_pca(np.eye(4, dtype=np.float32), 4)


def test_a_stored_head_makes_an_encoder_of_its_backbone(tmp_path: Path) -> None:
    network, head = ColourNetwork(), some_head()
    heads.store(head, SPEC, tmp_path / "head", backbone_sha256=network.weights_sha256)
    encoder = HeadedEncoder.load(tmp_path / "head", backbone=network)
    pictures = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    np.testing.assert_allclose(encoder.encode(pictures), head.apply(network.encode(pictures)), atol=1e-6)
    assert {path.name for path in tmp_path.iterdir()} == {"head"}


def test_the_mean_of_turned_locations_has_the_direction_of_the_turned_vector() -> None:
    head = some_head()
    locations = np.random.default_rng(3).random((4, 2, 3, COLOUR_SPEC.dim), dtype=np.float32)
    means = head.turn(locations).mean(axis=(1, 2))
    np.testing.assert_allclose(unit(means), head.apply(unit(locations.mean(axis=(1, 2)))), atol=1e-4)


def test_a_head_turns_the_locations_of_its_backbone(tmp_path: Path) -> None:
    network, head = ColourNetwork(), some_head()
    heads.store(head, SPEC, tmp_path / "head", backbone_sha256=network.weights_sha256)
    encoder = HeadedEncoder.load(tmp_path / "head", backbone=network)
    pictures = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    locations = network.encode_locations(pictures)
    np.testing.assert_allclose(encoder.encode_locations(pictures), head.turn(locations), atol=1e-6)


def test_locations_of_another_width_than_the_vectors_come_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = ColourNetwork()
    heads.store(some_head(), SPEC, tmp_path / "head", backbone_sha256=network.weights_sha256)
    encoder = HeadedEncoder.load(tmp_path / "head", backbone=network)
    wider = np.ones((1, 2, 2, COLOUR_SPEC.dim + 1), np.float32)
    monkeypatch.setattr(network, "encode_locations", lambda pictures: wider)
    assert encoder.encode_locations(np.zeros((1, 32, 32, 3), np.uint8)) is wider


def test_a_head_of_other_weights_is_refused(tmp_path: Path) -> None:
    heads.store(some_head(), SPEC, tmp_path / "head", backbone_sha256="f" * 64)
    with pytest.raises(EncoderDamaged, match="head was fitted on other weights than those of colours"):
        HeadedEncoder.load(tmp_path / "head", backbone=ColourNetwork())


def test_a_damaged_head_is_refused(tmp_path: Path) -> None:
    heads.store(some_head(), SPEC, tmp_path / "head", backbone_sha256="0" * 64)
    (tmp_path / "head" / "head.safetensors").write_bytes(b"half of it")
    with pytest.raises(EncoderDamaged, match=r"head\.safetensors has changed"):
        HeadedEncoder.load(tmp_path / "head", backbone=ColourNetwork())
    with pytest.raises(heads.HeadUnreadable, match=r"head\.safetensors holds no linear head"):
        heads.LinearHead.load(tmp_path / "head" / "head.safetensors")


def test_a_head_never_takes_the_place_of_another(tmp_path: Path) -> None:
    heads.store(some_head(), SPEC, tmp_path / "head", backbone_sha256="0" * 64)
    with pytest.raises(FileExistsError):
        heads.store(some_head(), SPEC, tmp_path / "head", backbone_sha256="0" * 64)


def some_head() -> heads.LinearHead:
    return heads.fit_pca(clouds(5, dim=COLOUR_SPEC.dim)[0], 2)
