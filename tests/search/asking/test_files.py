"""Results and chosen images as files: what stands in them, under which names, and for whom."""

from __future__ import annotations

import csv
import html
import json
import zipfile
from collections.abc import Callable
from io import BytesIO, StringIO
from pathlib import PurePosixPath
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import Client
from PIL import Image as Picture

from search.asking import files
from search.exports import cells
from search.models import Dataset, Image
from search.quality import calibrating
from tests.pictures import jpeg_bytes, plain_png

AddImage = Callable[..., Image]


@pytest.fixture
def ann(django_user_model: type[User]) -> User:
    return django_user_model.objects.create_user("ann")


@pytest.fixture
def own(ann: User) -> Dataset:
    return Dataset.objects.create(name="Own", is_public=False, owner=ann)


def rows(response: Any) -> list[dict[str, str]]:
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(StringIO(response.content.decode())))


def choose(client: Client, do: str, images: list[Image], **fields: Any) -> Any:
    return client.post("/selection/", {"do": do, "chosen": [image.pk for image in images], **fields})


def archive(response: Any) -> dict[str, bytes]:
    assert response["Content-Type"] == "application/zip"
    with zipfile.ZipFile(BytesIO(response.content)) as opened:
        assert opened.testzip() is None
        names = opened.namelist()
        assert len(names) == len(set(names))
        return {name: opened.read(name) for name in names}


def told(client: Client) -> str:
    """Return what the next page says first."""
    return html.unescape(" ".join(str(message) for message in client.get("/").context["messages"]))


def test_results_as_csv_hold_rank_and_distance(client: Client, add_image: AddImage) -> None:
    query, near, far = add_image("red"), add_image("tomato", label="warm"), add_image("blue")
    response = client.get("/results.csv", {"image": query.pk})
    assert response["Content-Disposition"] == 'attachment; filename="results.csv"'
    found = rows(response)
    assert [(row["rank"], row["id"], row["label"]) for row in found] == [
        ("1", str(near.pk), "warm"),
        ("2", str(far.pk), ""),
    ]
    assert float(found[0]["distance"]) + float(found[0]["similarity"]) == pytest.approx(1)
    assert found[0]["url"] == f"http://testserver/images/{near.pk}/"
    assert found[0]["chance"] == ""


def test_results_as_json_say_how_they_were_found(
    client: Client, add_image: AddImage, encoder: Any, dataset: Dataset
) -> None:
    chances = {"distances": [0.0, 2.0], "probabilities": [0.9, 0.9]}
    calibrating.keep(encoder, dataset, chances=chances, pairs={}, n_images=3)
    query, near = add_image("red"), add_image("tomato", label="Äpfel")
    response = client.get("/results.json", {"image": query.pk})
    found = json.loads(response.content)
    assert (found["encoder"], found["exact"], found["n_searched"]) == ("colours", True, 1)
    (hit,) = found["hits"]
    assert list(hit) == files.COLUMNS
    assert (hit["rank"], hit["id"], hit["source"], hit["label"]) == (1, near.pk, "colours/tomato.png", "Äpfel")
    assert (hit["dataset"], hit["chance"]) == ("Colours", 0.9)


def test_ranks_go_on_where_a_page_begins(client: Client, add_image: AddImage) -> None:
    query = add_image("#000000")
    for red in (40, 80, 120):
        add_image(f"#{red:02x}0000")
    assert [row["rank"] for row in rows(client.get("/results.csv", {"image": query.pk, "k": 2, "offset": 1}))] == [
        "2",
        "3",
    ]


@pytest.mark.parametrize("text", ["=HYPERLINK(1)", "+1", "-1", "@SUM(1)", "\t=1", "\r=1"])
def test_text_that_a_spreadsheet_would_compute_is_quoted(client: Client, add_image: AddImage, text: str) -> None:
    query, image = add_image("red"), add_image("blue", label=text, source=text)
    (row,) = rows(client.get("/results.csv", {"image": query.pk}))
    assert (row["label"], row["source"]) == (f"'{text}", f"'{text}")
    (row,) = rows(choose(client, "csv", [image]))
    assert (row["label"], row["source"]) == (f"'{text}", f"'{text}")


def test_numbers_below_zero_stay_numbers() -> None:
    assert cells.as_csv([{"n": -0.5}], ["n"]) == "n\r\n-0.5\r\n"


@pytest.mark.parametrize(("k", "status"), [("1000", 200), ("1001", 400), ("0", 400), ("x", 400)])
def test_up_to_a_thousand_results_fit_a_file(client: Client, add_image: AddImage, k: str, status: int) -> None:
    query = add_image("red")
    add_image("blue")
    assert client.get("/results.csv", {"image": query.pk, "k": k}).status_code == status


def test_no_results_are_a_file_with_a_head(client: Client, add_image: AddImage) -> None:
    response = client.get("/results.csv", {"image": add_image("red").pk})
    assert response.content.decode() == ",".join(files.COLUMNS) + "\r\n"


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/results.csv", 400),
        ("/results.csv?image=abc", 400),
        ("/results.csv?less=1", 404),
        ("/results.csv?q=gone", 410),
        ("/results.xml?image=1", 404),
        ("/results.csv?image=999999", 404),
    ],
)
def test_a_file_of_no_search_is_refused(client: Client, encoder: Any, address: str, status: int) -> None:
    assert client.get(address).status_code == status


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_files_know_nothing_of_what_may_not_be_seen(
    client: Client, add_image: AddImage, own: Dataset, kind: str
) -> None:
    query, hidden = add_image("red"), add_image("tomato", dataset=own, label="hidden")
    text = client.get(f"/results.{kind}", {"image": query.pk}).text
    assert "hidden" not in text
    assert "Own" not in text
    assert client.get(f"/results.{kind}", {"image": hidden.pk}).status_code == 404
    assert "hidden" not in choose(client, kind, [query, hidden]).text


def test_a_selection_comes_in_the_order_of_the_page(client: Client, add_image: AddImage) -> None:
    red, blue = add_image("red", label="warm"), add_image("blue")
    found = rows(choose(client, "csv", [blue, red, blue]))
    assert [(row["id"], row["label"], row["width"]) for row in found] == [
        (str(blue.pk), "", "64"),
        (str(red.pk), "warm", "64"),
    ]
    told_in_json = json.loads(choose(client, "json", [blue, red]).content)
    assert [row["sha256"] for row in told_in_json] == [blue.sha256, red.sha256]


@pytest.mark.parametrize("chosen", [[], ["x"], ["-1"], ["9" * 5000], ["99999999999999999999"], ["٣"]])
def test_nothing_chosen_is_told_in_words(client: Client, encoder: Any, chosen: list[str]) -> None:
    response = client.post("/selection/", {"do": "csv", "chosen": chosen, "image": "7", "k": "5"})
    assert (response.status_code, response["Location"]) == (303, "/?image=7&k=5")
    assert "Select some results first." in told(client)


def test_an_unknown_action_is_not_found(client: Client, add_image: AddImage) -> None:
    assert choose(client, "explode", [add_image("red")]).status_code == 404


def test_visitors_get_pictures_without_metadata(client: Client, add_image: AddImage) -> None:
    exif = Picture.Exif()
    exif[0x010F] = "Secret camera"
    image = add_image(content=jpeg_bytes(exif=exif), source="trip/photo.jpeg", label="warm")
    ((name, content),) = archive(choose(client, "zip", [image])).items()
    assert name == "warm/photo.jpg"
    assert b"Secret camera" not in content
    assert not Picture.open(BytesIO(content)).getexif()


def test_whoever_looks_after_the_galleries_gets_the_originals(
    client: Client, add_image: AddImage, admin_user: User
) -> None:
    content = jpeg_bytes()
    image = add_image(content=content, source="photo.jpeg")
    client.force_login(admin_user)
    assert archive(choose(client, "zip", [image])) == {"photo.jpeg": content}


def test_owners_get_renditions_for_they_may_have_copied_what_is_not_theirs(
    client: Client, add_image: AddImage, ann: User, own: Dataset
) -> None:
    content = jpeg_bytes()
    mine = add_image(content=content, dataset=own, source="photo.jpeg")
    client.force_login(ann)
    (name, rendition) = next(iter(archive(choose(client, "zip", [mine])).items()))
    assert name == "photo.jpg"
    assert rendition != content


def test_an_archive_of_nothing_is_none(client: Client, add_image: AddImage) -> None:
    lost = add_image("red")
    lost.original.unlink()
    assert choose(client, "zip", [lost]).status_code == 303
    assert "None of these pictures can be read." in told(client)


def test_too_much_is_refused_in_words(client: Client, add_image: AddImage, monkeypatch: pytest.MonkeyPatch) -> None:
    images = [add_image("red"), add_image("blue")]
    monkeypatch.setattr(files, "MOST_ZIPPED", 1)
    assert choose(client, "zip", images).status_code == 303
    assert "Select fewer pictures. 1 pictures or 300 MB fit into one archive." in told(client)
    monkeypatch.setattr(files, "MOST_ZIPPED", 5)
    Image.objects.filter(pk=images[0].pk).update(n_bytes=300_000_001)
    assert choose(client, "zip", images).status_code == 303


def test_too_much_is_told_in_the_language_of_the_page(
    client: Client, add_image: AddImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MOST_ZIPPED", 0)
    client.post("/selection/", {"do": "zip", "chosen": add_image("red").pk}, headers={"Accept-Language": "de"})
    assert "fit into one archive" not in told(client)


def test_what_cannot_be_read_is_left_out(client: Client, add_image: AddImage) -> None:
    lost, there = add_image("red"), add_image("blue")
    lost.original.unlink()
    assert list(archive(choose(client, "zip", [lost, there]))) == ["blue.jpg"]


NAMES = ["../../etc/passwd", "..", "a/..", "/", "C:\\evil.png", "C:evil.png", "a\\..\\b.png", "x/\n.png", ".bashrc", ""]


LABELS = ["", "..", "/etc", "../up", "C:", "\\\\host", "a/b", ". .", "a\tb"]


@pytest.mark.parametrize("source", NAMES)
def test_names_in_an_archive_stay_in_their_folder(source: str) -> None:
    name = default_storage.save("originals/named.png", ContentFile(plain_png(8, 8)))
    images = [Image(pk=n, source=source, label=label, file=name, n_bytes=1) for n, label in enumerate(LABELS)]
    for originals in (True, False):
        with zipfile.ZipFile(BytesIO(files.zipped(images, originals=originals))) as opened:
            names = opened.namelist()
        assert len(names) == len(LABELS)
        for path in map(PurePosixPath, names):
            assert len(path.parts) <= 2
            assert not any(part.startswith((".", "/")) or part.endswith((".", " ")) for part in path.parts)
            assert not set(str(path)) & set(':\\\n\r\t\0"<>|?*')


@pytest.mark.parametrize("turn", [1, -1])
def test_pictures_of_the_same_name_are_all_there(turn: int) -> None:
    name = default_storage.save("originals/named.png", ContentFile(plain_png(8, 8)))
    sources = ["a/x.png", "b/x.png", "c/X.PNG", "d/x-2.png", "e/x-1.png"]
    images = [Image(pk=n, source=source, file=name, n_bytes=1) for n, source in enumerate(sources)]
    for originals in (True, False):
        with zipfile.ZipFile(BytesIO(files.zipped(images[::turn], originals=originals))) as opened:
            names = opened.namelist()
        assert len({name.casefold() for name in names}) == len(sources)
