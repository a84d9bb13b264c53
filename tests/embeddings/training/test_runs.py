"""Runs from their folder to an encoder: trained, stopped, gone on with, and the same again for the same seed."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from embeddings.device import Device
from embeddings.encoder import Encoder
from embeddings.stored import StoredEncoder
from embeddings.training import pictures
from embeddings.training.config import TrainingConfig
from embeddings.training.pictures import Sample
from embeddings.training.presets import CLASSIFIER_AUGMENTATION, PRESETS
from tests.running import ROOT

COLOURS = {"red": (220, 40, 40), "green": (40, 200, 60), "blue": (40, 60, 220)}
CONFIG = TrainingConfig(
    preset="metric-pairs",
    name="tiny",
    network="metric-convnet",
    loss="pairs",
    input_size=32,
    dim=4,
    epochs=4,
    learning_rate=2e-3,
    batches_per_epoch=30,
    jitter=True,
)


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    """Twenty noisy pictures of each of three colours, four of them to check on."""
    folder, generator = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    samples = []
    for label, colour in COLOURS.items():
        for number in range(20):
            pixels = np.clip(np.array(colour) + generator.normal(0, 60, (32, 32, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{label}-{number}.png")
            part = "valid" if number % 5 == 0 else "train"
            samples.append(Sample(path=str(folder / f"{label}-{number}.png"), label=label, part=part))
    return samples


def make_run(folder: Path, config: TrainingConfig, samples: list[Sample]) -> Path:
    folder.mkdir()
    config.write(folder)
    pictures.write_samples(samples, folder)
    return folder


def start(folder: Path, **environment: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "embeddings.training", str(folder)]
    return subprocess.Popen(
        command, cwd=ROOT, env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(folder: Path) -> list[dict[str, Any]]:
    out, err = (process := start(folder)).communicate(timeout=300)
    assert process.returncode == 0, out + err
    return [json.loads(line) for line in out.splitlines() if line.startswith("{")]


def train_here(folder: Path) -> list[dict[str, Any]]:
    """Train in this process, which has Keras loaded already."""
    from embeddings.training import session

    events: list[dict[str, Any]] = []
    session.train(folder, events.append, lambda: False)
    return events


def wait_for_epoch(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if '"event": "epoch"' in line:
            return
    raise AssertionError("the run ended without an epoch")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, samples: list[Sample]) -> tuple[Path, list[dict[str, Any]]]:
    """A run that nobody disturbed, and what it told."""
    folder = make_run(tmp_path_factory.mktemp("runs") / "whole", CONFIG, samples)
    return folder, finish(folder)


def test_a_run_ends_with_an_encoder_that_finds_pictures_of_a_label(whole: Any, samples: list[Sample]) -> None:
    folder, _ = whole
    encoder = Encoder.load(folder / "encoder")
    shown = np.stack([np.asarray(Image.open(sample.path)) for sample in samples])
    vectors = encoder.encode(shown)
    nearest = np.argsort(-(vectors @ vectors.T), axis=1)[:, 1]
    labels = np.array([sample.label for sample in samples])
    assert (labels[nearest] == labels).mean() > 0.9


def test_it_tells_what_it_does_and_keeps_its_history(whole: Any) -> None:
    folder, events = whole
    kinds = [event["event"] for event in events]
    assert {"device", "reading", "epoch", "exporting", "done"} <= set(kinds)
    assert kinds[-1] == "done"
    epochs = [event for event in events if event["event"] == "epoch"]
    assert [event["epoch"] for event in epochs] == [1, 2, 3, 4]
    assert epochs[-1]["loss"] < epochs[0]["loss"]
    assert [entry["epoch"] for entry in json.loads((folder / "state.json").read_text())["history"]] == [1, 2, 3, 4]
    assert (folder / "history.svg").read_text().startswith("<?xml")


def test_the_same_seed_gives_the_same_weights(whole: Any, samples: list[Sample], tmp_path: Path) -> None:
    again = train_here(make_run(tmp_path / "again", CONFIG, samples))
    assert again[-1]["weights_digest"] == whole[1][-1]["weights_digest"]


def test_another_seed_gives_others(whole: Any, samples: list[Sample], tmp_path: Path) -> None:
    other = train_here(make_run(tmp_path / "other", replace(CONFIG, seed=1, epochs=1), samples))
    assert other[-1]["weights_digest"] != whole[1][-1]["weights_digest"]


def test_a_run_that_was_killed_in_an_epoch_ends_as_if_it_had_not_been(
    whole: Any, samples: list[Sample], tmp_path: Path
) -> None:
    folder = make_run(tmp_path / "killed", CONFIG, samples)
    with start(folder) as process:
        wait_for_epoch(process)
        process.kill()
    assert not (folder / "encoder").exists()
    events = finish(folder)
    assert min(event["epoch"] for event in events if event["event"] == "epoch") > 1
    assert events[-1]["weights_digest"] == whole[1][-1]["weights_digest"]


@pytest.mark.thorough
def test_sigterm_stops_it_and_it_says_so(samples: list[Sample], tmp_path: Path) -> None:
    folder = make_run(tmp_path / "stopped", replace(CONFIG, epochs=500), samples)
    with start(folder) as process:
        wait_for_epoch(process)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=60)
    assert (process.returncode, json.loads(out.splitlines()[-1])) == (3, {"event": "stopped"})
    assert not (folder / "encoder").exists()


def test_it_stops_when_whoever_started_it_is_gone(samples: list[Sample], tmp_path: Path) -> None:
    folder = make_run(tmp_path / "orphan", replace(CONFIG, epochs=500), samples)
    code = (
        "import subprocess, sys; p = subprocess.Popen([sys.executable, '-m', 'embeddings.training', sys.argv[1]],"
        " stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True); print(p.pid, flush=True);"
        " [sys.exit() for line in p.stdout if '\"epoch\"' in line and 'event' in line]"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    pid, deadline = int(done.stdout), time.monotonic() + 60
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.2)
    state = Path(f"/proc/{pid}/stat").read_text().split()[2] if Path(f"/proc/{pid}").exists() else "gone"
    assert state in {"gone", "Z"}


def test_it_ends_early_when_it_gets_no_better(samples: list[Sample], tmp_path: Path) -> None:
    still = replace(CONFIG, epochs=50, learning_rate=0.0, patience=2, jitter=False)
    events = train_here(make_run(tmp_path / "still", still, samples))
    assert [event["epoch"] for event in events if event["event"] == "epoch"] == [1, 2, 3]


@pytest.mark.thorough
def test_an_autoencoder_learns_without_labels_and_keeps_its_lengths(samples: list[Sample], tmp_path: Path) -> None:
    config = replace(
        CONFIG, preset="conv-autoencoder", network="conv-autoencoder", loss="reconstruction", distance="l2",
        batch_size=16, batches_per_epoch=0, epochs=3, dim=8, jitter=False,
    )  # fmt: skip
    unlabelled = [replace(sample, label="") for sample in samples]
    folder = make_run(tmp_path / "autoencoder", config, unlabelled)
    losses = [event["valid_loss"] for event in train_here(folder) if event["event"] == "epoch"]
    assert losses[-1] < losses[0]
    drawn = np.asarray(Image.open(folder / "reconstructions.png"))
    assert drawn.shape == (2 * 40 - 8, 8 * 40 - 8, 3)
    shown = pictures.load(pictures.read_samples(folder), "valid", tmp_path, 32, lambda done, of: None).pixels
    np.testing.assert_array_equal(drawn[:32, :32], shown[0])
    assert (drawn[40:, :32] != shown[0]).any()
    lengths = np.linalg.norm(Encoder.load(folder / "encoder").encode(np.zeros((1, 32, 32, 3), np.uint8)), axis=1)
    assert abs(lengths[0] - 1) > 1e-3


def test_a_classifier_tells_how_many_it_names_rightly(samples: list[Sample], tmp_path: Path) -> None:
    config = replace(CONFIG, loss="cross-entropy", batch_size=8, batches_per_epoch=0, epochs=5)
    tested = [replace(one, part="test") if number % 5 == 1 else one for number, one in enumerate(samples)]
    events = train_here(make_run(tmp_path / "classifier", config, tested))
    epochs = [event for event in events if event["event"] == "epoch"]
    assert epochs[-1]["valid_accuracy"] > 0.9
    assert events[-1]["n_tested"] == 12
    assert events[-1]["test_accuracy"] > 0.8
    assert round(12 * events[-1]["test_accuracy"], 6) % 1 == 0


def test_a_cosine_lets_the_rate_fall_towards_nothing() -> None:
    from embeddings.training import recipes

    config = replace(CONFIG, schedule="cosine", epochs=10)
    recipe = recipes.build(config, 3)
    rates = [recipes.learning_rate(recipe, config, epoch) for epoch in range(10)]
    assert rates[0] == config.learning_rate
    assert rates[5] == pytest.approx(config.learning_rate / 2)
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] > 0


def test_a_loss_that_is_no_number_ends_the_run_in_words(samples: list[Sample], tmp_path: Path) -> None:
    folder = make_run(tmp_path / "diverged", replace(CONFIG, learning_rate=1e30), samples)
    with pytest.raises(ValueError, match="train again with a smaller learning rate"):
        train_here(folder)


def test_without_two_of_a_label_to_check_on_the_loss_decides(samples: list[Sample], tmp_path: Path) -> None:
    seen: set[str] = set()
    lonely = [one for one in samples if one.part == "train" or not (one.label in seen or seen.add(one.label))]
    events = train_here(make_run(tmp_path / "lonely", replace(CONFIG, epochs=2), lonely))
    epochs = [event for event in events if event["event"] == "epoch"]
    assert all("valid_map" not in event for event in epochs)
    assert epochs[-1]["best_epoch"] == 2


@pytest.mark.thorough
def test_a_picture_that_is_gone_is_an_error_in_words(samples: list[Sample], tmp_path: Path) -> None:
    folder = make_run(tmp_path / "gone", CONFIG, [*samples, Sample(path="/nowhere.png", label="red", part="train")])
    out, _ = (process := start(folder)).communicate(timeout=120)
    assert process.returncode == 1
    assert "/nowhere.png cannot be read any more" in json.loads(out.splitlines()[-1])["message"]


@pytest.mark.thorough
def test_in_16_bits_it_learns_as_well_and_the_encoder_is_exported_in_32(
    samples: list[Sample], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras

    from embeddings.training import session

    folder = make_run(tmp_path / "half", replace(CONFIG, epochs=2), samples)
    as_if = Device(name="a GPU", is_gpu=True, policy="mixed_bfloat16")
    monkeypatch.setattr(session.device, "find", lambda: as_if)
    events: list[dict[str, Any]] = []
    before = keras.config.dtype_policy()
    try:
        session.train(folder, events.append, lambda: False)
    finally:
        keras.config.set_dtype_policy(before)
    assert events[0] == {"event": "device", "name": "a GPU", "backend": "tensorflow", "policy": "mixed_bfloat16"}
    assert max(event["valid_map"] for event in events if event["event"] == "epoch") > 0.9
    stored = StoredEncoder.read(folder / "encoder")
    assert stored.parity["f32"] > 0.9999
    network = keras.saving.load_model(folder / "encoder" / "tiny.keras")
    assert {layer.compute_dtype for layer in network.layers} == {"float32"}


@pytest.mark.thorough
def test_on_jax_the_same_code_trains_and_exports(samples: list[Sample], tmp_path: Path) -> None:
    folder = make_run(tmp_path / "jax", replace(CONFIG, epochs=2), samples)
    out, err = (process := start(folder, KERAS_BACKEND="jax")).communicate(timeout=300)
    assert process.returncode == 0, out + err
    events = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    assert events[0]["backend"] == "jax"
    assert [event["epoch"] for event in events if event["event"] == "epoch"] == [1, 2]
    assert Encoder.load(folder / "encoder").encode(np.zeros((2, 32, 32, 3), np.uint8)).shape == (2, 4)


def test_a_config_comes_back_as_it_was_written(tmp_path: Path) -> None:
    config = replace(CONFIG, augmentation=("flip", "blur"), hidden=(512,))
    config.write(tmp_path)
    assert TrainingConfig.read(tmp_path) == config
    (tmp_path / "config.json").write_text('{"colour": "red"}')
    with pytest.raises(ValueError, match="is no config of a training"):
        TrainingConfig.read(tmp_path)


def test_the_presets_name_augmentations_that_there_are() -> None:
    from embeddings.training import augmentation

    assert CLASSIFIER_AUGMENTATION == augmentation.NAMES
    assert all(set(one.defaults.get("augmentation", ())) <= set(augmentation.NAMES) for one in PRESETS.values())


def test_it_is_stopped_while_it_reads_pictures(tmp_path: Path, samples: list[Sample]) -> None:
    from embeddings.training import loop, session

    folder, events = make_run(tmp_path / "run", CONFIG, samples), list[dict[str, Any]]()
    with pytest.raises(loop.Stopped):
        session.train(folder, events.append, lambda: True)
    assert [event["event"] for event in events] == ["device", "reading"]
    assert not list(folder.glob("pixels-*.npy"))


def test_without_room_for_pictures_it_says_so_and_gives_the_room_back(
    tmp_path: Path, samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(pictures.os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left on device"):
        pictures.load(samples, "train", tmp_path, 32, lambda done, total: None)
    assert not list(tmp_path.iterdir())
