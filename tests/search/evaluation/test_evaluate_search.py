"""`evaluate_search`: figures that a computation of one's own confirms, and clear reasons where there are none."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from search.models import Calibration, Dataset, Embedding, Encoder, Evaluation, Image, Job
from tests.pictures import shade

AddImage = Callable[..., Image]
Capsys = pytest.CaptureFixture[str]


def evaluate(capsys: Capsys, **options: Any) -> dict[str, Any]:
    call_command("evaluate_search", dataset="colours", json=True, **options)
    (line,) = capsys.readouterr().out.splitlines()
    return json.loads(line)


def recomputed(path: Path, queries: str, gallery: str) -> dict[str, float]:
    """Compute figures from exported vectors, without a line of the code that is tested."""
    kept = np.load(path)
    vectors = kept["vectors"].astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    asking = np.flatnonzero(kept["splits"] == queries)
    answering = np.flatnonzero(kept["splits"] == gallery)
    found: dict[str, list[float]] = {"precision@1": [], "recall@10": [], "map": [], "ndcg@5": []}
    for query in asking:
        others = answering[answering != query]
        # To thirteen digits equal is equal, and the first id comes first.
        order = others[np.argsort(-np.round(vectors[others] @ vectors[query], 13), kind="stable")]
        hits = (kept["labels"][order] == kept["labels"][query]).astype(float)
        ranks = np.arange(1, len(hits) + 1)
        found["precision@1"].append(hits[0])
        found["recall@10"].append(hits[:10].sum() / hits.sum())
        found["map"].append((np.cumsum(hits) / ranks * hits).sum() / hits.sum())
        gains = hits[:5] / np.log2(ranks[:5] + 1)
        found["ndcg@5"].append(gains.sum() / (1 / np.log2(ranks[: min(5, int(hits.sum()))] + 1)).sum())
    return {name: float(np.mean(figures)) for name, figures in found.items()}


def test_figures_are_those_of_numpy_on_exported_vectors(muddled: list[Image], capsys: Capsys, tmp_path: Path) -> None:
    call_command("export_embeddings", str(tmp_path / "v.npz"), dataset="colours", json=True)
    assert json.loads(capsys.readouterr().out)["images"] == 20
    report = evaluate(capsys)
    expected = recomputed(tmp_path / "v.npz", "none", "none")
    assert 0.5 < expected["map"] < 1
    for name, value in expected.items():
        assert report["metrics"][name] == pytest.approx(value, abs=1e-6)
        low, high = report["intervals"][name]
        assert low <= value <= high


def test_a_report_says_all_that_was_measured(divided: list[Image], capsys: Capsys) -> None:
    report = evaluate(capsys)
    assert (report["encoder"], report["dataset"], report["queries"], report["gallery"]) == ("colours", "colours", 8, 12)
    assert set(report["metrics"]) == {
        *(f"{name}@{k}" for name in ("precision", "recall", "hit_rate", "map", "ndcg") for k in (1, 5, 10)),
        "accuracy",
        "map",
        "r_precision",
    }
    assert report["metrics"]["map"] == 1.0
    assert report["metrics"]["precision@10"] == pytest.approx(0.6)
    assert set(report["latency_ms"]) == {"decode", "encode", "search"}
    assert set(report["latency_ms"]["search"]) == {"p50", "p95", "p99", "n"}
    assert report["latency_ms"]["search"]["n"] == 8
    assert report["agreement"]["same"] == 1.0
    assert report["agreement"]["is_exact"]
    assert report["agreement"]["gap"] < 1e-6
    assert [one["label"] for one in report["classes"]] == ["cold", "warm"]
    assert report["machine"]["cores"] >= 1
    assert report["url"] == f"/evaluations/{report['evaluation']}/"


def test_what_is_said_to_people_names_measures_and_reasons(divided: list[Image], capsys: Capsys) -> None:
    call_command("evaluate_search", dataset="colours")
    told = capsys.readouterr().out
    assert "colours on Colours, test against train: 8 queries, 12 images in the gallery" in told
    assert "  map            1.0000  [1.0000, 1.0000]" in told
    assert "comparing every image, gives 100.00% of these hits (8 queries)" in told


def test_two_labels_that_were_exchanged_are_found(muddled: list[Image], capsys: Capsys) -> None:
    report = evaluate(capsys)
    found = {(one["image"], one["label"], one["says"]) for one in report["contradictions"]}
    assert found == {(muddled[3].pk, "cold", "warm"), (muddled[13].pk, "warm", "cold")}


def test_a_near_duplicate_across_the_splits_is_a_leak(divided: list[Image], capsys: Capsys) -> None:
    # An encoder that labels have shaped tells kin from copies no more: only the perceptual hash is left.
    Encoder.objects.update(spec={"input_size": 32, "training": {"dataset": "Colours"}})
    Image.objects.filter(pk__in=[divided[10].pk, divided[15].pk]).update(phash="01" * 32)
    report = evaluate(capsys)
    leaks = report["leaks"]
    assert (leaks["n_queries"], leaks["n_by_phash"], leaks["n_by_vector"], leaks["reference"]) == (1, 1, 0, "")
    assert leaks["pairs"] == [[divided[10].pk, divided[15].pk]]
    # Of eight queries one has one right image less among the first ten.
    assert report["metrics"]["precision@10"] == pytest.approx(0.6)
    assert leaks["metrics"]["precision@10"] == pytest.approx((7 * 0.6 + 0.5) / 8)


def test_features_that_no_label_shaped_tell_near_duplicates_too(divided: list[Image], capsys: Capsys) -> None:
    leaks = evaluate(capsys)["leaks"]
    assert (leaks["n_by_phash"], leaks["reference"]) == (0, "colours")
    # Plain colours are so near each other that nothing is left without them.
    assert leaks["n_by_vector"] == 8
    assert leaks["metrics"] == {}


def test_without_labels_there_are_no_figures_but_all_that_needs_none(
    dataset: Dataset, colours: list[Image], capsys: Capsys
) -> None:
    Image.objects.update(label="")
    report = evaluate(capsys)
    assert report["metrics"] == {}
    assert report["why_no_figures"].startswith("No image among the queries has a label")
    assert report["agreement"]["same"] == 1.0
    # Twenty images are too few to tell what is rare.
    kept = Calibration.objects.get()
    assert (kept.chances, kept.random_pairs, kept.n_images) == ({}, {}, 20)
    assert report["left_out"]["n_unlabelled_queries"] == 0


def test_one_label_makes_any_hit_right_and_is_no_measure(colours: list[Image], capsys: Capsys) -> None:
    Image.objects.update(label="colour")
    report = evaluate(capsys)
    assert (report["metrics"], report["why_no_figures"]) == (
        {},
        "All labelled images are 'colour': any hit would be right.",
    )


def test_labels_of_one_image_each_leave_nothing_to_find(
    colours: list[Image], capsys: Capsys, add_image: AddImage
) -> None:
    Image.objects.filter(pk=colours[0].pk).update(label="lonely")
    report = evaluate(capsys)
    assert report["left_out"]["n_unanswerable"] == 1
    # It is still there to be found, wrongly.
    assert 0.9 < report["metrics"]["map"] < 1
    for image in colours:
        Image.objects.filter(pk=image.pk).update(label=f"only {image.pk}")
    report = evaluate(capsys)
    assert (report["metrics"], report["why_no_figures"]) == (
        {},
        "No query has another image of its label to be found.",
    )


def test_two_hundred_and_more_labels_are_told_apart(add_image: AddImage, capsys: Capsys) -> None:
    for number in range(210):
        for kind in ("warm", "cold"):
            content = shade(kind, 0)[:-12] + number.to_bytes(4, "big") + shade(kind, 0)[-12:]
            add_image(content=content, label=f"label {number}", source=f"{number}-{kind}.png")
    report = evaluate(capsys)
    evaluation = Evaluation.objects.get(pk=report["evaluation"])
    assert len(report["classes"]) == 210
    assert len(evaluation.details["confusion"]["labels"]) == 200
    assert evaluation.details["confusion"]["n_classes"] == 210


def test_an_encoder_that_has_not_embedded_everything_says_what_to_run(colours: list[Image], capsys: Capsys) -> None:
    Embedding.objects.filter(image=colours[0]).delete()
    with pytest.raises(CommandError, match=r"embedded 19 of the 20 images\. First run: manage.py embed_images"):
        evaluate(capsys)
    job = Job.objects.get(kind="evaluate")
    assert (job.state, job.message.startswith("colours has embedded 19 of the 20")) == ("failed", True)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"encoder": "nothing"}, "There is no encoder named 'nothing'"),
        ({"queries": "nowhere"}, "There is no dataset 'nowhere'"),
        ({"gallery_split": "val"}, "has no image of the split val"),
        ({"seed": -1}, "A seed is from 0 to 4,294,967,295; got -1"),
        ({"seed": 2**32}, "A seed is from 0 to"),
        ({"leave_one_out": True, "queries_split": "test"}, "name no queries and no split"),
    ],
)
def test_what_is_not_there_is_said(colours: list[Image], capsys: Capsys, options: dict[str, str], reason: str) -> None:
    with pytest.raises(CommandError, match=reason):
        evaluate(capsys, **options)


def test_a_query_that_is_the_whole_gallery_has_no_figures(
    colours: list[Image], capsys: Capsys, add_image: AddImage
) -> None:
    phone = Dataset.objects.create(name="Phone")
    add_image(content=colours[0].original.read_bytes(), label="warm", dataset=phone)
    call_command("evaluate_search", dataset="phone", queries="colours", json=True)
    report = json.loads(capsys.readouterr().out)
    # All others ask as well, and the nine warm ones have that image to find.
    assert (report["queries"], report["left_out"]["n_unanswerable"]) == (20, 11)
    Image.objects.filter(dataset__name="Colours").exclude(pk__in=[colours[0].pk, colours[10].pk]).delete()
    call_command("evaluate_search", dataset="phone", queries="colours", json=True)
    assert json.loads(capsys.readouterr().out)["metrics"] == {}


def test_files_that_are_gone_leave_only_the_speed_unknown(colours: list[Image], capsys: Capsys) -> None:
    for image in colours[:15]:
        image.original.unlink()
    report = evaluate(capsys)
    assert report["metrics"]["map"] == 1.0
    assert report["latency_ms"]["encode"]["n"] <= 5
    for image in colours[15:]:
        image.original.unlink()
    report = evaluate(capsys)
    assert set(report["latency_ms"]) == {"search"}
    assert report["images_per_s"] is None


def test_a_near_duplicate_without_a_label_takes_no_part(divided: list[Image], capsys: Capsys) -> None:
    Encoder.objects.update(spec={"input_size": 32, "training": {"dataset": "Elsewhere"}})
    Image.objects.filter(pk__in=[divided[10].pk, divided[15].pk]).update(phash="01" * 32)
    Image.objects.filter(pk=divided[15].pk).update(label="")
    report = evaluate(capsys)
    assert report["leaks"]["n_queries"] == 0
    call_command("evaluate_search", dataset="colours")
    assert "near-duplicates" not in capsys.readouterr().out


def test_vectors_that_are_not_there_cannot_be_exported(colours: list[Image], tmp_path: Path) -> None:
    Embedding.objects.all().delete()
    with pytest.raises(CommandError, match="has embedded no image of colours"):
        call_command("export_embeddings", str(tmp_path / "v.npz"), dataset="colours")


def test_a_place_that_cannot_be_written_to_is_said(colours: list[Image], tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be written: No such file or directory"):
        call_command("export_embeddings", str(tmp_path / "nowhere" / "v.npz"), dataset="colours")


def test_an_encoder_that_has_learnt_from_the_queries_is_said_to(
    divided: list[Image], encoder: Encoder, capsys: Capsys
) -> None:
    job = Job.objects.create(kind="train", parameters={"backbone": "taught"})
    Encoder.objects.create(name="taught", family="fake", dim=12, spec={"training": {"dataset": "Colours"}})
    Encoder.objects.update_or_create(name="colours", defaults={"job": job})
    # Nothing of the test split was learnt from.
    assert evaluate(capsys)["learnt_from"] == 0
    assert Calibration.objects.get().chances == {}
    assert evaluate(capsys, leave_one_out=True)["learnt_from"] == 12
    call_command("evaluate_search", dataset="colours", leave_one_out=True)
    assert "It has learnt from 12 of these queries" in capsys.readouterr().out
    call_command("compare_encoders", dataset="colours", stored=True)
    assert "colours has learnt from 12 of the queries, which flatters it." in capsys.readouterr().out


def test_what_was_learnt_from_is_known_by_another_name_too(
    colours: list[Image], capsys: pytest.CaptureFixture[str]
) -> None:
    training = {"dataset": "Colours", "dataset_id": colours[0].dataset_id}
    Encoder.objects.update(spec={"input_size": 32, "training": training})
    Dataset.objects.update(name="Colors")
    assert evaluate(capsys)["learnt_from"] == 20
    Encoder.objects.update(spec={"input_size": 32, "training": training | {"dataset_id": 10**6}})
    Dataset.objects.update(name="Colours")
    assert evaluate(capsys)["learnt_from"] == 0
