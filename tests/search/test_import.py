"""An import, from files to searchable rows: repeatable, complete, and clear about what it refuses."""

import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from search.ingest import importing
from search.models import Dataset, Embedding, Image, Job, Refusal
from search.progress import Bars
from search.work import queue
from tests.conftest import png
from tests.fakes import ColourNetwork

pytestmark = pytest.mark.usefixtures("encoder")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four pictures in two folders, a text file named .jpg, and a file that is no picture's."""
    folder = tmp_path / "pictures"
    for name, colour in {"warm/red": "red", "warm/orange": "orange", "cold/blue": "blue", "cold/cyan": "cyan"}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.png").write_bytes(png(colour))
    (folder / "notes.txt").write_text("not a picture")
    return folder


def run(path: Path, **options: Any) -> importing.Report:
    request = importing.Request(path=path, dataset="Colours", embeds_here=True, waits=True, **options)
    return importing.run(request, Bars(quiet=True))


def test_files_become_searchable_rows(folder: Path) -> None:
    report = run(folder)
    assert (report.n_found, report.n_added, report.n_embedded, report.refused) == (4, 4, 4, [])
    assert report.ignored == {".txt": 1}
    image = Image.objects.get(source="pictures/warm/red.png")
    assert (image.status, image.label, image.format, image.width, image.height) == ("ready", "warm", "PNG", 64, 48)
    assert image.original.read_bytes() == png("red")
    assert image.thumbnail.read()[:2] == b"\xff\xd8"
    assert len(image.phash) == 64
    assert Embedding.objects.filter(image=image).count() == 1


def test_a_second_import_changes_nothing(folder: Path, network: ColourNetwork) -> None:
    run(folder)
    before = list(Image.objects.order_by("pk").values())
    n_encoded = network.n_encoded
    report = run(folder)
    assert (report.n_added, report.n_unchanged, report.n_embedded) == (0, 4, 0)
    assert list(Image.objects.order_by("pk").values()) == before
    assert network.n_encoded == n_encoded


def test_equal_content_stands_in_a_dataset_once(folder: Path) -> None:
    (folder / "copy.png").write_bytes(png("red"))
    report = run(folder)
    assert (report.n_found, report.n_added, report.n_unchanged) == (5, 4, 1)


def test_labels_that_come_later_fill_in_what_is_missing(folder: Path, tmp_path: Path) -> None:
    run(folder, labels="none")
    table = tmp_path / "labels.csv"
    table.write_text("path,label,split\nwarm/red.png,crimson,test\n")
    run(folder, labels=str(table))
    assert Image.objects.get(source__endswith="red.png").label == "crimson"
    assert Image.objects.get(source__endswith="red.png").split == "test"
    run(folder)
    assert Image.objects.get(source__endswith="red.png").label == "crimson"
    assert Image.objects.get(source__endswith="blue.png").label == "cold"


def test_originals_in_place_are_not_copied(folder: Path) -> None:
    run(folder, in_place=True)
    image = Image.objects.get(source="pictures/warm/red.png")
    assert (image.file.name, image.original) == ("", folder / "warm/red.png")


def test_an_archive_cannot_stay_in_place(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("red.png", png("red"))
    with pytest.raises(importing.CannotImport, match="cannot stay in place"):
        run(path, in_place=True)
    assert run(path).n_added == 1


def test_bad_files_are_refused_with_a_reason_and_the_rest_goes_on(folder: Path) -> None:
    (folder / "text.jpg").write_text("this is text")
    (folder / "empty.png").touch()
    (folder / "broken.png").write_bytes(png("green")[:-30])
    report = run(folder)
    assert report.n_embedded == 4
    names = {refusal["source"].rpartition("/")[2] for refusal in report.refused}
    assert names == {"text.jpg", "empty.png", "broken.png"}
    assert all(refusal["reason"].endswith(".") for refusal in report.refused)
    assert not Image.objects.filter(status="pending").exists()


def test_refusals_are_told_again_by_the_next_import(folder: Path) -> None:
    (folder / "broken.png").write_bytes(png("green")[:-30])
    first, second = run(folder), run(folder)
    assert [refusal["source"] for refusal in first.refused] == [refusal["source"] for refusal in second.refused]
    assert len(second.refused) == 1


def test_an_import_that_was_killed_is_finished_by_the_next(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing.LocalWorkers, "is_done", lambda self: True)
    run(folder)
    assert Image.objects.filter(status="pending").count() == 4
    monkeypatch.undo()
    monkeypatch.setattr("search.encoders.network", lambda encoder: ColourNetwork())
    assert run(folder).n_embedded == 4


def test_a_folder_without_pictures_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(importing.CannotImport, match=r"There are no pictures in .* 1 \.txt"):
        run(tmp_path)
    assert Job.objects.get().state == Job.State.FAILED
    assert not Dataset.objects.exists()


def test_a_name_that_is_no_unicode_is_imported_all_the_same(folder: Path) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/odd-\xff.png")).write_bytes(png("green"))
    assert run(folder).n_embedded == 5
    assert Image.objects.filter(source="pictures/odd-?.png").exists()


def test_a_name_that_is_no_unicode_cannot_stay_in_place(folder: Path) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/odd-\xff.png")).write_bytes(png("green"))
    report = run(folder, in_place=True)
    assert (report.n_embedded, [refusal["code"] for refusal in report.refused]) == (4, ["file_name"])


def test_the_job_tells_how_it_went(folder: Path) -> None:
    (folder / "text.jpg").write_text("this is text")
    run(folder)
    job = Job.objects.get()
    assert (job.state, job.n_done, job.n_failed) == (Job.State.DONE, 4, 1)
    assert Refusal.objects.get().source == "pictures/text.jpg"


def test_without_waiting_the_ids_go_to_the_queue(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[int, list[int]]] = []
    monkeypatch.setattr(queue, "send_embed", lambda encoder_id, ids, turn: sent.append((encoder_id, ids)))
    report = importing.run(importing.Request(path=folder, dataset="Colours"), Bars(quiet=True))
    assert report.n_pending == 4
    assert sorted(sent[0][1]) == list(Image.objects.order_by("pk").values_list("pk", flat=True))


def test_whoever_stops_waiting_does_not_fail_the_job(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(importing, "_wait", interrupt)
    with pytest.raises(KeyboardInterrupt):
        importing.run(importing.Request(path=folder, dataset="Colours", waits=True), Bars(quiet=True))
    assert Job.objects.get().state == Job.State.EMBEDDING
    assert Image.objects.filter(status="pending").count() == 4


class TestTheCommand:
    def test_its_last_line_is_json(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        call_command("import_images", str(folder), dataset="Colours", sync=True, json=True)
        (line,) = capsys.readouterr().out.splitlines()
        report = json.loads(line)
        assert {"dataset", "found", "added", "unchanged", "embedded", "refused", "seconds"} <= report.keys()
        assert (report["dataset"], report["found"], report["added"], report["embedded"]) == ("Colours", 4, 4, 4)

    def test_refusals_give_status_3(self, folder: Path) -> None:
        (folder / "text.jpg").write_text("this is text")
        out = io.StringIO()
        with pytest.raises(SystemExit, match="3"):
            call_command("import_images", str(folder), dataset="Colours", sync=True, stdout=out)
        assert "refused pictures/text.jpg: " in out.getvalue()

    @pytest.mark.parametrize(
        ("path", "options", "message"),
        [
            ("nowhere", {}, "There is nothing at nowhere"),
            (".", {"labels": "nowhere.csv"}, "labels in nowhere.csv cannot be read"),
            (".", {"dataset": "  "}, "A dataset needs a name"),
            (".", {"dataset": "\udcff"}, "in valid Unicode"),
        ],
    )
    def test_what_cannot_be_is_an_error_of_one_line(self, path: str, options: dict[str, str], message: str) -> None:
        with pytest.raises(CommandError, match=message):
            call_command("import_images", path, **{"dataset": "Colours", "sync": True, **options})
        assert not Dataset.objects.exists()
