"""A disk is full, that of the pictures or that of temporary files.

It is told, nothing is half there, and room made later is all it needs.
"""

from __future__ import annotations

import contextlib
import io
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.end_to_end.conftest import migrate_and_install
from tests.faults.gallery import CALM, Gallery
from tests.pictures import jpeg_bytes, plain_bmp
from tests.running import Site, api_client, wait_for
from tests.visiting import Visitor


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
    """A disk of a megabyte, for the pictures of a site."""
    with mounted("var/media", "1m") as disk:
        yield disk


@pytest.fixture
def temporary() -> Iterator[Disk]:
    """A disk for temporary files, with room for a few pictures."""
    with mounted("tmp", "100m") as disk:
        yield disk


@contextlib.contextmanager
def mounted(name: str, size: str) -> Iterator[Disk]:
    with tempfile.TemporaryDirectory(prefix="imgsim-full-") as place:
        disk = Disk(Path(place, name))
        try:
            disk.mount(size)
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


def test_without_temporary_room_what_needs_none_goes_on(gallery: Gallery, temporary: Disk) -> None:
    """Only what is too large for memory lies there for a moment: that is refused, and all else is as ever."""
    cramped = Site(gallery.site.var, TMPDIR=str(temporary.place))
    large = plain_bmp(1600, 1200)  # 5.8 MB
    small_archive, large_archive = zipped(gallery, n_more_bytes=4_000_000), zipped(gallery, n_more_bytes=25_000_000)
    with cramped.worker(beat=True), cramped.web() as url:
        program = Visitor(url, token=cramped.make_token())
        browser = Visitor(url, session=cramped.sign_in())

        def status_of_search() -> int:
            return program.post("/api/v1/search", files=[("image", "large.bmp", large)]).status

        def send(dataset: str, name: str, content: bytes) -> int:
            assert program.post_json("/api/v1/datasets", {"name": dataset}).status == 201
            return browser.post(f"/datasets/{dataset}/upload/file/", files=[("file", name, content)]).status

        assert status_of_search() == 200
        filler = temporary.fill()
        assert status_of_search() == 507
        told = browser.post("/", files=[("picture", "large.bmp", large)])
        assert (told.status, "disk for temporary files is full" in told.text) == (507, True)
        assert send("too-large", "large.bmp", large) == 507
        assert send("spooled", "all.zip", small_archive) == 507
        assert browser.get(f"/datasets/{CALM}/export/npz").status == 507
        # Small pictures stay in memory, and large archives go to where they are imported from.
        small = min(gallery.folder.iterdir()).read_bytes()
        assert program.post("/api/v1/search", files=[("image", "small.jpg", small)]).status == 200
        assert send("streamed", "all.zip", large_archive) == 200
        gallery.import_into("cramped")
        cramped.manage_json("import_images", str(gallery.folder), "--dataset", "by-itself", "--sync")
        wait_for(lambda: sum(gallery.counts("streamed").values()) == len(gallery.contents), "the archive")
        for dataset in ("streamed", "cramped", "by-itself"):
            gallery.come_to_rest(dataset)
            gallery.assert_whole(dataset)
        for dataset in ("too-large", "spooled"):
            assert gallery.counts(dataset) == {}
        assert [path for path in temporary.place.rglob("*") if path.is_file()] == [filler]
        filler.unlink()
        assert status_of_search() == 200
        assert browser.get(f"/datasets/{CALM}/export/npz").status == 200


def zipped(gallery: Gallery, *, n_more_bytes: int) -> bytes:
    """Return all pictures as a zip, with a file beside them that is none."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for path in sorted(gallery.folder.iterdir()):
            archive.write(path, path.name)
        archive.writestr("more.bin", b"x" * n_more_bytes)
    return content.getvalue()
