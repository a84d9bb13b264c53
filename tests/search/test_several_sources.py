"""Several sources as one import, and lists of files."""

import io
import sys
import tarfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.core.management import CommandError, call_command

from embeddings.images import RefusedImage
from search.ingest import importing
from search.ingest.several import STDIN, open_sources
from search.ingest.sources import SourceMissing
from search.management.commands.import_images import Command
from search.models import Dataset, Image, Job
from search.work.progress import Bars
from tests.conftest import png


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Three folders with a picture each; the third one in a tar as well."""
    for name in ("warm", "cold", "more"):
        (tmp_path / name).mkdir()
    (tmp_path / "warm/red.png").write_bytes(png("red"))
    (tmp_path / "cold/blue.png").write_bytes(png("blue"))
    (tmp_path / "more/green.png").write_bytes(png("green"))
    with tarfile.open(tmp_path / "more.tar", "w") as archive:
        archive.add(tmp_path / "more", "more")
    return tmp_path


def names(*paths: Path, files_from: Path | None = None) -> list[tuple[str, int]]:
    source = open_sources(paths, files_from)
    return [(found.source, found.position) for found in source]


def test_sources_follow_each_other_and_each_names_its_own(pictures: Path) -> None:
    (pictures / "warm/notes.txt").write_text("x")
    source = open_sources([pictures / "warm", pictures / "more.tar", pictures / "cold/blue.png"])
    assert [found.source for found in source] == ["warm/red.png", "more.tar::more/green.png", "blue.png"]
    assert (source.ignored, source.is_archive, source.folders) == ({".txt": 1}, True, [pictures / "warm"])


def test_how_far_it_is_counts_all_sources(pictures: Path) -> None:
    (pictures / "warm/orange.png").write_bytes(png("orange"))
    assert [position for _, position in names(pictures / "warm", pictures / "cold")] == [1, 2, 3]


def test_all_sources_show_life(pictures: Path) -> None:
    source = open_sources([pictures / "warm", pictures / "cold"])
    beats: list[None] = []
    source.beat = lambda: beats.append(None)
    assert len(list(source)) == 2
    assert len(beats) >= 2


def test_what_cannot_be_read_is_found_before_anything_is(pictures: Path) -> None:
    (pictures / "broken.zip").write_text("no zip")
    with pytest.raises(SourceMissing, match="There is nothing at"):
        open_sources([pictures / "warm", pictures / "nowhere"])
    reading = iter(open_sources([pictures / "warm", pictures / "broken.zip"]))
    with pytest.raises(SourceMissing, match="not a zip that can be read"):
        next(reading)


def test_a_list_names_files_from_their_common_folder_on(pictures: Path) -> None:
    listed = pictures / "list.txt"
    listed.write_text(f"{pictures}/warm/red.png\r\n\n{pictures}/cold/blue.png\n")
    assert names(files_from=listed) == [
        (f"{pictures.name}/warm/red.png", 1), (f"{pictures.name}/cold/blue.png", 2)
    ]  # fmt: skip


def test_a_list_may_be_relative_and_end_its_names_by_nul(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(pictures / "warm")
    (pictures / "warm/odd\nname.png").write_bytes(png("cyan"))
    (pictures / "list").write_bytes(b"./odd\nname.png\0red.png\0")
    assert [source for source, _ in names(files_from=pictures / "list")] == ["warm/odd\nname.png", "warm/red.png"]


def test_a_list_without_a_common_folder_shows_no_path_of_the_server(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("/alpha/beta/gamma/a.png\n/delta/b.png\n")
    assert [source for source, _ in names(files_from=tmp_path / "list")] == ["gamma/a.png", "delta/b.png"]


def test_a_list_refuses_folders_and_archives_and_leaves_out_what_is_no_picture(pictures: Path) -> None:
    (pictures / "list").write_text(f"{pictures}/warm\n{pictures}/more.tar\n{pictures}/list\n{pictures}/gone.png\n")
    source = open_sources([], pictures / "list")
    found = list(source)
    assert [one.content.code for one in found if isinstance(one.content, RefusedImage)] == [
        "listed_folder", "listed_archive"
    ]  # fmt: skip
    assert (found[-1].content, source.ignored) == (pictures / "gone.png", {"no ending": 1})


@pytest.mark.parametrize("content", [b"", b"\n \n"])
def test_an_empty_list_is_said_so(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "list").write_bytes(content)
    with pytest.raises(SourceMissing, match="names no file: write one path a line"):
        open_sources([], tmp_path / "list")


def test_a_missing_list_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(SourceMissing, match="cannot be read: No such file"):
        open_sources([], tmp_path / "nowhere")


def test_paths_may_stand_before_and_behind_options() -> None:
    parser = Command().create_parser("manage.py", "import_images")
    parsed = parser.parse_args(["a.zip", "--dataset", "Colours", "b", "--dry-run", "c"])
    assert (parsed.path, parsed.dataset, parsed.dry_run) == ([Path("a.zip"), Path("b"), Path("c")], "Colours", True)
    with pytest.raises(CommandError, match="arguments are required: --dataset"):
        parser.parse_args(["a.zip"])


@pytest.mark.usefixtures("encoder")
class TestImports:
    def test_several_sources_are_one_job(self, pictures: Path) -> None:
        paths = [pictures / "warm", pictures / "cold", pictures / "more.tar"]
        request = importing.Request(path=paths, dataset="Colours", embeds_here=True, waits=True)
        report = importing.run(request, Bars(quiet=True))
        assert (report.n_found, report.n_embedded) == (3, 3)
        assert Job.objects.get().parameters["path"] == [str(path) for path in paths]
        assert set(Image.objects.values_list("source", flat=True)) == {
            "warm/red.png", "cold/blue.png", "more.tar::more/green.png"
        }  # fmt: skip

    def test_an_archive_among_them_cannot_stay_in_place(self, pictures: Path) -> None:
        paths = [str(pictures / "warm"), str(pictures / "more.tar")]
        with pytest.raises(CommandError, match="inside an archive cannot stay in place"):
            call_command("import_images", *paths, dataset="Colours", in_place=True)

    def test_the_command_takes_a_list_from_stdin(self, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        content = f"{pictures}/warm/red.png\n{pictures}/warm/gone.png\n".encode()
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))
        out = io.StringIO()
        with pytest.raises(SystemExit, match="3"):
            call_command("import_images", files_from=STDIN, dataset="Colours", sync=True, stdout=out)
        assert "refused warm/gone.png: The file cannot be read: No such file or directory." in out.getvalue()
        assert Job.objects.get().parameters["files_from"] == "-"

    def test_without_any_source_it_says_what_to_name(self) -> None:
        with pytest.raises(CommandError, match="Name a folder, a picture or an archive, or a list of files"):
            call_command("import_images", dataset="Colours")
        assert not Dataset.objects.exists()


def test_a_line_that_can_be_no_path_stops_nobody(pictures: Path, tmp_path: Path) -> None:
    some = next(pictures.rglob("*.png"))
    (tmp_path / "list").write_text(f"{some}\n{'x' * 300}\n")
    assert next(iter(open_sources([], tmp_path / "list"))).content == some
