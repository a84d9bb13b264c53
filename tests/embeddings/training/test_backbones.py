"""Each family of networks as what a recipe trains, in small pictures and a few steps."""

import keras
import numpy as np
import pytest

from embeddings.training import recipes
from embeddings.training.config import TrainingConfig
from embeddings.training.presets import PRESETS
from tests.embeddings.training.test_networks import tinted


@pytest.mark.parametrize(
    ("preset", "backbone"),
    [pytest.param("resnet50", "resnet50", marks=pytest.mark.thorough), ("vgg16", "vgg16"), ("vit", "vit_tiny")],
)
def test_it_learns_pictures_and_gives_unit_vectors(preset: str, backbone: str) -> None:
    defaults = {**PRESETS[preset].defaults, "frozen_epochs": 0, "learning_rate": 3e-4}
    config = TrainingConfig(preset=preset, name="few", from_scratch=True, backbone=backbone, input_size=32, **defaults)
    keras.utils.set_random_seed(0)
    recipe = recipes.build(config, n_classes=3)
    recipes.set_stage(recipe, config, is_frozen=False)
    recipe.trainee.run_eagerly = True  # to trace it takes longer than these steps
    inputs, labels = tinted(12)
    losses = [float(np.ravel(recipe.trainee.train_on_batch(inputs, labels))[0]) for _ in range(3)]
    assert losses[-1] < losses[0]
    vectors = keras.ops.convert_to_numpy(recipe.encoder(inputs))
    assert vectors.shape == (12, 128)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
