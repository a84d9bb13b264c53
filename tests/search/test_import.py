"""An import, from files to searchable rows: repeatable, complete, and clear about what it refuses."""

import io
import json
import os
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models import QuerySet

from search.ingest import importing, rows, waiting
from search.ingest.errors import CannotImport
from search.models import Dataset, Embedding, Image, Job, Refusal
from search.work import jobs, queue
from search.work.progress import Bars
from tests.conftest import png
from tests.fakes import ColourNetwork

AddImage = Callable[..., Image]

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


def test_a_table_that_names_no_file_is_an_error_that_shows_why(folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text("path,label\nphotos/red.jpg,crimson\n")
    with pytest.raises(
        CannotImport, match=r"its first row names photos/red\.jpg, and the first file is cold/blue\.png"
    ):
        run(folder, labels=str(table))
    assert Job.objects.get().state == Job.State.FAILED


def test_the_report_says_how_many_files_are_labelled(folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text("file,breed\nred.png,crimson\nblue.png,navy\n")
    out = io.StringIO()
    call_command("import_images", str(folder), dataset="Colours", labels=str(table), sync=True, stdout=out)
    assert "4 pictures found, 4 added, 0 unchanged, 2 labelled" in out.getvalue()
    assert "labels.csv (file, breed) was read as a file and its label." in out.getvalue()
    assert run(folder).as_json()["labelled"] == 4


def test_a_public_dataset_is_not_made_private_by_an_import(folder: Path, dataset: Dataset) -> None:
    with pytest.raises(CannotImport, match=f"public already. .*: /admin/search/dataset/{dataset.pk}/change/$"):
        run(folder, is_public=False)
    assert not Job.objects.exists()


def test_an_import_into_a_private_dataset_leaves_it_private(folder: Path) -> None:
    run(folder, is_public=False), run(folder), run(folder, is_public=False)
    assert not Dataset.objects.get().is_public


def test_originals_in_place_are_not_copied(folder: Path) -> None:
    run(folder, in_place=True)
    image = Image.objects.get(source="pictures/warm/red.png")
    assert (image.file.name, image.original) == ("", folder / "warm/red.png")


def test_an_archive_cannot_stay_in_place(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("red.png", png("red"))
    with pytest.raises(CannotImport, match="cannot stay in place"):
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


def test_refused_images_stay_with_the_job_that_refused_them(folder: Path) -> None:
    (folder / "broken.png").write_bytes(png("green")[:-30])
    first, _ = run(folder), run(folder)
    assert Image.objects.get(status="refused").job_id == first.job_id


def test_images_of_an_import_that_is_alive_are_waited_for_and_stay_its_own(folder: Path, add_image: AddImage) -> None:
    other = jobs.begin(Job.Kind.IMPORT, {})
    image = add_image("red", embedded=False, job=other)
    assert run(folder).n_embedded == 4
    image.refresh_from_db()
    assert (image.status, image.job_id) == ("ready", other.pk)


def test_images_that_another_import_takes_meanwhile_are_waited_for_all_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = jobs.begin(Job.Kind.IMPORT, {})
    monkeypatch.setattr(queue, "send_embed", lambda *_: Image.objects.update(job=other))
    assert importing.run(importing.Request(path=folder, dataset="Colours"), Bars(quiet=True)).n_pending == 4


@pytest.mark.parametrize("left", [{"state": Job.State.FAILED}, {"heartbeat_at": datetime(2000, 1, 1, tzinfo=UTC)}])
def test_images_that_wait_from_an_import_that_is_dead_are_taken_over(
    folder: Path, add_image: AddImage, left: dict[str, Any]
) -> None:
    dead = jobs.begin(Job.Kind.IMPORT, {})
    image = add_image("red", embedded=False, job=dead)
    Job.objects.filter(pk=dead.pk).update(**left)
    report = run(folder)
    image.refresh_from_db()
    assert image.job_id == report.job_id


def test_an_import_that_was_killed_is_finished_by_the_next(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing.LocalWorkers, "is_done", lambda self: True)
    monkeypatch.setattr(waiting, "_SECONDS_STANDING_STILL", 0.0)
    with pytest.raises(CannotImport, match=r"^4 pictures still wait: .* Run the same command again"):
        run(folder)
    assert Image.objects.filter(status="pending").count() == 4
    monkeypatch.undo()
    monkeypatch.setattr("search.encoders.network", lambda encoder: ColourNetwork())
    assert run(folder).n_embedded == 4


def test_embedding_here_that_fails_is_said_in_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: ColourNetwork, images: Any) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(ColourNetwork, "encode", fail)
    with pytest.raises(CommandError, match=r"^Embedding failed \(RuntimeError: out of memory\)\. .* again to go on\.$"):
        call_command("import_images", str(folder), dataset="Colours", sync=True)
    assert set(Image.objects.values_list("status", "leased_until")) == {("pending", None)}


def test_a_dataset_that_is_deleted_meanwhile_ends_the_import(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "CHUNK_SIZE", 1)
    monkeypatch.setattr(queue, "send_embed", lambda *_: Dataset.objects.all().delete())
    with pytest.raises(CommandError, match=r"^The dataset was deleted meanwhile\.$"):
        call_command("import_images", str(folder), dataset="Colours")
    assert (Dataset.objects.count(), Image.objects.count(), Job.objects.get().state) == (0, 0, Job.State.FAILED)


def test_a_dataset_that_is_deleted_while_it_is_waited_for_fails_the_job(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "wait", lambda watch, *_: (Dataset.objects.all().delete(), watch.look()))
    with pytest.raises(CannotImport, match="deleted meanwhile"):
        importing.run(importing.Request(path=folder, dataset="Colours", waits=True), Bars(quiet=True))
    assert Job.objects.get().message == "The dataset was deleted meanwhile."


def test_a_folder_without_pictures_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(CannotImport, match=r"There are no pictures in .* 1 \.txt"):
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


def test_a_job_that_reads_for_long_is_not_taken_for_dead(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_SECONDS_BETWEEN_BEATS", -1.0)
    beaten: list[Any] = []
    update = QuerySet.update
    monkeypatch.setattr(QuerySet, "update", lambda rows, **new: (beaten.append(set(new)), update(rows, **new))[1])
    run(folder)
    assert beaten.count({"heartbeat_at"}) >= 4


def test_the_job_tells_how_it_went(folder: Path) -> None:
    (folder / "text.jpg").write_text("this is text")
    run(folder)
    job = Job.objects.get()
    assert (job.state, job.n_done, job.n_failed) == (Job.State.DONE, 4, 1)
    assert Refusal.objects.get().source == "pictures/text.jpg"


def test_without_waiting_the_ids_go_to_the_queue(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[int, list[int]]] = []
    monkeypatch.setattr(queue, "send_embed", lambda encoder_id, ids, *_: sent.append((encoder_id, ids)))
    report = importing.run(importing.Request(path=folder, dataset="Colours"), Bars(quiet=True))
    assert report.n_pending == 4
    assert sorted(sent[0][1]) == list(Image.objects.order_by("pk").values_list("pk", flat=True))


def test_whoever_stops_waiting_does_not_fail_the_job(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(waiting, "wait", interrupt)
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
            ("~nosuchuser/x", {}, "^~nosuchuser/x: there is no user of that name"),
            (".", {"labels": "~nosuchuser/x"}, "^~nosuchuser/x: there is no user of that name"),
            ("x" * 300, {}, "x cannot be reached: File name too long"),
            ("\udcff", {}, r"^The name \? is no valid Unicode"),
            (".", {"labels": "\udcff.csv"}, r"^The name \?\.csv is no valid Unicode"),
            (".", {"dataset": "  "}, "A dataset needs a name"),
            (".", {"dataset": "\udcff"}, "in valid Unicode"),
        ],
    )
    def test_what_cannot_be_is_an_error_of_one_line(self, path: str, options: dict[str, str], message: str) -> None:
        with pytest.raises(CommandError, match=message):
            call_command("import_images", path, **{"dataset": "Colours", "sync": True, **options})
        assert not Dataset.objects.exists()
