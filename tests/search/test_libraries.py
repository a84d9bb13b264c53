"""Libraries in place that are imported again: new, changed, moved and vanished files are told apart."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from search.curating import trash
from search.ingest import importing, in_place_library, rows
from search.ingest.rehearsing import rehearse
from search.ingest.reporting import LibraryReport
from search.models import Dataset, Image, Job
from search.work.progress import Bars
from tests.conftest import png
from tests.fakes import ColourNetwork

pytestmark = pytest.mark.usefixtures("encoder")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A library that is imported: three pictures in two folders."""
    folder = tmp_path / "pictures"
    for name, colour in {"warm/red": "red", "warm/orange": "orange", "cold/blue": "blue"}.items():
        write(folder / f"{name}.png", colour)
    run(folder)
    return folder


def write(path: Path, colour: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png(colour))


def request(*paths: Path, **options: Any) -> importing.Request:
    wanted = {"in_place": True, "embeds_here": True, "waits": True, "labels": "none", **options}
    return importing.Request(path=paths, dataset="Colours", **wanted)


def run(*paths: Path, **options: Any) -> LibraryReport:
    report = importing.run(request(*paths, **options), Bars(quiet=True)).in_place_library
    assert report is not None
    return report


def told(report: LibraryReport) -> tuple[int, ...]:
    """Return how many are new, changed, moved, vanished and removed."""
    return tuple(report.as_json().values())


def sources() -> set[str]:
    return set(Image.objects.filter(dataset__in=Dataset.objects.all()).values_list("source", flat=True))


def test_a_library_that_has_not_changed_is_left_alone(folder: Path, network: ColourNetwork) -> None:
    before, n_encoded = list(Image.objects.order_by("pk").values()), network.n_encoded
    assert told(run(folder, removes_vanished=True)) == (0, 0, 0, 0, 0)
    assert (list(Image.objects.order_by("pk").values()), network.n_encoded) == (before, n_encoded)


def test_the_first_import_finds_all_new(tmp_path: Path) -> None:
    write(tmp_path / "a.png", "red")
    write(tmp_path / "copy.png", "red")
    assert told(run(tmp_path)) == (1, 0, 0, 0, 0)


def test_a_changed_file_is_a_new_image_that_inherits(folder: Path) -> None:
    old = Image.objects.get(source="pictures/warm/red.png")
    Image.objects.filter(pk=old.pk).update(label="poppy", split="test", tags=["field"])
    write(folder / "warm/red.png", "tomato")
    assert told(run(folder)) == (0, 1, 0, 0, 0)
    image = Image.objects.get(source="pictures/warm/red.png", trashed_at=None)
    assert (image.label, image.split, image.tags, image.status) == ("poppy", "test", ["field"], "ready")
    assert image.pk != old.pk
    old.refresh_from_db()
    assert old.trashed_at is not None
    assert told(run(folder)) == (0, 0, 0, 0, 0)


def test_what_somebody_corrected_stays_though_the_content_changes(folder: Path) -> None:
    Image.objects.update(label="corrected", split="train")
    write(folder / "warm/red.png", "tomato")
    run(folder, labels="folder", split="val")
    image = Image.objects.get(source="pictures/warm/red.png", trashed_at=None)
    assert (image.label, image.split) == ("corrected", "train")


def test_a_moved_file_is_not_embedded_again(folder: Path, network: ColourNetwork) -> None:
    image = Image.objects.get(source="pictures/warm/red.png")
    n_encoded = network.n_encoded
    (folder / "new").mkdir()
    (folder / "warm/red.png").rename(folder / "new/crimson.png")
    assert told(run(folder, removes_vanished=True)) == (0, 0, 1, 0, 0)
    image.refresh_from_db()
    assert (image.source, image.original) == ("pictures/new/crimson.png", folder / "new/crimson.png")
    assert (network.n_encoded, Image.objects.count()) == (n_encoded, 3)


def test_a_library_that_lies_elsewhere_now_has_moved(folder: Path, tmp_path: Path) -> None:
    folder.rename(tmp_path / "archive")
    assert told(run(tmp_path / "archive")) == (0, 0, 3, 0, 0)
    assert sources() == {"archive/warm/red.png", "archive/warm/orange.png", "archive/cold/blue.png"}


@pytest.mark.parametrize("chunk_size", [1, 256])
@pytest.mark.parametrize(("first", "second"), [("warm/red", "cold/blue"), ("cold/blue", "warm/red")])
def test_files_that_change_places_have_moved(
    folder: Path, monkeypatch: pytest.MonkeyPatch, chunk_size: int, first: str, second: str
) -> None:
    monkeypatch.setattr(rows, "CHUNK_SIZE", chunk_size)
    (folder / f"{first}.png").rename(folder / "between")
    (folder / f"{second}.png").rename(folder / f"{first}.png")
    (folder / "between").rename(folder / f"{second}.png")
    assert told(run(folder)) == (0, 0, 2, 0, 0)
    for image in Image.objects.all():
        assert image.original.read_bytes() == png({"warm/red": "blue", "cold/blue": "red"}.get(
            image.source.removeprefix("pictures/").removesuffix(".png"), "orange"
        ))  # fmt: skip


def test_a_file_that_moved_and_left_its_name_to_another(folder: Path) -> None:
    (folder / "warm/red.png").rename(folder / "warm/zz.png")
    write(folder / "warm/red.png", "tomato")
    assert told(run(folder)) == (1, 0, 1, 0, 0)
    assert sources() == {f"pictures/{name}.png" for name in ("warm/red", "warm/orange", "cold/blue", "warm/zz")}


def test_a_copy_is_no_move(folder: Path) -> None:
    shutil.copy(folder / "warm/red.png", folder / "aa.png")
    assert told(run(folder)) == (0, 0, 0, 0, 0)
    assert "pictures/warm/red.png" in sources()
    (folder / "warm/red.png").unlink()
    assert told(run(folder)) == (0, 0, 1, 0, 0)
    assert "pictures/aa.png" in sources()


def test_vanished_files_are_told_and_removed_on_request(folder: Path) -> None:
    (folder / "cold/blue.png").unlink()
    report = run(folder)
    assert (told(report), report.vanished) == ((0, 0, 0, 1, 0), ["pictures/cold/blue.png"])
    assert len(sources()) == 3
    job = Job.objects.latest("pk")
    assert (job.progress["counts"]["vanished"], job.progress["vanished_files"]) == (1, ["pictures/cold/blue.png"])
    assert told(run(folder, removes_vanished=True)) == (0, 0, 0, 1, 1)
    assert sources() == {"pictures/warm/red.png", "pictures/warm/orange.png"}
    assert trash.restore(list(Image.objects.exclude(trashed_at=None).values_list("pk", flat=True))) == 1


def test_an_empty_folder_removes_nothing(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()
    with pytest.raises(CommandError, match="There are no pictures in"):
        call_command("import_images", str(folder), dataset="Colours", in_place=True, remove_vanished=True)
    assert len(sources()) == 3


def test_an_empty_folder_among_others_is_left_alone(folder: Path, tmp_path: Path, capsys: Any) -> None:
    write(tmp_path / "more/green.png", "green")
    write(tmp_path / "more/cyan.png", "cyan")
    run(tmp_path / "more")
    shutil.rmtree(folder)
    folder.mkdir()
    (tmp_path / "more/cyan.png").unlink()
    paths = [str(folder), str(tmp_path / "more")]
    call_command("import_images", *paths, dataset="Colours", in_place=True, remove_vanished=True, sync=True)
    told = capsys.readouterr().out
    assert "In place: 0 new, 0 changed, 0 moved, 4 vanished, 1 put into the trash." in told
    assert "3 of them lay in folders in which nothing was found: look whether their disk is mounted." in told
    assert len(sources()) == 4


def test_what_lies_outside_of_the_imported_folder_has_not_vanished(folder: Path, tmp_path: Path) -> None:
    write(tmp_path / "pictures2/green.png", "green")
    run(tmp_path / "pictures2")
    (tmp_path / "pictures2/green.png").unlink()
    assert told(run(folder, removes_vanished=True)) == (0, 0, 0, 0, 0)


def test_what_cannot_be_reached_has_not_vanished(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "cold/blue.png").unlink()

    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(in_place_library, "os", SimpleNamespace(stat=refuse, path=os.path))
    assert told(run(folder, removes_vanished=True)) == (0, 0, 0, 0, 0)


def test_a_file_that_is_no_picture_any_more_keeps_its_image(folder: Path) -> None:
    (folder / "warm/red.png").write_text("no picture")
    assert told(run(folder, removes_vanished=True)) == (0, 0, 0, 0, 0)
    assert len(sources()) == 3


def test_an_image_whose_file_was_lost_gets_another_try_where_it_is_found(folder: Path) -> None:
    Image.objects.filter(source__endswith="red.png").update(
        status="refused", error_code="unreadable", error_detail="Lost.", n_attempts=1
    )
    (folder / "warm/red.png").rename(folder / "red.png")
    assert told(run(folder)) == (0, 0, 1, 0, 0)
    image = Image.objects.get(source="pictures/red.png")
    assert (image.status, image.error_code) == ("ready", "")


def test_an_import_of_copies_leaves_a_library_alone(folder: Path) -> None:
    (folder / "warm/red.png").rename(folder / "warm/crimson.png")
    report = importing.run(request(folder, in_place=False), Bars(quiet=True))
    assert report.in_place_library is None
    assert "new" not in report.as_json()
    assert "pictures/warm/red.png" in sources()


def test_copies_of_the_site_are_no_files_of_a_library(add_image: Callable[..., Image], tmp_path: Path) -> None:
    image = add_image("red")
    write(tmp_path / "crimson.png", "red")
    assert told(run(tmp_path)) == (0, 0, 0, 0, 0)
    image.refresh_from_db()
    assert (image.source, image.in_place_path) == ("colours/red.png", "")


def test_a_dry_run_tells_the_same_and_changes_nothing(folder: Path) -> None:
    write(folder / "warm/red.png", "tomato")
    write(folder / "green.png", "green")
    (folder / "warm/orange.png").rename(folder / "o.png")
    (folder / "cold/blue.png").unlink()
    before = list(Image.objects.order_by("pk").values())
    dry = rehearse(request(folder), Bars(quiet=True))
    assert list(Image.objects.order_by("pk").values()) == before
    assert dry.in_place_library is not None
    assert (dry.n_added, told(dry.in_place_library)) == (2, (1, 1, 1, 1, 0))
    assert run(folder) == dry.in_place_library


def test_removing_what_vanished_needs_a_library(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="Only of libraries in place is known what has vanished: give --in-place"):
        call_command("import_images", str(tmp_path), dataset="Colours", remove_vanished=True)
