"""Tests of the vision transformers against vectors that PyTorch gave: `make_golden.py` made the files."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from embeddings.safetensors_files import read_safetensors
from embeddings.specs import EncoderSpec, spec_for
from embeddings.torch_files import Arrays

GOLDEN = Path(__file__).parent / "golden"
FAMILIES = ("vit", "dinov2")


def golden(family: str) -> tuple[Arrays, dict[str, np.ndarray]]:
    with np.load(GOLDEN / f"{family}.npz", allow_pickle=False) as file:
        return read_safetensors(GOLDEN / f"{family}.safetensors"), dict(file)


def small(family: str, expected: dict[str, np.ndarray]) -> EncoderSpec:
    size, dim = expected["pictures"].shape[1], expected["vectors"].shape[1]
    return replace(spec_for("vit_tiny"), family=family, dim=dim, input_size=size)


def vectors(family: str, arrays: Arrays, expected: dict[str, np.ndarray], layer: str = "pool") -> np.ndarray:
    # Local: Keras is slow to import, and tests that need none of it are collected first.
    import keras

    from embeddings.networks import dinov2, vit

    architecture = replace({"vit": vit.VIT, "dinov2": dinov2.DINOV2}[family], n_blocks=2, head_dim=8)
    network = vit.transformer(small(family, expected), arrays, architecture)
    return keras.Model(network.input, network.get_layer(layer).output).predict(expected["pictures"], verbose=0)


@pytest.mark.parametrize("family", FAMILIES)
def test_it_gives_the_vectors_that_transformers_gives(family: str) -> None:
    arrays, expected = golden(family)
    np.testing.assert_allclose(vectors(family, arrays, expected), expected["vectors"], atol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_its_last_layer_gives_unit_length(family: str) -> None:
    arrays, expected = golden(family)
    lengths = np.linalg.norm(expected["vectors"], axis=1, keepdims=True)
    np.testing.assert_allclose(vectors(family, arrays, expected, "vectors"), expected["vectors"] / lengths, atol=1e-5)


def test_it_takes_the_prefix_and_leaves_out_the_heads_of_a_classifier() -> None:
    arrays, expected = golden("vit")
    backbone = {f"vit.{name}": values for name, values in arrays.items() if not name.startswith("pooler.")}
    head = {"classifier.weight": np.zeros((1000, 32), np.float32), "classifier.bias": np.zeros(1000, np.float32)}
    np.testing.assert_allclose(vectors("vit", {**backbone, **head}, expected), expected["vectors"], atol=1e-4)


def test_it_says_which_block_is_missing() -> None:
    from embeddings.networks.torch_weights import MissingWeights

    arrays, expected = golden("vit")
    cut = {name: values for name, values in arrays.items() if ".layer.1." not in name}
    with pytest.raises(MissingWeights, match=r"no encoder\.layer\.1\.layernorm_before\.weight"):
        vectors("vit", cut, expected)


def test_it_refuses_arrays_that_have_no_place() -> None:
    from embeddings.networks.torch_weights import MissingWeights

    arrays, expected = golden("vit")
    with pytest.raises(MissingWeights, match="no place for decoder"):
        vectors("vit", {**arrays, "decoder": np.zeros(1, np.float32)}, expected)


def test_it_refuses_an_input_that_is_no_whole_number_of_patches() -> None:
    from embeddings.networks import vit

    with pytest.raises(ValueError, match="vit_tiny: 100 px in patches of 16, 192 in heads of 64"):
        vit.build(replace(spec_for("vit_tiny"), input_size=100), None)


def test_positions_keep_their_values_where_the_grid_fits() -> None:
    from embeddings.networks.positions import resized

    positions = np.random.default_rng(0).normal(size=(1, 17, 3)).astype(np.float32)
    np.testing.assert_array_equal(resized(positions, 16), positions)


def test_resized_positions_keep_the_class_token_and_a_constant() -> None:
    from embeddings.networks.positions import resized

    positions = np.full((1, 50, 3), 2, np.float32)
    positions[:, 0] = 9
    after = resized(positions, 16)
    assert after.shape == (1, 17, 3)
    np.testing.assert_allclose(after[0, 0], 9)
    np.testing.assert_allclose(after[0, 1:], 2, atol=1e-6)


def test_positions_of_no_square_grid_are_refused() -> None:
    from embeddings.networks.positions import resized

    with pytest.raises(ValueError, match="expected square grids of positions, received 10 to bring to 16"):
        resized(np.zeros((1, 11, 3), np.float32), 16)
