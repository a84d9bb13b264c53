"""The files of the encoder are gone, damaged or another one's: pictures wait, and whole files are all it takes."""

from __future__ import annotations

import json
import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import openvino
import pytest
from openvino import opset13

from embeddings.specs import spec_for
from embeddings.stored import StoredEncoder, sha256_of
from tests.end_to_end.conftest import CACHE
from tests.faults.gallery import CALM, Gallery
from tests.faults.test_load import send
from tests.running import Site, api_client, status_of, wait_for

NAME = "mobilenet_v2"
N_SOME = 60
LONGEST_SECONDS = 120.0
MEND = f"manage.py install_encoder {NAME}"
OTHER_DIM = 3


@pytest.fixture
def folder(gallery: Gallery) -> Iterator[Path]:
    """The folder of the encoder, which is whole again at the end."""
    folder = gallery.site.var / "encoders" / NAME
    yield folder
    put_back(folder)


@dataclass(frozen=True, kw_only=True)
class Some:
    """Some of the pictures: their folder, one of them, the names of their contents."""

    folder: Path
    picture: bytes
    contents: frozenset[str] = field(repr=False)


@pytest.fixture(scope="module")
def some(gallery: Gallery, tmp_path_factory: pytest.TempPathFactory) -> Some:
    folder = tmp_path_factory.mktemp("some")
    chosen = sorted(gallery.folder.iterdir())[:N_SOME]
    for picture in chosen:
        (folder / picture.name).hardlink_to(picture)
    contents = frozenset(sha256_of(picture) for picture in chosen)
    return Some(folder=folder, picture=chosen[0].read_bytes(), contents=contents)


def put_back(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(CACHE / NAME, folder)


def lose(folder: Path) -> None:
    (folder / f"{NAME}.bin").unlink()


def cut(folder: Path) -> None:
    with (folder / f"{NAME}.bin").open("r+b") as file:
        file.truncate(1_000_000)


def flip(folder: Path) -> None:
    """Change one bit, in the place."""
    with (folder / f"{NAME}.bin").open("r+b") as file:
        file.seek(1_000_000)
        (byte,) = file.read(1)
        file.seek(1_000_000)
        file.write(bytes([byte ^ 1]))


def empty(folder: Path) -> None:
    (folder / f"{NAME}.json").write_bytes(b"")


def swap(folder: Path) -> None:
    """Put another encoder's files in the place, whole ones: the mean colour, three numbers."""
    shutil.rmtree(folder)
    folder.mkdir()
    spec = spec_for(NAME)
    picture = opset13.parameter([-1, spec.input_size, spec.input_size, 3], np.uint8)
    means = opset13.reduce_mean(opset13.convert(picture, "f32"), opset13.constant([1, 2]))
    openvino.save_model(openvino.Model([means], [picture]), folder / "means.xml", compress_to_fp16=False)
    names = ("means.xml", "means.bin")
    StoredEncoder(
        spec=replace(spec, name="means", dim=OTHER_DIM),
        weights_sha256="3" * 64,
        files={name: sha256_of(folder / name) for name in names},
        parity={},
        n_samples=0,
        versions={},
    ).write(folder)


def blank(folder: Path) -> None:
    """Overwrite all of it, in the place."""
    with (folder / f"{NAME}.bin").open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        file.write(bytes(size))


def install(gallery: Gallery, folder: Path) -> None:
    """Mend as people are told to: from its publisher."""
    gallery.site.manage("install_encoder", NAME)


def bring_back(gallery: Gallery, folder: Path) -> None:
    """Mend from a copy."""
    put_back(folder)
    gallery.site.manage("install_encoder", NAME)


def body_of(url: str) -> tuple[int, str]:
    """Return the status and the body with which an address answers."""
    try:
        with urllib.request.urlopen(url, timeout=60) as response:
            return int(response.status), response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def worker_answers(url: str) -> bool:
    return bool(json.loads(body_of(f"{url}/readyz")[1])["worker"] == "ok")


def tracebacks(site: Site) -> int:
    return sum(path.read_text().count("Traceback") for path in site.var.glob("*.log"))


@pytest.mark.parametrize(
    ("damage", "told", "mend"),
    [
        (lose, f"{NAME}.bin is missing", install),
        (cut, f"{NAME}.bin has changed", bring_back),
        (flip, f"{NAME}.bin has changed", bring_back),
        (empty, f"{NAME}.json cannot be read", bring_back),
        (swap, f"its files are those of other weights (means, {OTHER_DIM} numbers)", bring_back),
    ],
)
def test_pictures_wait_for_files_that_are_whole(
    gallery: Gallery,
    folder: Path,
    some: Some,
    damage: Callable[[Path], None],
    told: str,
    mend: Callable[[Gallery, Path], None],
) -> None:
    """Nobody has loaded them when they are damaged. Pages, searches, programs and the doctor say what is to be done."""
    site, dataset = gallery.site, f"damaged by {damage.__name__}"
    ((image_id,),) = gallery.rows(CALM, "min(image.id)")
    part = f"/?image={image_id}&crop=0.1,0.1,0.5,0.5"
    n_before = tracebacks(site)
    damage(folder)
    with site.worker(beat=True), site.web() as url:
        wait_for(lambda: worker_answers(url), "the worker")
        gallery.import_into(dataset, some.folder)
        for path in (part, "/readyz", "/encoders/"):
            status, answer = body_of(url + path)
            assert (path, told in answer, MEND in answer) == (path, True, True)
            assert status == (200 if path == "/encoders/" else 503)
        assert send(url, {"a.jpg": some.picture}) == 503
        assert status_of(f"{url}/images/{image_id}/why/?image={image_id}") == 503
        said = site.run("doctor")
        assert (said.returncode, told in said.stdout, MEND in said.stdout) == (1, True, True)
        assert "Traceback" not in said.stdout + said.stderr
        assert gallery.counts(dataset) == {"pending": N_SOME}
        mend(gallery, folder)
        wait_for(lambda: gallery.n_ready(dataset) == N_SOME, "the pictures", LONGEST_SECONDS)
        assert [status_of(url + path) for path in (part, "/readyz")] == [200, 200]
    gallery.assert_whole(dataset, contents=some.contents)
    assert tracebacks(site) == n_before


@pytest.mark.parametrize("damage", [cut, blank])
def test_files_damaged_while_they_are_in_memory(
    gallery: Gallery, folder: Path, some: Some, damage: Callable[[Path], None]
) -> None:
    """Whoever has them in memory goes on with what they were."""
    dataset = f"{damage.__name__} in memory"
    ((image_id,),) = gallery.rows(CALM, "min(image.id)")
    with gallery.site.worker(beat=True), gallery.site.web() as url:
        server = api_client().ImgSim(url)
        part = {"image_id": image_id, "crop": "0.1,0.1,0.5,0.5", "dataset": CALM}

        def hits() -> list[tuple[int, float]]:
            return [(hit["id"], hit["distance"]) for hit in server._send_json("POST", "/search", part)["hits"]]

        gallery.import_into(f"before {dataset}", some.folder)
        gallery.come_to_rest(f"before {dataset}")
        before = hits()
        damage(folder)
        assert hits() == before
        assert status_of(f"{url}/images/{image_id}/why/?image={image_id}") in {200, 503}
        assert f"{NAME}.bin has changed" in body_of(f"{url}/readyz")[1]
        gallery.import_into(dataset, some.folder)
        bring_back(gallery, folder)
        wait_for(lambda: gallery.n_ready(dataset) == N_SOME, "the pictures", LONGEST_SECONDS)
        assert hits() == before
        assert status_of(f"{url}/images/{image_id}/why/?image={image_id}") == 200
    gallery.assert_whole(dataset, contents=some.contents)
