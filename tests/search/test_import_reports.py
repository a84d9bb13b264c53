"""What an import tells: while it reads, before it does anything, and at its end, as a page, a file and JSON."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.test import Client

from search.ingest import importing, rows
from search.ingest.errors import ImportCancelled
from search.models import Dataset, Image, Job
from search.work import jobs, pace, progress, queue
from search.work.pace import Pace
from search.work.progress import Bars
from tests.conftest import png

pytestmark = pytest.mark.usefixtures("encoder")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two pictures, a text named .png, one that is damaged behind its header, and a file that is no picture's."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, colour in {"red": "red", "blue": "blue"}.items():
        (folder / f"{name}.png").write_bytes(png(colour))
    (folder / "broken.png").write_bytes(png("green")[:-30])
    (folder / "text.png").write_text("this is text")
    (folder / "notes.txt").write_text("x")
    return folder


def run(folder: Path, **options: Any) -> importing.Report:
    return importing.run(importing.Request(path=folder, dataset="Colours", **options), Bars(quiet=True))


class TestWhileItReads:
    def test_the_job_tells_how_far_it_is(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(rows, "CHUNK_SIZE", 1)
        seen: list[Job] = []
        monkeypatch.setattr(queue, "send_embed", lambda *_: seen.append(Job.objects.get()))
        run(folder)
        assert [job.progress["reading"] for job in seen] == [
            {"done": 1, "total": 5}, {"done": 2, "total": 5}, {"done": 4, "total": 5}
        ]  # fmt: skip
        assert all(job.progress["read_per_second"] > 0 for job in seen)
        assert seen[-1].progress["counts"] == {"found": 3, "added": 3, "unchanged": 0, "labelled": 0}
        assert Job.objects.get().progress["ignored"] == {".txt": 1}

    def test_it_ends_where_it_is_cancelled_and_keeps_what_is_in(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(rows, "CHUNK_SIZE", 1)
        monkeypatch.setattr(jobs, "_SECONDS_BETWEEN_LOOKS", -1.0)
        monkeypatch.setattr(queue, "send_embed", lambda *_: jobs.cancel(Job.objects.get()))
        with pytest.raises(ImportCancelled, match="What was read stays"):
            run(folder)
        job = Job.objects.get()
        assert (job.state, Image.objects.count()) == (Job.State.FAILED, 1)
        assert job.message == "Stopped on request. What was read stays: import again to go on."
        assert job.finished_at is not None
        monkeypatch.setattr(queue, "send_embed", lambda *_: None)
        assert run(folder).n_added == 2

    def test_a_dataset_that_was_made_for_a_cancelled_import_goes_where_nothing_is_in(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(jobs, "_SECONDS_BETWEEN_LOOKS", -1.0)
        begin = jobs.begin
        monkeypatch.setattr(jobs, "begin", lambda *given: (job := begin(*given), jobs.cancel(job))[0])
        with pytest.raises(CommandError, match="Stopped on request"):
            call_command("import_images", str(folder), dataset="Colours", sync=True)
        assert not Dataset.objects.exists()

    def test_it_asks_seldom_whether_it_is_cancelled(self, folder: Path, django_assert_max_num_queries: Any) -> None:
        heart = jobs.Heart(jobs.begin(Job.Kind.IMPORT, {}))
        with django_assert_max_num_queries(0):
            for _ in range(1000):
                heart.beat()

    def test_lines_tell_pace_and_time_left(self, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
        now = 0.0
        monkeypatch.setattr(pace.time, "monotonic", lambda: now)
        bars = Bars()
        for now in (1.0, 3.0):
            bars.move("reading", round(now) * 500, 10_500, f"{now * 10:.0f} found, {now:.0f} refused", round(now * 10))
        assert capsys.readouterr().err.splitlines() == [
            "reading: 10 found, 1 refused", "reading: 30 found, 3 refused, 10/s, 18 s left"
        ]  # fmt: skip


class TestPace:
    def test_it_is_that_of_the_last_half_minute(self, monkeypatch: pytest.MonkeyPatch) -> None:
        now = 0.0
        monkeypatch.setattr(pace.time, "monotonic", lambda: now)
        of_reading = Pace()
        of_reading.note(0, 0)
        for now in range(1, 101):
            of_reading.note(now if now <= 50 else 50 + (now - 50) * 4, now * 10)
        assert of_reading.per_second == pytest.approx(4)
        assert of_reading.seconds_left(2000) == pytest.approx(100)

    def test_where_nothing_has_moved_nothing_is_told(self) -> None:
        of_reading = Pace()
        of_reading.note(0, 0)
        assert (of_reading.per_second, of_reading.seconds_left(10)) == (0.0, None)

    @pytest.mark.parametrize(("seconds", "told"), [(40.4, "40 s"), (720, "12 min"), (12_000, "3 h 20 min")])
    def test_it_is_told_in_the_unit_that_fits(self, seconds: float, told: str) -> None:
        assert pace.duration(seconds) == told


class TestADryRun:
    def test_it_tells_what_would_be_and_writes_nothing(self, folder: Path, capsys: Any) -> None:
        with pytest.raises(SystemExit, match="3"):
            call_command("import_images", str(folder), dataset="Colours", dry_run=True)
        told = capsys.readouterr().out
        assert "4 pictures found, 3 would be added, 0 are unchanged, 0 labelled, 1 would be refused. Nothing" in told
        assert "refused pictures/text.png: This is not a picture" in told
        assert [Dataset.objects.count(), Job.objects.count(), Image.objects.count()] == [0, 0, 0]

    def test_it_knows_what_is_there_and_what_was_refused(self, folder: Path, capsys: Any) -> None:
        run(folder, embeds_here=True, waits=True)
        (folder / "cyan.png").write_bytes(png("cyan"))
        (folder / "copy.png").write_bytes(png("cyan"))
        with pytest.raises(SystemExit, match="3"):
            call_command("import_images", str(folder), dataset="Colours", dry_run=True, json=True)
        told = json.loads(capsys.readouterr().out)
        assert (told["job"], told["dry_run"], told["found"], told["added"], told["unchanged"]) == (None, True, 6, 1, 4)
        assert [refusal["source"] for refusal in told["refused"]] == ["pictures/text.png", "pictures/broken.png"]
        assert (Image.objects.count(), Job.objects.count()) == (3, 1)

    def test_it_needs_no_encoder(self, folder: Path, encoder: Any) -> None:
        encoder.delete()
        with pytest.raises(SystemExit, match="3"):
            call_command("import_images", str(folder), dataset="Colours", dry_run=True, stdout=io.StringIO())

    @pytest.mark.parametrize(
        ("labels", "message"),
        [("other.csv", "the first file is blue.png. Correct the table."), ("gone.csv", "cannot be read")],
    )
    def test_what_is_wrong_with_labels_is_found(
        self, folder: Path, labels: str, message: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(folder)
        Path("other.csv").write_text("path,label\nother.png,x\n")
        Path("broken.png").unlink()
        with pytest.raises(CommandError, match=message):
            call_command("import_images", str(folder), dataset="Colours", labels=labels, dry_run=True)
        assert not Dataset.objects.exists()


class TestTheReport:
    @pytest.mark.parametrize("kind", ["json", "csv"])
    def test_the_command_writes_it(self, folder: Path, tmp_path: Path, kind: str) -> None:
        path = tmp_path / f"report.{kind}"
        with pytest.raises(SystemExit, match="3"):
            call_command("import_images", str(folder), dataset="Colours", sync=True, report=path, stdout=io.StringIO())
        refused = told_refused(path.read_text(encoding="utf-8"), kind)
        assert [(one["source"], one["code"]) for one in refused] == [
            ("pictures/text.png", "not_an_image"), ("pictures/broken.png", "truncated")
        ]  # fmt: skip
        assert all(one["reason"].endswith(".") for one in refused)

    def test_the_page_gives_the_same(self, folder: Path, admin_client: Client) -> None:
        report = run(folder, embeds_here=True, waits=True)
        told = admin_client.get(f"/jobs/{report.job_id}/report.json").json()
        assert {key: told[key] for key in report.as_json()} == report.as_json()
        assert (told["state"], told["message"]) == ("done", "")
        answer = admin_client.get(f"/jobs/{report.job_id}/report.csv")
        assert answer.headers["Content-Disposition"] == f'attachment; filename="import-{report.job_id}.csv"'
        assert len(told_refused(answer.content.decode(), "csv")) == 2
        assert {"outcome": "added", "n": "3"}.items() <= next(
            row for row in csv.DictReader(io.StringIO(answer.content.decode())) if row["outcome"] == "added"
        ).items()
        page = admin_client.get(f"/jobs/{report.job_id}/").content.decode()
        assert f'href="/jobs/{report.job_id}/report.csv"' in page

    def test_a_name_that_a_spreadsheet_would_compute_is_quoted(self, folder: Path, admin_client: Client) -> None:
        (folder / "=1+1.png").write_text("x")
        report = run(folder / "=1+1.png", embeds_here=True, waits=True)
        assert "'=1+1.png" in admin_client.get(f"/jobs/{report.job_id}/report.csv").content.decode()

    def test_an_import_from_before_has_one_too(self, admin_client: Client) -> None:
        job = jobs.begin(Job.Kind.IMPORT, {"dataset": "Colours"})
        told = admin_client.get(f"/jobs/{job.pk}/report.json").json()
        assert (told["state"], told["dataset"], told["found"], told["refused"]) == ("running", "Colours", 0, [])

    def test_it_is_for_staff_and_for_imports(self, client: Client, admin_client: Client) -> None:
        job = jobs.begin(Job.Kind.IMPORT, {})
        assert client.get(f"/jobs/{job.pk}/report.json").status_code == 302
        client.force_login(get_user_model().objects.create_user("visitor"))
        assert client.get(f"/jobs/{job.pk}/report.json").status_code == 403
        other = jobs.begin(Job.Kind.TRAIN, {})
        for address in (f"{job.pk}/report.xml", f"{other.pk}/report.json", "0/report.csv"):
            assert admin_client.get(f"/jobs/{address}").status_code == 404

    @pytest.mark.parametrize(
        ("name", "message"),
        [("report.txt", "written as .json or .csv, not as report.txt"), ("gone/report.csv", "its folder is not there")],
    )
    def test_one_that_cannot_be_written_is_said_so_at_once(
        self, folder: Path, tmp_path: Path, name: str, message: str
    ) -> None:
        with pytest.raises(CommandError, match=message):
            call_command("import_images", str(folder), dataset="Colours", report=tmp_path / name)
        assert not Job.objects.exists()


def told_refused(text: str, kind: str) -> list[dict[str, str]]:
    """Return the refused files of a report."""
    if kind == "json":
        return json.loads(text)["refused"]
    return [row for row in csv.DictReader(io.StringIO(text)) if row["outcome"] == "refused file"]
