"""The disk under the pictures is full: it is told, nothing is half there, and room made later is all it needs."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.end_to_end.conftest import migrate_and_install
from tests.faults.gallery import Gallery
from tests.pictures import jpeg_bytes
from tests.running import Site, api_client, wait_for


class Disk:
    """A file system in memory of a size of its own."""

    def __init__(self, place: Path) -> None:
        self.place = place
        place.mkdir(parents=True)

    def mount(self, size: str) -> None:
        self._run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(self.place))

    def resize(self, size: str) -> None:
        self._run("mount", "-o", f"remount,size={size}", str(self.place))

    def fill(self) -> Path:
        """Take the room that is left; return the file that has it."""
        filler = self.place / "filler"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while file.write(b"x" * 4096):
                pass
        return filler

    def unmount(self) -> None:
        self._run("umount", "--lazy", str(self.place))

    def _run(self, *command: str) -> None:
        subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def disk() -> Iterator[Disk]:
    with tempfile.TemporaryDirectory(prefix="imgsim-full-") as place:
        disk = Disk(Path(place, "var", "media"))
        try:
            disk.mount("1m")
        except (subprocess.CalledProcessError, FileNotFoundError):
            pytest.skip("mounting a file system takes root")
        try:
            yield disk
        finally:
            disk.unmount()


def test_a_full_disk_loses_nothing(gallery: Gallery, disk: Disk, tmp_path: Path) -> None:
    site, client = Site(disk.place.parent), api_client()
    migrate_and_install(site)
    with site.servers():
        full = replace(gallery, site=site)
        done = site.run("import_images", str(full.folder), "--dataset", "full")
        assert done.returncode != 0
        assert "A disk is full: [Errno 28] No space left on device" in done.stderr
        assert "Traceback" not in done.stderr
        with site.worker(beat=True), site.web() as url:
            server = client.ImgSim(url, site.make_token())
            server.make_dataset("uploads")
            (tmp_path / "late.jpg").write_bytes(jpeg_bytes(2000, 1500, seed=30_000, quality=100))
            filler = disk.fill()
            with pytest.raises(client.Refused) as told:
                server.upload("uploads", tmp_path / "late.jpg")
            assert told.value.status == 507
            filler.unlink()
            disk.resize("100m")
            full.import_into("full")
            full.come_to_rest("full")
            wait_for(lambda: not any((disk.place / ".drafts").iterdir()), "the last draft", seconds=10)
        full.assert_whole("full")
