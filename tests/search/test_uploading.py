"""Pictures and archives uploaded into a dataset: file by file, several in one form, archives by a worker."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from search import embedding
from search.files import arriving
from search.ingest import archives, rows, uploads
from search.models import Dataset, Encoder, Image, Job
from search.work import jobs, queue, reconciling
from tests.conftest import still
from tests.pictures import huge_header_png, plain_bmp, plain_png, png_bytes, truncated_jpeg

AddImage = Callable[..., Image]


@pytest.fixture(autouse=True)
def unsent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The jobs that were left to workers; nothing goes to a broker."""
    sent: list[int] = []
    monkeypatch.setattr(queue, "send_import", sent.append)
    monkeypatch.setattr(queue, "send_embed", lambda *arguments: None)
    monkeypatch.setattr(queue, "send_after_load", lambda encoder_id: None)
    return sent


@pytest.fixture(autouse=True)
def arriving_root(tmp_path: Path, settings: Any) -> Path:
    settings.ARRIVING_ROOT = tmp_path / "arriving"
    return tmp_path / "arriving"


@pytest.fixture
def own(encoder: Encoder, django_user_model: type[User], client: Client) -> Dataset:
    """The dataset of Ann, who is signed in."""
    ann = django_user_model.objects.create_user("ann")
    client.force_login(ann)
    return Dataset.objects.create(name="Own", is_public=False, owner=ann)


def begin(client: Client) -> int:
    return client.post("/datasets/own/upload/begin/").json()["job"]


def send(client: Client, name: str, content: bytes, **fields: Any) -> Any:
    return client.post("/datasets/own/upload/file/", {"file": SimpleUploadedFile(name, content), **fields})


def zipped(**files: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, one in files.items():
            archive.writestr(name, one)
    return content.getvalue()


def embed_all(encoder: Encoder) -> None:
    embedding.embed(encoder, list(Image.objects.filter(status="pending").values_list("pk", flat=True)))


def test_files_that_are_sent_one_by_one_are_one_job(client: Client, own: Dataset, encoder: Encoder) -> None:
    job = begin(client)
    told = [
        send(client, name, content, job=job, label=" sky ", split="test").json()
        for name, content in [("a.png", plain_png(9, 9)), ("b.png", plain_png(9, 9)), ("c.txt", b"words"), ("d", b"")]
    ]
    image = Image.objects.get()
    assert [one["outcome"] for one in told] == ["added", "there", "refused", "refused"]
    assert told[0]["image"] == image.get_absolute_url()
    assert "This is not a picture that ImgSim reads" in told[2]["reason"]
    assert told[3]["reason"] == "The file is empty."
    assert (image.source, image.label, image.split, image.job_id) == ("a.png", "sky", "test", job)
    assert client.post("/datasets/own/upload/end/", {"job": job}).json()["url"] == f"/datasets/own/uploads/{job}/"
    row = Job.objects.get()
    assert (row.state, row.n_done, row.n_failed, row.n_total) == ("embedding", 2, 2, 4)
    embed_all(encoder)
    row.refresh_from_db()
    assert (row.state, row.n_done, row.n_failed) == ("done", 1, 2)
    page = client.get(f"/datasets/own/uploads/{job}/").text
    assert "c.txt" in page
    assert "The file is empty." in page


def test_a_page_that_was_closed_loses_nothing(client: Client, own: Dataset, encoder: Encoder) -> None:
    job = begin(client)
    send(client, "a.png", plain_png(9, 9), job=job)
    Job.objects.update(**still())
    embed_all(encoder)
    reconciling.reconcile()
    row = Job.objects.get()
    assert (row.state, row.n_done) == ("done", 1)
    assert row.message == "The page was closed before it had sent all files. What was sent is in."
    late = send(client, "b.png", plain_png(9, 8), job=job)
    assert (late.status_code, late.json()["outcome"]) == (409, "ended")
    assert client.post("/datasets/own/upload/end/", {"job": job}).status_code == 409


@pytest.mark.parametrize("job", ["", "x", "0", "9" * 40])
def test_a_file_needs_a_job_that_was_begun(client: Client, own: Dataset, job: str) -> None:
    assert send(client, "a.png", plain_png(9, 9), job=job).json()["outcome"] == "ended"
    assert not Image.objects.exists()


def test_nobody_sends_into_what_is_not_theirs(
    client: Client, own: Dataset, dataset: Dataset, django_user_model: type[User]
) -> None:
    job = begin(client)
    client.force_login(django_user_model.objects.create_user("ben"))
    for slug, status in (("own", 404), ("colours", 403)):
        fields = {"file": SimpleUploadedFile("a.png", plain_png(9, 9)), "job": job}
        assert client.get(f"/datasets/{slug}/upload/").status_code == status
        for page in ("", "begin/", "file/", "end/"):
            assert client.post(f"/datasets/{slug}/upload/{page}", fields).status_code == status
        assert client.get(f"/datasets/{slug}/uploads/{job}/").status_code == status
    assert not Image.objects.exists()


def test_a_file_is_taken_with_a_token_only(own: Dataset) -> None:
    strict = Client(enforce_csrf_checks=True)
    assert own.owner is not None
    strict.force_login(own.owner)
    for page in ("", "begin/", "file/", "end/"):
        file = SimpleUploadedFile("a.png", plain_png(9, 9))
        assert strict.post(f"/datasets/own/upload/{page}", {"file": file, "files": file}).status_code == 403


@pytest.mark.parametrize(("address", "status"), [("upload/", 422), ("upload/file/", 400)])
def test_a_form_of_a_kind_that_has_no_files_is_told_so(client: Client, own: Dataset, address: str, status: int) -> None:
    form = {"data": "label=warm", "content_type": "application/x-www-form-urlencoded"}
    assert client.post(f"/datasets/own/{address}", **form).status_code == status


def test_the_job_of_one_dataset_takes_no_files_for_another(client: Client, own: Dataset) -> None:
    Dataset.objects.create(name="Other", owner=own.owner)
    job = begin(client)
    file = SimpleUploadedFile("a.png", plain_png(9, 9))
    assert client.post("/datasets/other/upload/file/", {"file": file, "job": job}).status_code == 409
    assert client.get(f"/datasets/other/uploads/{job}/").status_code == 404


def test_a_picture_that_is_too_large_is_refused(client: Client, own: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("embeddings.images.decoding.MAX_FILE_BYTES", 50)
    told = send(client, "a.png", png_bytes(90, 90), job=begin(client)).json()
    assert told["outcome"] == "refused"
    assert "the limit is" in told["reason"]


def test_a_form_sends_several_files_at_once(client: Client, own: Dataset, unsent: list[int]) -> None:
    files = [
        SimpleUploadedFile("a.png", plain_png(9, 9)),
        SimpleUploadedFile("b.txt", b"words"),
        SimpleUploadedFile("c.zip", zipped(**{"sky/d.png": plain_png(9, 8)})),
    ]
    response = client.post("/datasets/own/upload/", {"files": files, "folders": "1"})
    shown = client.get(response["Location"]).text
    assert "1 picture is new here." in shown
    assert "b.txt" in shown
    assert len(unsent) == 1
    archives.carry_out_for_worker(unsent[0])
    assert sorted(Image.objects.values_list("source", "label")) == [("a.png", ""), ("c.zip::sky/d.png", "sky")]


@pytest.mark.parametrize("fields", [{}, {"split": "best"}])
def test_a_form_without_files_is_told(client: Client, own: Dataset, fields: dict[str, str]) -> None:
    response = client.post("/datasets/own/upload/", fields | {"label": "x"})
    assert response.status_code == 422
    assert "Choose some pictures" in response.text or "best is not one of the available choices" in response.text
    assert client.post("/datasets/own/upload/file/", fields).status_code == 400


class TestArchives:
    """Kept on disk, and imported by a worker, however often that is killed."""

    @pytest.fixture
    def mixed(self) -> bytes:
        good = {f"family {n % 3}/{n}.png": plain_png(20, 20, (n, 10, 200)) for n in range(60)}
        bad = {f"bad/{n}.jpg": b"" for n in range(3)} | {"bad/h.png": huge_header_png(), "bad/t.jpg": truncated_jpeg()}
        return zipped(**good, **bad, **{"notes.txt": b"words"})

    def test_good_and_bad_files_are_one_job(
        self, client: Client, own: Dataset, encoder: Encoder, mixed: bytes, unsent: list[int], arriving_root: Path
    ) -> None:
        told = send(client, "../../photos.zip", mixed, folders="1").json()
        assert (told["outcome"], told["job"]) == ("archive", f"/datasets/own/uploads/{unsent[0]}/")
        assert Job.objects.get().state == "waiting"
        assert [path.name for path in arriving_root.glob("*/*.zip")] == ["photos.zip"]
        archives.carry_out_for_worker(unsent[0])
        archives.carry_out_for_worker(unsent[0])  # a message that comes twice finds nothing to do
        embed_all(encoder)
        job = Job.objects.get()
        assert (job.state, job.n_done, job.n_failed) == ("done", 60, 5)
        reasons = [one.reason for one in job.refusals.all()]
        reasons += Image.objects.filter(status="refused").values_list("error_detail", flat=True)
        assert len(reasons) == 5
        assert all(reasons)
        assert Image.objects.filter(status="ready", label="family 1").count() == 20
        assert not list(arriving_root.glob("[0-9]*"))
        assert "photos.zip::bad/0.jpg" in client.get(told["job"]).text

    @pytest.mark.parametrize("letter", ["写", "ä", "x"])
    def test_a_long_name_is_cut_to_what_a_file_may_be_called(
        self, client: Client, own: Dataset, encoder: Encoder, unsent: list[int], letter: str
    ) -> None:
        told = send(
            client, f"{250 // len(letter.encode()) * letter}.zip", zipped(**{"a.png": plain_png(20, 20)}), folders="1"
        )
        assert told.status_code == 200
        assert Job.objects.get().parameters["path"].endswith(f"{letter}.zip")
        archives.carry_out_for_worker(unsent[0])
        embed_all(encoder)
        assert Image.objects.get().status == "ready"

    def test_one_whose_worker_is_killed_is_read_again_without_loss(
        self, client: Client, own: Dataset, encoder: Encoder, mixed: bytes, unsent: list[int],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        send(client, "photos.zip", mixed)
        monkeypatch.setattr(rows, "CHUNK_SIZE", 16)

        class Killed(BaseException):
            """Nothing runs after a kill."""

        read_all = rows.read_all

        def killed(*arguments: Any) -> Any:
            for n, tally in enumerate(read_all(*arguments)):
                if n == 3:
                    raise Killed
                yield tally

        with monkeypatch.context() as patched:
            patched.setattr(rows, "read_all", killed)
            with pytest.raises(Killed):
                archives.carry_out_for_worker(unsent[0])
        assert Job.objects.get().state == "running"
        Job.objects.update(**still())
        monkeypatch.setattr(queue, "n_waiting", lambda *arguments: 0)
        reconciling.reconcile()
        assert unsent == [unsent[0]] * 2
        archives.carry_out_for_worker(unsent[0])
        embed_all(encoder)
        job = Job.objects.get()
        assert (job.state, job.n_done, job.n_failed, Image.objects.count()) == ("done", 60, 5, 61)

    @pytest.mark.parametrize(
        ("name", "content", "message"),
        [
            ("a.zip", b"PK\3\4 and no more", "a.zip is not a zip that can be read: File is not a zip file."),
            ("a.tar", b"words" * 500, "a.tar is not a tar that can be read: "),
            ("a.zip", zipped(notes=b"words"), "There are no pictures in a.zip. Left out, because they are no pictures"),
        ],
    )
    def test_one_that_cannot_be_read_says_so(
        self, client: Client, own: Dataset, unsent: list[int], arriving_root: Path,
        name: str, content: bytes, message: str,
    ) -> None:  # fmt: skip
        send(client, name, content)
        archives.carry_out_for_worker(unsent[0])
        job = Job.objects.get()
        assert job.state == "failed"
        assert job.message.startswith(message)
        assert str(arriving_root) not in job.message
        assert not list(arriving_root.glob("[0-9]*"))

    def test_a_tar_is_read_with_one_label_for_all(self, client: Client, own: Dataset, unsent: list[int]) -> None:
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w:gz") as archive:
            entry = tarfile.TarInfo("train/sky/a.png")
            entry.size = len(plain_png(9, 9))
            archive.addfile(entry, io.BytesIO(plain_png(9, 9)))
        send(client, "a.tar.gz", content.getvalue(), label="clouds", folders="1")
        archives.carry_out_for_worker(unsent[0])
        assert Image.objects.values_list("label", "split").get() == ("clouds", "train")

    def test_one_that_is_too_large_is_refused_and_not_kept(
        self, client: Client, own: Dataset, settings: Any, unsent: list[int], arriving_root: Path
    ) -> None:
        settings.MAX_ARCHIVE_BYTES = 1_000_000
        told = send(client, "a.zip", bytes(1_000_001)).json()
        assert told == {"outcome": "refused", "reason": "An archive may have 1 MB here. Divide it into smaller ones."}
        assert send(client, "b.zip", b"").json()["reason"] == "The file is empty."
        assert (unsent, Job.objects.count()) == ([], 0)
        response = client.post("/datasets/own/upload/", {"files": SimpleUploadedFile("c.zip", bytes(1_000_001))})
        assert "An archive may have 1 MB here." in client.get(response["Location"]).text
        assert not [path for path in arriving_root.glob("*/*") if path.is_file()]

    def test_one_that_unpacks_to_more_than_an_archive_may_have_is_read_so_far(
        self, client: Client, own: Dataset, settings: Any, unsent: list[int]
    ) -> None:
        """Pictures of one colour, of which a megabyte holds gigabytes."""
        settings.MAX_ARCHIVE_BYTES = 1_000_000
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
            for n in range(5):
                archive.writestr(f"{n}.bmp", plain_bmp(400, 400, (n, 0, 0)))
        send(client, "a.zip", content.getvalue())
        archives.carry_out_for_worker(unsent[0])
        reasons = [one.reason for one in Job.objects.get().refusals.all()]
        assert reasons == ["The archive unpacks to more than 1 MB. What came before was imported."]
        assert Image.objects.count() == 2

    def test_a_dataset_that_is_deleted_meanwhile_ends_it(
        self, client: Client, own: Dataset, mixed: bytes, unsent: list[int]
    ) -> None:
        send(client, "a.zip", mixed)
        own.delete()
        archives.carry_out_for_worker(unsent[0])
        assert Job.objects.get().message == "The dataset was deleted meanwhile."

    def test_what_no_job_is_going_to_read_is_removed(
        self, client: Client, own: Dataset, mixed: bytes, arriving_root: Path
    ) -> None:
        send(client, "a.zip", mixed)
        jobs.cancel(Job.objects.get())
        assert arriving.remove_leftovers() == 0
        Job.objects.update(finished_at=timezone.now() - timedelta(hours=25))
        assert arriving.remove_leftovers() == 1
        assert not list(arriving_root.glob("[0-9]*"))

    def test_one_that_was_stopped_is_begun_once_more(
        self, client: Client, own: Dataset, encoder: Encoder, mixed: bytes, unsent: list[int], arriving_root: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        page = send(client, "photos.zip", mixed).json()["job"]
        monkeypatch.setattr(jobs, "_SECONDS_BETWEEN_LOOKS", 0)
        monkeypatch.setattr(rows, "CHUNK_SIZE", 16)
        read_all = rows.read_all

        def stopped(*arguments: Any) -> Any:
            for n, tally in enumerate(read_all(*arguments)):
                if n == 2:
                    client.post(f"{page}stop/")
                yield tally

        with monkeypatch.context() as patched:
            patched.setattr(rows, "read_all", stopped)
            archives.carry_out_for_worker(unsent[0])
        assert Job.objects.get().state == "failed"
        n_read = Image.objects.count()
        assert 0 < n_read < 61
        assert "Once more" in client.get(page).text

        answer = client.post(f"{page}repeat/")
        new = Job.objects.get(state="waiting")
        assert answer["Location"] == f"/datasets/own/uploads/{new.pk}/"
        assert "Once more" not in client.get(page).text
        assert "is here no longer" in client.post(f"{page}repeat/", follow=True).text
        assert Job.objects.count() == 2
        archives.carry_out_for_worker(new.pk)
        embed_all(encoder)
        new.refresh_from_db()
        assert (new.state, Image.objects.filter(status="ready").count()) == ("done", 60)
        assert not list(arriving_root.glob("[0-9]*"))

    def test_files_come_in_where_no_encoder_is_installed(
        self, client: Client, own: Dataset, mixed: bytes, unsent: list[int]
    ) -> None:
        Encoder.objects.all().delete()
        send(client, "a.zip", mixed)
        archives.carry_out_for_worker(unsent[0])
        assert Image.objects.filter(status="pending").count() == 61


def test_an_upload_that_was_begun_is_ones_own(own: Dataset, django_user_model: type[User]) -> None:
    job = uploads.begin(own, own.owner)
    assert uploads.begun(job.pk, own, own.owner) == job
    assert uploads.begun(job.pk, own, django_user_model.objects.create_user("ben")) is None
