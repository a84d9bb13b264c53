"""The folders in which originals may stay: nothing is read in place outside them, links resolved."""

import os
import subprocess
import sys
from html import unescape
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from django.conf import settings as site
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from search import embedding
from search.checkup import images as checkup
from search.files import in_place, originals
from search.models import Dataset, Encoder, Image, Refusal
from tests.conftest import png

pytestmark = pytest.mark.usefixtures("encoder")


@pytest.fixture
def library(tmp_path: Path, settings: Any) -> Path:
    """A folder in which originals may stay, with one picture in it."""
    folder = tmp_path / "libraries" / "colours"
    folder.mkdir(parents=True)
    (folder / "red.png").write_bytes(png("red"))
    settings.IN_PLACE_ROOTS = [folder.parent]
    return folder


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A picture that lies elsewhere."""
    path = tmp_path / "secret" / "blue.png"
    path.parent.mkdir()
    path.write_bytes(png("blue"))
    return path


def bring_in(*paths: Path, **options: Any) -> None:
    call_command("import_images", *map(str, paths), dataset="Colours", in_place=True, sync=True, **options)


def test_a_library_below_a_root_comes_in(library: Path) -> None:
    bring_in(library)
    assert Image.objects.get().status == "ready"


def test_a_root_may_be_reached_by_a_link(library: Path, tmp_path: Path, settings: Any) -> None:
    (tmp_path / "mnt").symlink_to(library.parent)
    settings.IN_PLACE_ROOTS = [tmp_path / "mnt"]
    bring_in(tmp_path / "mnt" / "colours")
    image = Image.objects.get()
    assert (image.in_place_path, image.status) == (str(library / "red.png"), "ready")


@pytest.mark.parametrize("way", ["secret", "libraries/../secret", "libraries-of-others", "libraries/colours/out"])
def test_another_folder_is_refused_before_anything_is_read(library: Path, secret: Path, way: str) -> None:
    tmp_path = secret.parents[1]
    (tmp_path / "libraries-of-others").mkdir()
    (library / "out").symlink_to(secret.parent)
    with pytest.raises(CommandError, match="Set IN_PLACE_ROOTS to folders in which they may"):
        bring_in(library, tmp_path / way)
    assert not Dataset.objects.exists()


def test_without_roots_there_are_no_libraries_in_place_and_copies_as_ever(library: Path, settings: Any) -> None:
    settings.IN_PLACE_ROOTS = []
    with pytest.raises(CommandError, match="Originals may not stay"):
        bring_in(library)
    call_command("import_images", str(library), dataset="Colours", sync=True)
    assert Image.objects.get().in_place_path == ""


def test_a_link_out_of_a_library_is_refused_and_the_rest_comes_in(library: Path, secret: Path, tmp_path: Path) -> None:
    (library / "link.png").symlink_to(secret)
    (library / "within.png").symlink_to(library / "red.png")
    with pytest.raises(SystemExit):
        bring_in(library)
    refusal = Refusal.objects.get()
    assert (refusal.source, refusal.code) == ("colours/link.png", "outside_roots")
    assert str(tmp_path) not in refusal.reason
    assert list(Image.objects.values_list("in_place_path", flat=True)) == [str(library / "red.png")]


def test_a_list_brings_in_what_lies_below_a_root_only(library: Path, secret: Path, tmp_path: Path) -> None:
    listed = tmp_path / "list"
    listed.write_text(f"{secret}\n{library / 'red.png'}\n")
    with pytest.raises(SystemExit):
        bring_in(files_from=listed)
    assert (Refusal.objects.get().code, Path(Image.objects.get().source).name) == ("outside_roots", "red.png")


def test_a_rehearsal_refuses_the_same(library: Path, secret: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (library / "link.png").symlink_to(secret)
    with pytest.raises(SystemExit):
        bring_in(library, dry_run=True)
    assert "lies outside the folders" in capsys.readouterr().out


@pytest.fixture
def swapped(library: Path, secret: Path) -> Image:
    """An image whose file became a link to one that lies elsewhere."""
    bring_in(library)
    (library / "red.png").unlink()
    (library / "red.png").symlink_to(secret)
    return Image.objects.get()


def test_a_link_laid_in_afterwards_is_not_followed(swapped: Image) -> None:
    with pytest.raises(in_place.OutsideRoots):
        _ = swapped.original
    assert not originals.local_path("", swapped.in_place_path).exists()


def test_pages_and_programs_show_nothing_of_it(swapped: Image, client: Client, admin_client: Client) -> None:
    swapped.dataset.is_public = True
    swapped.dataset.save()
    page = reverse("picture", args=[swapped.pk, swapped.sha256[:12]])
    for address in (page, f"/api/v1/images/{swapped.pk}/picture"):
        for visitor in (client, admin_client):
            assert visitor.get(address).status_code == 404, address
    part = client.get("/", {"image": swapped.pk, "crop": "0,0,0.5,0.5"})
    assert "lies outside the folders" in unescape(part.content.decode())


def test_exports_leave_it_out(swapped: Image, admin_client: Client) -> None:
    address = reverse("export-file", args=[swapped.dataset.slug, "zip"])
    answer = admin_client.get(address)
    assert answer.status_code == 200
    with ZipFile(BytesIO(b"".join(answer.streaming_content))) as packed:  # type: ignore[attr-defined]
        assert png("blue") not in [packed.read(name) for name in packed.namelist()]


def test_workers_refuse_it(swapped: Image, encoder: Encoder) -> None:
    from search import embedding

    Image.objects.update(status="pending")
    outcome = embedding.embed(encoder, [swapped.pk])
    swapped.refresh_from_db()
    assert [one.code for one in outcome.refused] == ["outside_roots"]
    assert (swapped.status, swapped.error_code) == ("refused", "outside_roots")


def test_the_checkup_tells_of_it(swapped: Image) -> None:
    told = [found.what for found in checkup.look(every_file=True)]
    assert any(f"1 lie outside IN_PLACE_ROOTS, and are not read: {swapped.pk}" in what for what in told)
    assert not any("every file is there" in what for what in told)


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({}, "['/', 'SAMPLE']"),
        ({"DATABASE_URL": "postgresql://elsewhere/imgsim", "SECRET_KEY": "x"}, "['SAMPLE']"),
        ({"IN_PLACE_ROOTS": "/mnt/a,/mnt/b"}, "['/mnt/a', '/mnt/b', 'SAMPLE']"),
        ({"IN_PLACE_ROOTS": "pictures"}, "IN_PLACE_ROOTS must be folders from / or ~ on"),
    ],
)
def test_the_setting(tmp_path: Path, environment: dict[str, str], told: str) -> None:
    code = "from imgsim_site import settings; print([str(folder) for folder in settings.IN_PLACE_ROOTS])"
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    answer = subprocess.run(
        [sys.executable, "-c", code],
        env={**kept, "IMGSIM_VAR": str(tmp_path), **environment},
        cwd=site.BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told in (answer.stdout + answer.stderr).replace(str(tmp_path / "sample"), "SAMPLE")


def test_a_link_that_leads_in_a_circle_is_refused_alone(library: Path, client: Client) -> None:
    bring_in(library)
    (library / "round.png").symlink_to("round.png")
    (library / "green.png").write_bytes(png("green"))
    with pytest.raises(SystemExit, match="3"):
        bring_in(library)
    assert Image.objects.filter(status="ready").count() == 2
    assert "Too many levels of symbolic links" in Refusal.objects.get().reason
    (library / "red.png").unlink()
    (library / "red.png").symlink_to("red.png")
    image = Image.objects.get(in_place_path=str(library / "red.png"))
    assert client.get(reverse("search"), {"image": image.pk, "crop": "0,0,0.5,0.5"}).status_code == 422
    (library / "circle").symlink_to("circle")
    with pytest.raises(CommandError, match="Too many levels of symbolic links"):
        bring_in(library / "circle")


def test_a_picture_that_becomes_a_circle_keeps_no_other_waiting(library: Path) -> None:
    (library / "green.png").write_bytes(png("green"))
    call_command("import_images", str(library), dataset="Colours", in_place=True)
    (library / "red.png").unlink()
    (library / "red.png").symlink_to("red.png")
    embedding.embed(Encoder.objects.get(), list(Image.objects.values_list("pk", flat=True)))
    assert sorted(Image.objects.values_list("status", "error_code")) == [("ready", ""), ("refused", "unreadable")]


@pytest.mark.parametrize("ending", [".txt", ".json", ".png.json"])
def test_sidecars_lead_no_further_than_pictures(
    library: Path, secret: Path, ending: str, capsys: pytest.CaptureFixture[str]
) -> None:
    told = secret.with_suffix(".json")
    told.write_text('{"label": "secret"}')
    (library / f"red{ending}").symlink_to(told)
    with pytest.raises(SystemExit, match="3"):
        bring_in(library, labels="sidecar")
    assert Image.objects.get().label == ""
    assert "it leads out of IN_PLACE_ROOTS" in Refusal.objects.get().reason
    told.unlink()
    (library / f"red{ending}").unlink()
    (library / f"red{ending}").write_text("red" if ending == ".txt" else '{"label": "red"}')
    bring_in(library, labels="sidecar")
    assert Image.objects.get().label == "red"
