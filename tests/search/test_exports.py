"""A dataset as files, read again by those that files are for: csv, json, numpy, pyarrow, zipfile and the import."""

from __future__ import annotations

import csv
import io
import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.test import Client

from search.exports import folders, vectors
from search.models import Dataset, Embedding, Encoder, Image, Job
from search.work import jobs
from tests.pictures import plain_png, rotated_jpeg

AddImage = Callable[..., Image]


@pytest.fixture
def images(add_image: AddImage) -> list[Image]:
    return [
        add_image("red", label="warm", split="train", tags=["poppy", "field"]),
        add_image("blue", label="=cold()", source="colours/b,lue.png"),
        add_image("green", embedded=False),
    ]


def get(client: Client, kind: str, **query: str) -> bytes:
    response = client.get(f"/datasets/colours/export/{kind}", query)
    assert response.status_code == 200
    assert response["Content-Disposition"].startswith("attachment")
    assert response["Content-Security-Policy"] == "default-src 'none'; sandbox"
    return response.getvalue()


def test_labels_as_csv(admin_client: Client, images: list[Image]) -> None:
    rows = list(csv.DictReader(io.StringIO(get(admin_client, "csv").decode())))
    assert list(rows[0]) == "id source label split tags sha256 width height".split()
    assert [row["id"] for row in rows] == [str(image.pk) for image in images]
    assert (rows[0]["label"], rows[0]["split"], rows[0]["tags"]) == ("warm", "train", "poppy,field")
    assert (rows[1]["label"], rows[1]["source"]) == ("'=cold()", "colours/b,lue.png")
    assert rows[2]["sha256"] == images[2].sha256


def test_labels_as_json(admin_client: Client, images: list[Image]) -> None:
    told = json.loads(get(admin_client, "json"))
    assert told["dataset"] == "Colours"
    assert told["images"][1]["label"] == "=cold()"
    assert [one["tags"] for one in told["images"]] == [["poppy", "field"], [], []]


def test_vectors_for_numpy(admin_client: Client, images: list[Image], encoder: Encoder, monkeypatch: Any) -> None:
    monkeypatch.setattr(vectors, "_N_AT_ONCE", 1)
    found = np.load(io.BytesIO(get(admin_client, "npz", encoder="colours")))
    assert found["ids"].tolist() == [image.pk for image in images[:2]]
    assert (found["vectors"].shape, found["vectors"].dtype) == ((2, encoder.dim), np.float32)
    kept = Embedding.objects.get(image=images[1]).vector
    np.testing.assert_array_equal(found["vectors"][1], np.array(kept, np.float32))
    assert found["labels"].tolist() == ["warm", "=cold()"]


def test_vectors_as_parquet(admin_client: Client, images: list[Image], encoder: Encoder, monkeypatch: Any) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr(vectors, "_N_AT_ONCE", 1)
    table = parquet.read_table(io.BytesIO(get(admin_client, "parquet")))
    assert table.schema.metadata[b"encoder"] == b"colours"
    assert table["id"].to_pylist() == [image.pk for image in images[:2]]
    assert table["tags"].to_pylist() == [["poppy", "field"], []]
    kept = Embedding.objects.get(image=images[1]).vector
    assert table["vector"].to_pylist()[1] == np.array(kept, np.float32).tolist()


def test_without_the_library_parquet_says_what_to_do(
    admin_client: Client, images: list[Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    response = admin_client.get("/datasets/colours/export/parquet")
    assert response["Location"] == "/datasets/colours/export/"
    assert "Or take .npz." in admin_client.get(response["Location"]).text


def test_where_nothing_is_embedded_vectors_say_so(admin_client: Client, dataset: Dataset, encoder: Encoder) -> None:
    for kind in ("npz", "parquet"):
        response = admin_client.get(f"/datasets/colours/export/{kind}")
        assert "colours has embedded no image of colours." in admin_client.get(response["Location"]).text
    response = admin_client.get("/datasets/colours/export/npz", {"encoder": "nowhere"})
    assert "nowhere" in admin_client.get(response["Location"]).text


def opened(content: bytes) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(content))


def test_pictures_lie_in_a_folder_for_each_label(admin_client: Client, add_image: AddImage) -> None:
    for n, (label, source) in enumerate(
        [("warm", "a.png"), ("Warm", "A.png"), ("../..", "../etc/x.png"), ("a/b", "c.png")]
    ):
        add_image(content=plain_png(9, 9 + n), label=label, source=source, embedded=False)
    lost = add_image("blue", source="lost.png", embedded=False)
    default_storage.delete(lost.file.name)
    archive = opened(get(admin_client, "zip"))
    assert archive.testzip() is None
    names = archive.namelist()
    assert names[0] == "warm/a.png"
    assert len({name.casefold() for name in names}) == len(names) == 6
    assert not [name for name in names if name.startswith(("/", "..")) or "/../" in name or name.count("/") > 1]
    assert archive.read("warm/a.png") == plain_png(9, 9)
    labels = list(csv.DictReader(io.StringIO(archive.read("labels.csv").decode())))
    assert [row["label"] for row in labels] == ["warm", "Warm", "../..", "a/b"]
    assert [row["path"] for row in labels] == names[:4]
    assert "lost.png,The file cannot be read" in archive.read("left_out.csv").decode()


def test_owners_get_no_originals_of_what_they_copied(
    client: Client, add_image: AddImage, dataset: Dataset, django_user_model: type[User]
) -> None:
    ann = django_user_model.objects.create_user("ann")
    Dataset.objects.filter(pk=dataset.pk).update(owner=ann)
    imported = add_image(content=rotated_jpeg(6, 90, 60), source="mine.jpg", job=jobs.begin(Job.Kind.IMPORT, {}))
    add_image(content=rotated_jpeg(6, 60, 90), source="copied.jpg")
    client.force_login(ann)
    archive = opened(get(client, "zip"))
    assert archive.read("unlabelled/mine.jpg") == imported.original.read_bytes()
    assert b"Exif" in archive.read("unlabelled/mine.jpg")
    assert b"Exif" not in archive.read("unlabelled/copied.jpg")


def test_a_picture_at_a_time_is_in_memory(add_image: AddImage, dataset: Dataset) -> None:
    for n in range(3):
        add_image(content=plain_png(9, 9 + n), embedded=False)
    pieces = list(folders.imagefolder(dataset))
    assert len(pieces) == 4
    assert opened(b"".join(pieces)).testzip() is None


@pytest.mark.parametrize("kind", ["", "csv", "json", "npz", "parquet", "zip"])
def test_nothing_is_exported_to_others(
    client: Client, images: list[Image], django_user_model: type[User], kind: str
) -> None:
    assert client.get(f"/datasets/colours/export/{kind}").status_code == 302
    client.force_login(django_user_model.objects.create_user("ben"))
    assert client.get(f"/datasets/colours/export/{kind}").status_code == 403
    Dataset.objects.update(is_public=False)
    assert client.get(f"/datasets/colours/export/{kind}").status_code == 404


def test_its_page_offers_what_there_is(admin_client: Client, images: list[Image]) -> None:
    page = admin_client.get("/datasets/colours/export/").text
    for kind in ("csv", "json", "npz?encoder=colours", "parquet?encoder=colours", "zip"):
        assert f'href="/datasets/colours/export/{kind}"' in page
    assert admin_client.get("/datasets/colours/export/exe").status_code == 404


class TestCommand:
    """`manage.py export_dataset`."""

    @pytest.mark.parametrize("kind", ["csv", "json", "npz", "parquet", "imagefolder"])
    def test_every_format(
        self, images: list[Image], tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
    ) -> None:
        path = tmp_path / "out"
        call_command("export_dataset", "Colours", str(path), format=kind, json=True)
        told = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert (told["format"], told["images"]) == (kind, 2 if kind in {"npz", "parquet"} else 3)
        assert path.stat().st_size > 100
        assert list(tmp_path.iterdir()) == [path]

    def test_a_zip_is_imported_again_with_its_labels(
        self, images: list[Image], tmp_path: Path, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("search.ingest.importing.missing.send", lambda encoder, ids: None)
        call_command("export_dataset", "Colours", str(tmp_path / "c.zip"), format="imagefolder")
        with zipfile.ZipFile(tmp_path / "c.zip") as archive:
            archive.extract("labels.csv", tmp_path)
        arguments = {"dataset": "Again", "labels": str(tmp_path / "labels.csv"), "json": True}
        call_command("import_images", str(tmp_path / "c.zip"), **arguments)
        again = Image.objects.filter(dataset__name="Again")
        assert "'=cold()" in (tmp_path / "labels.csv").read_text()
        assert set(again.values_list("sha256", "label", "split")) == {
            (image.sha256, image.label, image.split) for image in images
        }

    @pytest.mark.parametrize(
        ("name", "options", "message"),
        [
            ("Nowhere", {}, "There is no dataset 'Nowhere'. There are: colours."),
            (
                "Colours",
                {"format": "npz"},
                "colours has embedded no image of colours. First run: manage.py",
            ),
            ("Colours", {"format": "npz", "encoder": "none"}, "none"),
        ],
    )
    def test_what_cannot_be_is_said(
        self, dataset: Dataset, encoder: Encoder, tmp_path: Path, name: str, options: dict[str, str], message: str
    ) -> None:
        with pytest.raises(CommandError, match=message):
            call_command("export_dataset", name, str(tmp_path / "out"), **options)
        assert not list(tmp_path.iterdir())

    def test_a_place_that_is_not_there_is_said(self, dataset: Dataset, tmp_path: Path) -> None:
        with pytest.raises(CommandError, match="cannot be written: No such file or directory"):
            call_command("export_dataset", "Colours", str(tmp_path / "nowhere" / "out"))


@pytest.mark.parametrize(
    "command",
    [
        ("export_dataset", "", "out"),
        ("export_embeddings", "out.npz", "--dataset", ""),
        ("evaluate_search", "--dataset", ""),
    ],
)
def test_an_empty_name_is_no_dataset(
    images: list[Image], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CommandError, match=r"There is no dataset ''\. There are: colours"):
        call_command(*command)


def test_a_folder_is_no_file_to_write(images: list[Image], tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="It is a folder"):
        call_command("export_dataset", "Colours", str(tmp_path))
    assert not list(tmp_path.iterdir())
