"""Tests of the encoder with its real networks on the CPU runtime."""

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
from numpy.typing import NDArray

from embeddings.encoder import BrokenVectors, Encoder, EncoderDamaged, EncoderMissing
from embeddings.install import InstalledEncoder
from embeddings.stored import StoredEncoder, sha256_of
from tests.embeddings.test_networks import CANONICAL, each_encoder

Install = Callable[[str], InstalledEncoder]
Images = NDArray[np.uint8]


@pytest.fixture(scope="module")
def encoder(installed: Install) -> Encoder:
    return Encoder.load(installed("mobilenet_v2").folder)


@each_encoder
def test_it_gives_the_canonical_vector(name: str, installed: Install, gradient: Images) -> None:
    leading, largest = CANONICAL[name]
    encoder = Encoder.load(installed(name).folder)
    vector = encoder.encode(gradient)[0]
    tolerance = {"f32": 1e-4, "native": 1e-3}[encoder.spec.precision]
    np.testing.assert_allclose(vector[: len(leading)], leading, atol=tolerance)
    np.testing.assert_allclose(vector[list(largest)], list(largest.values()), atol=tolerance)


def test_it_gives_float32_vectors_of_unit_length(encoder: Encoder, photos: Images) -> None:
    vectors = encoder.encode(photos)
    assert vectors.shape == (5, 1280)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_a_vector_does_not_depend_on_its_neighbours_in_the_batch(encoder: Encoder, photos: Images) -> None:
    together = encoder.encode(np.concatenate([photos] * 14))
    alone = np.concatenate([encoder.encode(photo[np.newaxis]) for photo in photos])
    np.testing.assert_allclose(together, np.tile(alone, (14, 1)), atol=1e-5)


def test_it_takes_read_only_and_scattered_arrays(encoder: Encoder, photos: Images) -> None:
    mirrored = photos[:, :, ::-1]
    mirrored.flags.writeable = False
    np.testing.assert_allclose(encoder.encode(mirrored), encoder.encode(mirrored.copy()), atol=1e-6)


@each_encoder
def test_the_mean_of_the_locations_is_the_vector(name: str, installed: Install, photos: Images) -> None:
    encoder = Encoder.load(installed(name).folder)
    locations, vectors = encoder.encode_locations(photos), encoder.encode(photos)
    assert locations.shape == (5, 7, 7, encoder.spec.dim)
    means = locations.mean(axis=(1, 2))
    cosines = np.sum(means * vectors, axis=1) / np.linalg.norm(means, axis=1)
    assert cosines.min() > {"f32": 0.9999, "native": 0.999}[encoder.spec.precision]


def test_no_pictures_have_no_locations(encoder: Encoder) -> None:
    assert encoder.encode_locations(np.empty((0, 224, 224, 3), np.uint8)).shape == (0, 7, 7, 1280)


def test_locations_are_refused_for_other_arrays(encoder: Encoder) -> None:
    with pytest.raises(ValueError, match=r"received uint8 \(1, 200, 224, 3\)"):
        encoder.encode_locations(np.zeros((1, 200, 224, 3), np.uint8))


def test_it_encodes_nothing_to_nothing(encoder: Encoder) -> None:
    assert encoder.encode(np.empty((0, 224, 224, 3), np.uint8)).shape == (0, 1280)


@pytest.mark.parametrize(
    ("images", "received"),
    [
        (np.zeros((1, 224, 224, 3), np.float32), r"float32 \(1, 224, 224, 3\)"),
        (np.zeros((224, 224, 3), np.uint8), r"uint8 \(224, 224, 3\)"),
        (np.zeros((1, 200, 224, 3), np.uint8), r"uint8 \(1, 200, 224, 3\)"),
        ([[1]], "list"),
    ],
)
def test_it_refuses_other_arrays(encoder: Encoder, images: Images, received: str) -> None:
    with pytest.raises(ValueError, match=rf"expected uint8 images of shape \(n, 224, 224, 3\), received {received}"):
        encoder.encode(images)


def test_threads_may_share_it(encoder: Encoder, photos: Images) -> None:
    expected = encoder.encode(photos)
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda k: encoder.encode(photos[k : k + 1])[0], [k % 5 for k in range(80)]))
    for number, vector in enumerate(results):
        np.testing.assert_allclose(vector, expected[number % 5], atol=1e-5)


def test_it_works_again_after_a_fork(encoder: Encoder, photos: Images) -> None:
    expected = encoder.encode(photos)
    places = encoder.encode_locations(photos)
    child = os.fork()
    if child == 0:
        same = np.allclose(encoder.encode(photos), expected, atol=1e-5)
        same &= np.allclose(encoder.encode_locations(photos), places, atol=1e-4)
        os._exit(0 if same else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_it_names_what_is_in_the_picture(installed: Install, photos: Images) -> None:
    vectors, tags = Encoder.load(installed("efficientnet_lite0").folder).encode_with_tags(photos, top=3)
    assert vectors.shape == (5, 1280)
    assert tags[1][0][0] in {"tabby", "tiger cat", "Egyptian cat"}
    assert [len(of_one) for of_one in tags] == [3] * 5
    assert all(first >= second > 0 for (_, first), (_, second) in (of_one[:2] for of_one in tags))


def test_an_encoder_without_classes_gives_no_tags(encoder: Encoder, photos: Images) -> None:
    with pytest.raises(ValueError, match="mobilenet_v2 has no classes"):
        encoder.encode_with_tags(photos)


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf")])
def test_it_refuses_a_vector_without_direction(
    value: float, encoder: Encoder, photos: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoder, "_run", lambda images: [np.full((len(images), 1280), value, np.float32)])
    with pytest.raises(BrokenVectors, match="no direction for 5 of 5 images"):
        encoder.encode(photos)


def test_it_says_which_pictures_have_no_direction(
    encoder: Encoder, photos: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors = np.ones((5, 1280), np.float32)
    vectors[1], vectors[3, 7] = 0, np.nan
    monkeypatch.setattr(encoder, "_run", lambda images: [vectors])
    with pytest.raises(BrokenVectors, match="no direction for 2 of 5 images") as raised:
        encoder.encode(photos)
    assert raised.value.places == (1, 3)


def test_it_says_what_to_run_where_there_is_no_encoder(tmp_path: Path) -> None:
    with pytest.raises(EncoderMissing, match=r"manage\.py install_encoder mobilenet_v2"):
        Encoder.load(tmp_path / "mobilenet_v2")


def test_it_says_so_when_a_file_is_missing(installed: Install, tmp_path: Path) -> None:
    copy = Path(copytree(installed("mobilenet_v2").folder, tmp_path / "mobilenet_v2"))
    (copy / "mobilenet_v2.bin").unlink()
    with pytest.raises(EncoderDamaged, match=r"mobilenet_v2\.bin is missing; run"):
        Encoder.load(copy)


def test_it_says_so_when_a_file_has_changed(installed: Install, tmp_path: Path, gradient: Images) -> None:
    copy = Path(copytree(installed("mobilenet_v2").folder, tmp_path / "mobilenet_v2"))
    with (copy / "mobilenet_v2.bin").open("r+b") as file:
        file.write(b"damage")
    with pytest.raises(EncoderDamaged, match=r"mobilenet_v2\.bin has changed; run"):
        Encoder.load(copy).encode(gradient)


def test_it_takes_files_that_were_installed_anew_meanwhile(
    installed: Install, tmp_path: Path, gradient: Images
) -> None:
    """Which come out differently, byte for byte, from the same weights."""
    copy = Path(copytree(installed("mobilenet_v2").folder, tmp_path / "mobilenet_v2"))
    encoder = Encoder.load(copy)
    description = copy / "mobilenet_v2.xml"
    description.write_text(description.read_text() + "\n")
    stored = StoredEncoder.read(copy)
    replace(stored, files={**stored.files, description.name: sha256_of(description)}).write(copy)
    assert encoder.encode(gradient).shape == (1, 1280)


def test_it_refuses_the_files_of_another_encoder(installed: Install, tmp_path: Path, gradient: Images) -> None:
    copy = Path(copytree(installed("mobilenet_v2").folder, tmp_path / "mobilenet_v2"))
    encoder = Encoder.load(copy)
    replace(StoredEncoder.read(copy), weights_sha256="0" * 64).write(copy)
    with pytest.raises(EncoderDamaged, match=r"its files are those of other weights \(mobilenet_v2, 1280 numbers\)"):
        encoder.encode(gradient)


@pytest.mark.parametrize("damage", ["cut", "blank"])
def test_it_goes_on_with_what_it_has_in_memory(installed: Install, tmp_path: Path, damage: str) -> None:
    """In a process of its own: reading a mapped file that was cut ends it."""
    copy = Path(copytree(installed("mobilenet_v2").folder, tmp_path / "mobilenet_v2"))
    program = """
import sys
import numpy as np
from pathlib import Path
from embeddings.encoder import Encoder
folder, damage = Path(sys.argv[1]), sys.argv[2]
encoder, pictures = Encoder.load(folder, n_threads=2), np.full((5, 224, 224, 3), 90, np.uint8)
before = encoder.encode(pictures[:1])
weights = folder / "mobilenet_v2.bin"
with weights.open("r+b") as file:
    file.truncate(0) if damage == "cut" else file.write(bytes(weights.stat().st_size))
np.testing.assert_allclose(encoder.encode(pictures[:1]), before, atol=1e-6)
np.testing.assert_allclose(encoder.encode(pictures), np.repeat(before, 5, axis=0), atol=1e-5)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(copy), damage], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_it_says_so_when_the_description_cannot_be_read(installed: Install, tmp_path: Path) -> None:
    copy = Path(copytree(installed("mobilenet_v2").folder, tmp_path / "mobilenet_v2"))
    (copy / "mobilenet_v2.json").write_text("{")
    with pytest.raises(EncoderDamaged, match=r"mobilenet_v2\.json cannot be read"):
        Encoder.load(copy)


WATCHED = """
import os, sys
def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        os.write(2, f"NETWORK {event} {arguments}".encode())
sys.addaudithook(watch)
"""


def run_watched(program: str, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program that reports every connection, as a user outside CI (where OpenVINO would keep still anyway)."""
    hushed = {"CI", "TF_BUILD", "JENKINS_URL"}
    environment = {key: value for key, value in os.environ.items() if key not in hushed} | {"HOME": str(home)}
    command = [sys.executable, "-c", WATCHED + program, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_encoding_imports_no_tensorflow_and_opens_no_connection(installed: Install, tmp_path: Path) -> None:
    program = """
import numpy as np
from pathlib import Path
from embeddings.encoder import Encoder
assert "openvino" not in sys.modules
Encoder.load(Path(sys.argv[1])).encode(np.zeros((3, 224, 224, 3), np.uint8))
assert not {"keras", "tensorflow"} & set(sys.modules)
"""
    done = run_watched(program, tmp_path, str(installed("mobilenet_v2").folder))
    assert done.returncode == 0, done.stderr
    assert "NETWORK" not in done.stderr
    assert not (tmp_path / "intel").exists()
