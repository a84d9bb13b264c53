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
    report = compare(capsys)
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
    with pytest.raises(CommandError, match="Nothing was evaluated on Colours yet"):
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
    assert [one.encoder.name for one in comparing.latest(dataset)] == ["colours"]
    Image.objects.filter(pk=divided[0].pk).update(label="hot")
    compare(capsys, encoders="blind")
    assert [one.encoder.name for one in comparing.latest(dataset)] == ["blind"]
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
    with pytest.raises(CommandError, match=r"nowhere/t.csv cannot be written: No such file or directory"):
        compare(capsys, csv=tmp_path / "nowhere" / "t.csv")
