"""Encoders side by side: the table, what parts them, and the files that hold it."""

import csv
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from search import vectors
from search.evaluation import comparing
from search.evaluation.comparing import COLUMNS
from search.models import Dataset, Embedding, Encoder, Evaluation, Image, Job

Capsys = pytest.CaptureFixture[str]


@pytest.fixture
def blind(encoder: Encoder, divided: list[Image]) -> Encoder:
    """An encoder whose vectors have nothing to do with the images."""
    blind = Encoder.objects.create(
        name="blind", family="fake", dim=12, spec={"input_size": 32}, weights_sha256="1" * 64
    )
    found = np.random.default_rng(0).normal(size=(len(divided), 12)).astype(np.float32)
    vectors.write(blind, [image.pk for image in divided], found)
    return blind


def compare(capsys: Capsys, **options: Any) -> dict[str, Any]:
    call_command("compare_encoders", dataset="colours", json=True, **options)
    (line,) = capsys.readouterr().out.splitlines()
    return json.loads(line)


def test_the_best_stands_first_and_the_others_differ_by_more_than_chance(blind: Encoder, capsys: Capsys) -> None:
    report = compare(capsys, leave_one_out=True)
    assert [one["encoder"] for one in report["encoders"]] == ["colours", "blind"]
    best, other = report["encoders"]
    assert set(COLUMNS) <= set(best)
    assert (best["map"], best["dim"], best["bytes_per_image"], best["difference"]) == (1.0, 12, 32, None)
    assert other["difference"]["is_real"]
    assert other["difference"]["mean"] == pytest.approx(other["map"] - 1)
    assert other["difference"]["high"] < 0
    assert report["left_out"] == {}
    assert Job.objects.get().n_done == 2


def test_an_encoder_that_cannot_be_compared_does_not_stop_the_others(blind: Encoder, capsys: Capsys) -> None:
    Embedding.objects.filter(encoder=blind)[0].delete()
    report = compare(capsys)
    assert [one["encoder"] for one in report["encoders"]] == ["colours"]
    assert report["left_out"]["blind"].startswith("blind has embedded 19 of the 20 images")
    assert (Job.objects.get().state, Job.objects.get().n_failed) == ("done", 1)


def test_what_is_stored_can_be_compared_again_by_another_column(blind: Encoder, capsys: Capsys) -> None:
    with pytest.raises(CommandError, match="Nothing was evaluated so on Colours yet"):
        compare(capsys, stored=True)
    compare(capsys)
    compare(capsys, encoders="blind")
    assert Evaluation.objects.count() == 3
    report = compare(capsys, stored=True)
    assert [one["encoder"] for one in report["encoders"]] == ["colours", "blind"]
    assert report["encoders"][1]["evaluation"] == Evaluation.objects.order_by("-pk")[0].pk


def test_evaluations_of_other_pictures_or_weights_are_not_compared(
    blind: Encoder, dataset: Dataset, capsys: Capsys, divided: list[Image]
) -> None:
    compare(capsys)
    Encoder.objects.filter(pk=blind.pk).update(weights_sha256="2" * 64)
    assert [one.encoder.name for one in comparing.latest(Evaluation.objects.filter(dataset=dataset))] == ["colours"]
    Image.objects.filter(pk=divided[0].pk).update(label="hot")
    compare(capsys, encoders="blind")
    assert [one.encoder.name for one in comparing.latest(Evaluation.objects.filter(dataset=dataset))] == ["blind"]
    with pytest.raises(ValueError, match="the same queries and gallery"):
        comparing.compare(list(Evaluation.objects.all()))


def test_the_table_is_written_as_csv_markdown_and_a_page_of_its_own(
    blind: Encoder, capsys: Capsys, tmp_path: Path
) -> None:
    paths = {kind: tmp_path / f"report.{kind}" for kind in ("csv", "markdown", "html")}
    report = compare(capsys, **paths)
    with paths["csv"].open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["encoder"] for row in rows] == ["colours", "blind"]
    assert float(rows[1]["map"]) == report["encoders"][1]["map"]
    assert float(rows[1]["map difference high"]) < 0
    table = paths["markdown"].read_text()
    assert "Colours, test against train: 8 queries, 12 images in the gallery. Sorted by mAP." in table
    assert re.search(r"^\| colours \| 1\.0000 \|.*\| the best \|$", table, re.MULTILINE)
    page = paths["html"].read_text()
    assert "Which encoder is best for Colours?" in page
    assert "<svg" in page
    # It opens anywhere: nothing is fetched, and nothing leads to a site.
    assert not re.search(r"(src|href)=|url\(|@import|<script", page)


def test_without_json_the_table_is_what_is_said(blind: Encoder, capsys: Capsys) -> None:
    call_command("compare_encoders", dataset="colours", by="dim")
    told = capsys.readouterr().out
    assert "Sorted by Dimension." in told
    assert told.count("\n| ") == 4


def test_labels_that_tell_nothing_leave_a_table_of_costs(blind: Encoder, capsys: Capsys, tmp_path: Path) -> None:
    Image.objects.update(label="")
    report = compare(capsys, html=tmp_path / "report.html")
    assert [one["map"] for one in report["encoders"]] == [None, None]
    assert all(one["latency_ms"] > 0 for one in report["encoders"])
    assert "–" in (tmp_path / "report.html").read_text()


def test_a_file_that_cannot_be_written_is_named(blind: Encoder, capsys: Capsys, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"nowhere/t.csv cannot be written: there is no such folder"):
        compare(capsys, csv=tmp_path / "nowhere" / "t.csv")


def test_only_one_is_the_best_also_where_the_measure_is_unknown(
    blind: Encoder, capsys: Capsys, divided: list[Image]
) -> None:
    # A gallery of six has no tenth rank.
    Image.objects.filter(pk__in=[image.pk for image in divided if int(image.name[0]) > 6]).delete()
    call_command("compare_encoders", dataset="colours", by="precision@10")
    assert "| the best |" not in capsys.readouterr().out
    call_command("compare_encoders", dataset="colours", stored=True)
    assert capsys.readouterr().out.count("| the best |") == 1


def test_the_same_pictures_imported_anew_are_compared_too(
    blind: Encoder, encoder: Encoder, dataset: Dataset, divided: list[Image], capsys: Capsys
) -> None:
    compare(capsys, encoders="blind")
    found = vectors.read(encoder, [image.pk for image in divided])[1]
    for image in divided:
        Image.objects.filter(pk=image.pk).delete()
        image.pk = None
        image.split = "test" if int(image.name[0]) < 4 else "train"
        image.save()
    vectors.write(encoder, [image.pk for image in divided], found)
    compare(capsys, encoders="colours")
    report = compare(capsys, stored=True)
    assert [bool(one["difference"]) for one in report["encoders"]] == [False, True]


def test_what_is_stored_can_be_narrowed_and_asked_for_in_another_way(blind: Encoder, capsys: Capsys) -> None:
    compare(capsys)
    compare(capsys, leave_one_out=True, encoders="colours")
    assert compare(capsys, stored=True)["protocol"] == "each against all others"
    report = compare(capsys, stored=True, queries_split="test", gallery_split="train")
    assert (report["protocol"], len(report["encoders"])) == ("test against train", 2)
    report = compare(capsys, stored=True, queries_split="test", gallery_split="train", encoders="blind")
    assert [one["encoder"] for one in report["encoders"]] == ["blind"]
    with pytest.raises(CommandError, match="Nothing was evaluated so on Colours yet"):
        compare(capsys, stored=True, max_queries=3)


def test_names_of_datasets_are_neither_formulas_nor_marks(
    encoder: Encoder, divided: list[Image], add_image: Any, capsys: Capsys, tmp_path: Path
) -> None:
    odd = Dataset.objects.create(name='=HYPERLINK("x")|<b>')
    add_image(content=divided[0].original.read_bytes(), label="warm", dataset=odd)
    options = {kind: tmp_path / f"t.{kind}" for kind in ("csv", "markdown", "html")}
    compare(capsys, queries=odd.slug, **options)
    with options["csv"].open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["protocol"].startswith("'=HYPERLINK")
    assert r'=HYPERLINK("x")\|\<b\> against all' in options["markdown"].read_text()
    assert "<b>" not in options["html"].read_text().replace("<b>the best</b>", "")
