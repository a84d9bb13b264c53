"""Where pictures come from: folders, files, zips, tars, and what is wrong with them."""

import bz2
import gzip
import io
import os
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from embeddings.images import RefusedImage
from embeddings.images.decoding import MAX_FILE_BYTES
from search.ingest.opening import open_source
from search.ingest.sources import Found, SourceMissing
from tests.conftest import png


def write_zip(path: Path, entries: list[tuple[str, bytes]]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return path


def write_tar(path: Path, entries: list[tuple[str, bytes]], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, content in entries:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def codes(found: list[Found]) -> list[str]:
    return [one.content.code for one in found if isinstance(one.content, RefusedImage)]


def test_a_folder_gives_its_pictures_by_name_and_counts_the_rest(tmp_path: Path) -> None:
    for name in ("b/2.PNG", "b/1.jpg", "a.webp", "notes.txt", ".DS_Store", "b/photo.heic", "b/phone.mpo"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    source = open_source(tmp_path)
    assert [found.name for found in source] == ["a.webp", "b/1.jpg", "b/2.PNG", "b/phone.mpo", "b/photo.heic"]
    assert source.ignored == {".txt": 1}
    assert source.source_of("b/1.jpg") == f"{tmp_path.name}/b/1.jpg"


def test_endings_without_end_are_counted_together(tmp_path: Path) -> None:
    names = [f"a.{number}" for number in range(300)] + [f"a.{'b' * 500}"]
    source = open_source(write_tar(tmp_path / "a.tar", [(name, b"") for name in names]))
    assert list(source) == []
    assert (len(source.ignored), source.ignored["others"]) == (201, 101)


def test_a_single_file_is_taken_whatever_its_name(tmp_path: Path) -> None:
    (tmp_path / "picture").write_bytes(png())
    assert [found.name for found in open_source(tmp_path / "picture")] == ["picture"]


def test_an_unreadable_folder_inside_is_reported_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "locked").mkdir()
    (tmp_path / "a.png").write_bytes(png())
    list_folder = os.scandir

    def refuse_locked(path: str) -> object:  # root may read everything, so permissions alone would not do
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return list_folder(path)

    monkeypatch.setattr(os, "scandir", refuse_locked)
    found = list(open_source(tmp_path))
    assert codes(found) == ["unreadable"]
    assert found[-1].name == "a.png"


def test_an_unreadable_folder_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(SourceMissing, match="cannot be read: Permission denied"):
        open_source(tmp_path)


def test_a_missing_path_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(SourceMissing, match="There is nothing at"):
        open_source(tmp_path / "nowhere")


def test_a_path_below_a_closed_folder_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path) -> None:  # root may read everything, as above
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "stat", refuse)
    with pytest.raises(SourceMissing, match=r"a\.png cannot be reached: Permission denied\.$"):
        open_source(tmp_path / "a.png")


@pytest.mark.parametrize("typed", [".", "../pictures", "below/.."])
def test_the_folder_one_is_in_is_called_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    (tmp_path / "pictures" / "below").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "pictures")
    assert open_source(Path(typed)).source_of("a.png") == "pictures/a.png"


def test_a_zip_gives_equal_names_apart(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = write_zip(tmp_path / "a.zip", [("x.png", png("red")), ("x.png", png("blue"))])
    found = list(open_source(path))
    assert [one.content for one in found] == [png("red"), png("blue")]


def test_an_archive_inside_an_archive_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", [("inner.zip", b"PK"), ("x.png", png())])
    assert codes(list(open_source(path))) == ["nested_archive"]


def test_a_file_that_unpacks_without_end_is_read_no_further_than_the_limit(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "bomb.zip", [("bomb.png", bytes(5 * MAX_FILE_BYTES))])
    (found,) = open_source(path)
    assert isinstance(found.content, RefusedImage)
    assert "The file has 100.0 MB; the limit is 20 MB." in found.content.reason


def test_a_file_over_the_limit_in_a_tar_is_told_its_size(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar.gz", [("big.png", bytes(MAX_FILE_BYTES + 5_000_000)), ("x.png", png())], "w:gz")
    big, small = open_source(path)
    assert isinstance(big.content, RefusedImage)
    assert "The file has 25.0 MB" in big.content.reason
    assert small.content == png()


def test_one_damaged_byte_in_a_zip_refuses_one_file(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a.png", os.urandom(5_000))
        archive.writestr("b.png", png())
    content = bytearray(path.read_bytes())
    content[39] = 255  # the properties of the first file's compression
    path.write_bytes(content)
    found = list(open_source(path))
    assert (codes(found), found[1].content) == (["damaged_archive"], png())


def test_a_zip_of_a_newer_version_is_said_so(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", [("a.png", png())])
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\1\2") + 6] = 99
    path.write_bytes(content)
    with pytest.raises(SourceMissing, match=r"not a zip that can be read: zip file version 9\.9\.$"):
        list(open_source(path))


def test_a_picture_with_a_zip_behind_it_is_a_picture(tmp_path: Path) -> None:
    behind = write_zip(tmp_path / "a.zip", [("x.png", png("blue"))])
    (tmp_path / "picture.png").write_bytes(png("red") + behind.read_bytes())
    assert [found.name for found in open_source(tmp_path / "picture.png")] == ["picture.png"]


def test_a_zip_of_any_name_is_a_zip(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "pictures.cbz", [("x.png", png())])
    assert [found.name for found in open_source(path)] == ["x.png"]


def test_skipping_a_member_that_unpacks_to_very_much_shows_life(tmp_path: Path) -> None:
    source = open_source(write_tar(tmp_path / "a.tar.gz", [("a.txt", bytes(100_000_000)), ("x.png", png())], "w:gz"))
    beats: list[None] = []
    source.beat = lambda: beats.append(None)
    assert [found.name for found in source] == ["x.png"]
    assert len(beats) >= 10


@pytest.mark.parametrize(("magic", "at"), [(b"PK\5\6", 12), (b"PK\6\6", 40)])
def test_a_zip_with_a_list_without_end_is_not_read_into_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, magic: bytes, at: int
) -> None:
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 0)  # or only large ones have the second kind of end
    content = bytearray(write_zip(tmp_path / "a.zip", [("a.png", png())]).read_bytes())
    at += content.rindex(magic)
    content[at : at + 4] = (100_000_001).to_bytes(4, "little")
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(SourceMissing, match=r"its list of files has more than 100 MB\.$"):
        open_source(tmp_path / "a.zip").weigh()


def test_what_is_no_zip_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"this is no zip")
    with pytest.raises(SourceMissing, match="not a zip that can be read"):
        list(open_source(tmp_path / "a.zip"))


@pytest.mark.parametrize(("name", "mode"), [("a.tar", "w"), ("a.tar.gz", "w:gz"), ("a.tar.xz", "w:xz")])
def test_a_tar_gives_its_pictures_packed_or_not(tmp_path: Path, name: str, mode: str) -> None:
    path = write_tar(tmp_path / name, [("d/x.png", png()), ("d/notes.txt", b"x")], mode)
    source = open_source(path)
    assert [(found.name, found.content) for found in source] == [("d/x.png", png())]
    assert source.source_of("d/x.png") == f"{name}::d/x.png"


def test_a_truncated_tar_gives_what_came_before_and_says_so(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar.gz", [(f"{n}.png", os.urandom(50_000)) for n in range(5)], "w:gz")
    path.write_bytes(path.read_bytes()[:120_000])
    found = list(open_source(path))
    assert codes(found) == ["damaged_archive"]
    assert len(found) >= 2


@pytest.mark.parametrize("damage", ["a byte", "the end"])
@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_damaged_header_is_not_the_end_of_a_tar(tmp_path: Path, damage: str, mode: str) -> None:
    plain = write_tar(tmp_path / "plain.tar", [(f"{n}.png", bytes(700)) for n in range(5)])
    content = bytearray(plain.read_bytes())
    third = 2 * (512 + 1024)
    content[third + 5] ^= 0xFF
    whole = bytes(content) if damage == "a byte" else bytes(content[: third + 100])
    path = tmp_path / ("a.tar" if mode == "w" else "a.tar.gz")
    path.write_bytes(whole if mode == "w" else gzip.compress(whole))
    found = list(open_source(path))
    assert [one.name for one in found] == ["0.png", "1.png", ""]
    assert codes(found) == ["damaged_archive"]


def test_a_tar_that_promises_more_than_it_has_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        member = tarfile.TarInfo("a.png")
        member.size = 3
        archive.addfile(member, io.BytesIO(b"abc"))
        promise = tarfile.TarInfo("notes.txt")
        promise.size = 2**62
        archive.addfile(promise)
    found = list(open_source(path))
    assert [one.content for one in found[:1]] == [b"abc"]
    assert codes(found) == ["damaged_archive"]


LEADING_OUT = ["../../out.png", "/tmp/out.png", r"..\..\out.png", r"C:\out.png", "a/../../out.png"]


@pytest.mark.parametrize("write", [write_zip, write_tar])
def test_names_that_lead_out_of_an_archive_are_refused(tmp_path: Path, write: Callable[..., Path]) -> None:
    names = [*LEADING_OUT, "a..b/..c.png", "a: b.png"]
    archive = tmp_path / ("a.zip" if write is write_zip else "a.tar")
    found = list(open_source(write(archive, [(name, png()) for name in names])))
    assert [one.name for one in found] == names
    assert codes(found) == ["file_name"] * len(LEADING_OUT)
    assert [one.content for one in found[-2:]] == [png()] * 2


def test_a_name_without_end_is_refused_and_shown_in_part(tmp_path: Path) -> None:
    (found,) = open_source(write_zip(tmp_path / "a.zip", [(f"{'a' * 60_000}.png", png())]))
    assert isinstance(found.content, RefusedImage)
    assert found.content.reason == "Its name has more than 1,000 characters."
    assert len(found.source) < 1_100


def test_links_and_devices_in_a_tar_are_refused_with_what_lies_behind_them(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        for name, kind in (
            ("hard.png", b"1"),
            ("soft.png", b"2"),
            ("device.png", b"3"),
            ("pipe.png", b"6"),
            ("d", b"2"),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc"
            archive.addfile(member)
        for name in ("d/behind.png", "dd/x.png"):
            member = tarfile.TarInfo(name)
            member.size = len(png())
            archive.addfile(member, io.BytesIO(png()))
    source = open_source(path)
    found = list(source)
    assert [one.name for one in found] == ["hard.png", "soft.png", "device.png", "pipe.png", "d/behind.png", "dd/x.png"]
    assert codes(found) == ["link"] * 5
    assert source.ignored == {"no ending": 1}


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    entry = zipfile.ZipInfo("link.png")
    entry.create_system, entry.external_attr = 3, 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(entry, "/etc/passwd")
    assert codes(list(open_source(tmp_path / "a.zip"))) == ["link"]


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz"])
def test_an_archive_is_read_as_far_as_it_may_unpack(tmp_path: Path, name: str) -> None:
    entries = [(f"{number}.png", bytes(400_000)) for number in range(9)]
    write = write_zip if name == "a.zip" else write_tar
    source = open_source(write(tmp_path / name, entries, *["w:gz"] * name.endswith("gz")))
    source.most_bytes = 1_000_000
    found = list(source)
    assert codes(found) == ["too_large_archive"]
    assert [one.name for one in found] == ["0.png", "1.png", ""]
    assert "more than 1 MB" in found[-1].content.reason  # type: ignore[union-attr]


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_header_without_end_is_not_read_into_memory(tmp_path: Path, mode: str) -> None:
    """Of a few kilobytes tarfile would make a name of gigabytes."""
    path = write_tar(tmp_path / "a.tar", [("a.png", png()), ("b" * 50_000_000, b"")], mode)
    tracemalloc.start()
    found = list(open_source(path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (found[0].content, codes(found)) == (png(), ["damaged_archive"])
    assert peak < 15_000_000


def test_a_tar_that_was_packed_in_parts_is_read_to_its_end(tmp_path: Path) -> None:
    """As pigz and pbzip2 write it."""
    entries = [(f"{number}.png", os.urandom(9_000)) for number in range(9)]
    content = write_tar(tmp_path / "whole.tar", entries).read_bytes()
    path = tmp_path / "a.tar.bz2"
    path.write_bytes(b"".join(bz2.compress(content[at : at + 20_000]) for at in range(0, len(content), 20_000)))
    assert len(list(open_source(path))) == 9
