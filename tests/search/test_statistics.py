"""The statistics of a dataset, against counts by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from django.test import Client

from search.models import Dataset, Encoder, Image, Job, Refusal
from search.reports import contents as reports
from search.reports.contents import contents
from search.work import jobs

AddImage = Callable[..., Image]


def rows(dataset: Dataset, title: str) -> list[tuple[str, int]]:
    part = next((one for one in contents(dataset).parts if one.plot.title == title), None)
    return [(row.words, row.n) for row in part.rows] if part else []


def test_it_counts_by_hand(add_image: AddImage, dataset: Dataset, encoder: Encoder) -> None:
    first = add_image("red", label="warm", split="train")
    second = add_image("blue", label="warm", width=3000, height=2000)
    add_image("green", embedded=False, label="cold", format="GIF", width=10, height=10)
    add_image("black", embedded=False, status="refused", error_code="damaged", split="test")
    add_image("white", embedded=False, dataset=Dataset.objects.create(name="Other"), label="else")
    Image.objects.filter(pk=second.pk).update(file="", in_place_path="/elsewhere/blue.png", n_bytes=7_000)
    Image.objects.filter(pk=first.pk).update(n_bytes=100)
    Refusal.objects.create(job=jobs.begin(Job.Kind.IMPORT, {"dataset": "Colours"}), source="a", code="empty", reason="")
    assert rows(dataset, "Images per label") == [("warm", 2), ("cold", 1), ("without a label", 1)]
    assert rows(dataset, "Formats") == [("PNG", 3), ("GIF", 1)]
    assert rows(dataset, "States") == [("Ready", 2), ("Waiting", 1), ("Refused", 1)]
    assert rows(dataset, "Splits") == [("None", 2), ("Train", 1), ("Test", 1)]
    assert rows(dataset, "Refused images") == [("damaged", 1)]
    assert rows(dataset, "Files that imports refused") == [("empty", 1)]
    found = contents(dataset)
    assert (found.n_images, found.n_labels) == (4, 2)
    assert found.embedded == [(encoder, 2)]
    kept = Image.objects.filter(dataset=dataset).exclude(file="")
    assert found.storage.originals == sum(kept.values_list("n_bytes", flat=True))
    assert found.storage.in_place == 7_000
    sizes = [default_storage.size(image.thumbnail.name or "") for image in (first, second)]
    assert found.storage.thumbnails == sum(sizes)


@pytest.mark.parametrize(
    ("width", "height", "words"),
    [
        (10, 10, "< 0.05"),
        (250, 200, "0.05–0.1"),
        (1000, 999, "0.5–1"),
        (1000, 1000, "1–2"),
        (4000, 3000, "12–25"),
        (9000, 9000, "≥ 25"),
    ],
)
def test_sizes_lie_between_their_edges(
    add_image: AddImage, dataset: Dataset, width: int, height: int, words: str
) -> None:
    add_image("red", embedded=False, width=width, height=height)
    assert rows(dataset, "Sizes") == [(words, 1)]


def test_labels_beyond_the_first_are_put_together(
    add_image: AddImage, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "MOST_LABELS", 1)
    for colour, label in [("red", "b"), ("blue", "b"), ("green", "a"), ("black", "c")]:
        add_image(colour, embedded=False, label=label)
    assert rows(dataset, "Images per label") == [("b", 2), ("2 other labels", 2)]
    assert len(contents(dataset).parts[0].plot.bars) == 1  # what is put together would dwarf the others


def test_its_page_has_a_table_beside_each_plot(client: Client, admin_client: Client, add_image: AddImage) -> None:
    add_image("red", label="a & b")
    response = admin_client.get("/datasets/colours/statistics/")
    assert response.text.count("<figure") == response.text.count("as a table</summary>") == 5
    assert "/datasets/colours/?label=a+%26+b" in response.text
    assert "1 of 1" in response.text
    assert client.get("/datasets/colours/statistics/").status_code == 302


def test_it_is_for_those_who_may_change_the_dataset(
    client: Client, dataset: Dataset, django_user_model: type[User]
) -> None:
    client.force_login(django_user_model.objects.create_user("ben"))
    assert client.get("/datasets/colours/statistics/").status_code == 403


def test_an_empty_dataset_has_none(admin_client: Client, dataset: Dataset) -> None:
    assert "This dataset is empty" in admin_client.get("/datasets/colours/statistics/").text


def test_it_takes_as_many_statements_for_many_images(
    add_image: AddImage, dataset: Dataset, django_assert_max_num_queries: Any
) -> None:
    for n in range(20):
        add_image(f"rgb({n}, 0, 0)", embedded=False, label=f"label {n}")
    with django_assert_max_num_queries(6):
        contents(dataset)


def test_what_was_refused_to_a_dataset_of_the_same_name_before_is_not_told(dataset: Dataset) -> None:
    before = jobs.begin(Job.Kind.IMPORT, {"dataset": "Colours"})
    Job.objects.filter(pk=before.pk).update(started_at=dataset.created_at - timedelta(days=1))
    another = jobs.begin(Job.Kind.IMPORT, {"dataset": "Colours", "dataset_id": dataset.pk + 1})
    own = jobs.begin(Job.Kind.IMPORT, {"dataset": "Colors", "dataset_id": dataset.pk})  # which it was called then
    for job, code in ((before, "empty"), (another, "damaged"), (own, "truncated")):
        Refusal.objects.create(job=job, source="a", code=code, reason="")
    assert rows(dataset, "Files that imports refused") == [("truncated", 1)]
