"""Each recipe to its end, on photographs of four labels."""

import shutil
from pathlib import Path

import pytest

from tests.running import Site


@pytest.fixture(scope="module")
def few(site: Site, pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Photographs of four labels."""
    folder = tmp_path_factory.mktemp("few")
    for place in sorted((pictures / "photographs").iterdir())[:4]:
        shutil.copytree(place, folder / place.name)
    site.manage_json("import_images", str(folder), "--dataset", "few", "--sync")


@pytest.mark.parametrize(
    ("preset", "options"),
    [
        pytest.param("mobilenet-classifier", ["--epochs", "2"], marks=pytest.mark.thorough),
        pytest.param(
            "fine-tune",
            ["--epochs", "2", "--frozen-epochs", "1", "--n-trainable-layers", "20"],
            marks=pytest.mark.thorough,
        ),
        ("conv-autoencoder", ["--epochs", "1", "--input-size", "64"]),
    ],
)
def test_each_recipe_ends_in_an_encoder_that_is_searched_with(
    site: Site, few: None, pictures: Path, preset: str, options: list[str]
) -> None:
    report = site.manage_json("train_encoder", "--preset", preset, "--dataset", "few", "--name", preset, *options)
    assert report["embedded"] > 0
    assert report["history"][-1]["epoch"] == int(options[1])
    if preset == "mobilenet-classifier":
        assert report["dim"] == 64
        assert report["history"][-1]["loss"] < report["history"][0]["loss"]
        assert 0 <= report["test_accuracy"] <= 1
    place = sorted((pictures / "photographs").iterdir())[0]
    picture = next(place.iterdir())
    hit = site.manage_json("search_image", str(picture), "--encoder", preset, "--dataset", "few", "-k", "1")["hits"][0]
    assert hit["distance"] < 0.01
