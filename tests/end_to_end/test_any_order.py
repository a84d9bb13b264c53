"""Broker, workers and web server end and come back in any order: no picture is lost, and none is there twice."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from imgsim_site.embedded.redis import find_redis_server
from tests.end_to_end.conftest import copy
from tests.pictures import jpeg_bytes
from tests.running import Site, api_client, wait_for

PARTS = ("broker", "worker", "web")
# One of them always; the web server first, as it is what people deploy anew most often.
ORDERS = [
    pytest.param(order, marks=() if order == ("web", "broker", "worker") else pytest.mark.thorough)
    for order in itertools.permutations(PARTS)
]
N_FOLDER = 12


class Running:
    """The parts of one site, each of which is ended and started by its name."""

    def __init__(self, site: Site, port: int) -> None:
        self.site, self.port, self.url = site, port, ""
        self._parts: dict[str, ExitStack] = {}

    def start(self, name: str) -> None:
        part = {"broker": self._broker, "worker": self._worker, "web": self._web}[name]
        self._parts[name] = ExitStack()
        self._parts[name].enter_context(part())

    def end(self, name: str) -> None:
        self._parts.pop(name).close()

    def end_all(self) -> None:
        for name in [*self._parts]:
            self.end(name)

    def is_up(self, name: str) -> bool:
        return name in self._parts

    @contextmanager
    def _broker(self) -> Iterator[None]:
        """A Redis that forgets everything when it ends."""
        command = [str(find_redis_server()), "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        with subprocess.Popen(command, cwd=self.site.var, stdout=subprocess.DEVNULL) as server:
            wait_for(lambda: _is_open(self.port), "the broker")
            yield
            server.kill()

    @contextmanager
    def _worker(self) -> Iterator[None]:
        with self.site.worker(concurrency=1, beat=True) as process:
            yield
            os.killpg(process.pid, signal.SIGKILL)

    @contextmanager
    def _web(self) -> Iterator[None]:
        with self.site.web() as self.url:
            yield


def _is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def running(prepared: Path) -> Iterator[Running]:
    """A site with a broker of its own, and nothing running but its database."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="imgsim-site-") as place:
        copy(prepared, Path(place))
        site = Site(Path(place), REDIS_URL=f"redis://127.0.0.1:{port}/0")
        with site.servers():
            parts = Running(site, port)
            yield parts
            parts.end_all()


@pytest.fixture(scope="module")
def secret(running: Running) -> str:
    """The secret of a token that may write."""
    return running.site.make_token()


class Adding:
    """Adds pictures by whatever way is open, each way with contents of its own."""

    def __init__(self, running: Running, secret: str, folder: Path, dataset: str) -> None:
        self.running, self.secret, self.folder, self.dataset = running, secret, folder, dataset
        self.n_accepted = 0

    def by_command(self) -> None:
        folder = self.folder / f"{self.n_accepted}"
        folder.mkdir()
        for _ in range(N_FOLDER):
            self._draw(folder)
        report = self.running.site.manage_json("import_images", str(folder), "--dataset", self.dataset)
        assert report["added"] == N_FOLDER

    def by_request(self) -> None:
        """Upload one, twice with the same key, and look at a page, where the web server runs."""
        if not self.running.is_up("web"):
            return
        server = api_client().ImgSim(self.running.url, self.secret)
        path = self._draw(self.folder)
        first, again = (server._upload(self.dataset, path, "", path.name) for _ in range(2))
        assert first["id"] == again["id"]
        assert server.image(first["id"])["status"] in {"pending", "ready"}

    def _draw(self, folder: Path) -> Path:
        path = folder / f"{self.dataset}-{self.n_accepted}.jpg"
        path.write_bytes(jpeg_bytes(320, 240, seed=hash((self.dataset, self.n_accepted)) % 2**32))
        self.n_accepted += 1
        return path


@pytest.mark.parametrize("order", ORDERS, ids=["-".join(order) for order in itertools.permutations(PARTS)])
def test_whatever_ends_and_begins_first(running: Running, secret: str, tmp_path: Path, order: tuple[str, ...]) -> None:
    adding = Adding(running, secret, tmp_path, "-".join(order))
    for name in PARTS:
        running.start(name)
    adding.by_command()
    for name in order:
        running.end(name)
        adding.by_request()
    adding.by_command()
    for name in order:
        running.start(name)
        adding.by_request()

    def is_swept() -> bool:
        """Sweep as beat does every minute."""
        running.site.manage("reconcile")
        return not running.site.sql("SELECT 1 FROM search_image WHERE status = 'pending' LIMIT 1")

    wait_for(is_swept, "the pictures")
    assert standing(running.site, adding.dataset) == (adding.n_accepted,) * 4
    running.end_all()


def standing(site: Site, slug: str) -> tuple[Any, ...]:
    """Return the numbers of images, of contents, of ready images and of vectors of a dataset."""
    (counts,) = site.sql(
        "SELECT count(*), count(DISTINCT sha256), count(*) FILTER (WHERE status = 'ready'), count(embedding.image_id) "
        "FROM search_image image LEFT JOIN search_embedding embedding ON embedding.image_id = image.id "
        "WHERE image.dataset_id = (SELECT id FROM search_dataset WHERE slug = %s)",
        slug,
    )
    return counts
