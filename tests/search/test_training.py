"""Training a linear head: from labelled rows to an encoder that is searched with; and what cannot be learnt from."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DataError

from embeddings.encoder import Encoder as Network
from embeddings.training import pictures
from embeddings.training.presets import PRESETS
from search import encoders
from search.models import Dataset, Embedding, Encoder, Image, Job
from search.training import running
from search.training.dividing import CannotTrain, labelled
from search.training.requests import Wanted
from search.work import filling, jobs
from search.work.local_workers import EmbeddingStopped
from tests.fakes import ColourNetwork

AddImage = Callable[..., Image]
WARM = ["red", "orange", "orangered", "tomato", "coral", "firebrick"]
COLD = ["blue", "cyan", "navy", "teal", "royalblue", "steelblue"]


@pytest.fixture
def colours(encoder: Encoder, add_image: AddImage, settings: Any, tmp_path: Any, monkeypatch: Any) -> list[Image]:
    """Twelve images of two labels, and networks that are loaded for heads and the fake one for all others."""
    settings.ENCODERS_ROOT = tmp_path / "encoders"

    def network(row: Encoder) -> Any:
        return Network.load(row.folder, backbone=ColourNetwork()) if row.spec.get("backbone") else ColourNetwork()

    images = [add_image(colour, label="warm") for colour in WARM] + [add_image(one, label="cold") for one in COLD]
    monkeypatch.setattr(encoders, "network", network)
    return images


def train(capsys: pytest.CaptureFixture[str], **options: Any) -> Any:
    call_command("train_encoder", preset="linear-head", dataset="colours", json=True, **options)
    (line,) = capsys.readouterr().out.splitlines()
    return json.loads(line)


def test_a_head_is_an_encoder_that_can_be_searched_with(
    colours: list[Image], capsys: pytest.CaptureFixture[str]
) -> None:
    report = train(capsys, name="warmth")
    assert (report["encoder"], report["dim"], report["embedded"], report["n_classes"]) == ("warmth", 1, 12, 2)
    assert report["validation"]["map_after"] == 1.0
    call_command("search_image", str(colours[0].original), encoder="warmth", k="6", json=True)
    hits = json.loads(capsys.readouterr().out)["hits"]
    assert {hit["label"] for hit in hits} == {"warm"}


def test_it_answers_no_search_until_it_is_chosen(colours: list[Image], capsys: pytest.CaptureFixture[str]) -> None:
    train(capsys, name="warmth")
    assert encoders.default().name == "colours"
    call_command("use_encoder", "warmth")
    assert "Back: manage.py use_encoder colours" in capsys.readouterr().out
    assert encoders.default().name == "warmth"
    call_command("use_encoder", "warmth")
    assert capsys.readouterr().out == "warmth answers searches already.\n"
    call_command("use_encoder", "colours")
    assert encoders.default().name == "colours"


def test_an_encoder_that_lacks_images_is_chosen_only_anyway(colours: list[Image], add_image: AddImage) -> None:
    call_command("train_encoder", preset="linear-head", dataset="colours", name="warmth")
    add_image("green", dataset=Dataset.objects.create(name="Other"))
    with pytest.raises(CommandError, match="warmth has not embedded 1 images yet"):
        call_command("use_encoder", "warmth")
    call_command("use_encoder", "warmth", anyway=True)
    assert encoders.default().name == "warmth"


def test_vectors_of_other_datasets_are_turned_without_reading_a_picture(
    colours: list[Image], add_image: AddImage, capsys: pytest.CaptureFixture[str]
) -> None:
    train(capsys, name="warmth")
    image = add_image("green", dataset=Dataset.objects.create(name="Other"))
    image.original.unlink()
    call_command("embed_images", encoder="warmth", sync=True)
    assert Embedding.objects.filter(image=image, encoder__name="warmth").count() == 1


def test_a_picture_that_comes_in_later_is_embedded_by_backbone_and_head(
    colours: list[Image], add_image: AddImage, capsys: pytest.CaptureFixture[str]
) -> None:
    train(capsys, name="warmth")
    call_command("use_encoder", "warmth")
    image = add_image("maroon", embedded=False)
    call_command("embed_images", encoder="warmth", sync=True)
    image.refresh_from_db()
    assert (image.status, list(image.embeddings.values_list("encoder__name", flat=True))) == ("ready", ["warmth"])


def test_the_job_and_the_encoder_tell_what_was_learnt_from(
    colours: list[Image], capsys: pytest.CaptureFixture[str]
) -> None:
    report = train(capsys)
    encoder, job = Encoder.objects.get(name="colours-colours-head"), Job.objects.get(kind="train")
    assert (report["job"], encoder.job, job.state, job.n_done) == (job.pk, job, Job.State.DONE, 12)
    assert job.parameters["dataset"] == "Colours"
    assert encoder.spec["training"]["data_sha256"] == report["data_sha256"]
    assert "fitted on 12 images of 2 labels of Colours" in encoder.spec["description"]
    assert train(capsys)["encoder"] == "colours-colours-head-2"


def test_the_same_data_gives_the_same_head(colours: list[Image], capsys: pytest.CaptureFixture[str]) -> None:
    first, second = train(capsys), train(capsys)
    made = Encoder.objects.filter(name__in=[first["encoder"], second["encoder"]])
    assert len(set(made.values_list("weights_sha256", flat=True))) == 1
    assert first["data_sha256"] == second["data_sha256"]


@pytest.mark.parametrize("method", ["pca", "centring"])
def test_without_labels_the_mean_and_the_spread_are_learnt(
    colours: list[Image], capsys: pytest.CaptureFixture[str], method: str
) -> None:
    Image.objects.update(label="")
    assert train(capsys, method=method)["embedded"] == 12


def test_images_of_the_test_split_teach_nothing_and_those_of_val_are_checked_on(colours: list[Image]) -> None:
    Image.objects.filter(pk=colours[0].pk).update(split="test")
    Image.objects.filter(pk__in=[colours[1].pk, colours[7].pk]).update(split="val")
    data = labelled(Dataset.objects.get())
    assert colours[0].pk not in data.ids
    assert {pk for pk, part in zip(data.ids, data.parts, strict=True) if part == "valid"} == {
        colours[1].pk,
        colours[7].pk,
    }


def test_a_classifier_tests_on_the_test_split_and_not_on_labels_that_nothing_teaches(colours: list[Image]) -> None:
    Image.objects.filter(pk__in=[colours[0].pk, colours[7].pk]).update(split="test")
    Image.objects.filter(pk=colours[8].pk).update(split="test", label="unheard of")
    data = labelled(Dataset.objects.get(), shares=PRESETS["mobilenet-classifier"].shares)
    assert {pk for pk, part in zip(data.ids, data.parts, strict=True) if part == "test"} == {
        colours[0].pk,
        colours[7].pk,
    }
    assert sorted(data.labels[data.parts == "valid"]) == ["cold", "warm"]


@pytest.mark.parametrize(
    ("loss", "parts"), [("cross-entropy", {"train", "test", "valid"}), ("proxy-anchor", {"train", "valid"})]
)
def test_pictures_are_set_aside_for_a_test_only_where_classes_are_named(
    colours: list[Image], settings: Any, tmp_path: Path, loss: str, parts: set[str]
) -> None:
    settings.VAR = tmp_path
    changes = {"from_scratch": True, "input_size": 32, "loss": loss}
    wanted = Wanted(
        preset="mobilenet-classifier", dataset=Dataset.objects.get(), backbone="mobilenet_v2", changes=changes
    )
    job = running.begin(wanted)
    samples = pictures.read_samples(tmp_path / "runs" / str(job.pk))
    assert {sample.part for sample in samples} == parts
    assert job.parameters["n_images"] == sum(sample.part != "test" for sample in samples)


def test_a_dataset_without_splits_is_divided_75_10_15(dataset: Dataset, add_image: AddImage) -> None:
    for number in range(40):
        add_image(f"#{6 * number:02x}4040", label="warm" if number % 2 else "cold")
    data = labelled(dataset, shares=PRESETS["mobilenet-classifier"].shares)
    counted = {
        label: [int(((data.labels == label) & (data.parts == part)).sum()) for part in ("train", "test", "valid")]
        for label in ("warm", "cold")
    }
    assert counted == {"warm": [15, 2, 3], "cold": [15, 2, 3]}
    assert labelled(dataset, shares=PRESETS["mobilenet-classifier"].shares).digest == data.digest


def test_without_a_val_split_some_of_each_class_are_set_aside_and_the_same_ones_again(colours: list[Image]) -> None:
    data = labelled(Dataset.objects.get(), seed=3)
    assert sorted(data.labels[data.parts == "valid"]) == ["cold", "warm"]
    assert labelled(Dataset.objects.get(), seed=3).digest == data.digest


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": ""}, "No image of Colours outside the test split has a label"),
        ({"label": "warm"}, "All labelled images of Colours are 'warm'"),
        ({"status": "refused"}, "Colours has no image that can be used"),
        ({"split": "test"}, "No image of Colours outside the test split has a label"),
    ],
)
def test_what_cannot_be_learnt_from_is_turned_down_before_it_starts(
    colours: list[Image], change: dict[str, str], message: str
) -> None:
    Image.objects.update(**change)
    with pytest.raises(CommandError, match=message):
        call_command("train_encoder", preset="linear-head", dataset="colours")
    assert Encoder.objects.count() == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "No Name"}, "'No Name' cannot name an encoder"),
        ({"name": "colours"}, "The name colours is taken"),
        ({"name": "vit_b16"}, "The name vit_b16 is taken"),
        ({"dataset": "nowhere"}, "There is no dataset 'nowhere'"),
        ({"backbone": "nothing"}, "There is no encoder named 'nothing'"),
        ({"dim": 0}, "The numbers of a vector are from 1 to 4,000; got 0"),
        ({"shrinkage": 2.0}, "A shrinkage is above 0"),
        ({"preset": "metric-pairs", "temperature": 0.0}, "--temperature must be above 0 and below 100; got 0.0"),
        ({"preset": "metric-pairs", "n_trainable_layers": -5}, "--n-trainable-layers must be from 0 to 10,000; got -5"),
        ({"preset": "conv-autoencoder", "input_size": 100}, "--input-size must be a multiple of 16"),
        ({"preset": "vgg16", "from_scratch": True, "input_size": 50}, "--input-size must be a multiple of 32 to train"),
        ({"preset": "vgg16"}, "There is no encoder named 'vgg16'"),
        ({"method": "pca", "dim": 99}, "Nothing can be fitted: from 12 vectors 1 to 11 directions"),
    ],
)
def test_words_that_make_no_sense_are_an_error_of_one_line(
    colours: list[Image], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(CommandError, match=message):
        call_command("train_encoder", **{"preset": "linear-head", "dataset": "colours", **options})


def test_another_input_size_than_the_backbones_takes_a_start_from_scratch(
    encoder: Encoder, colours: list[Image]
) -> None:
    encoder.folder.mkdir(parents=True)
    (encoder.folder / "colours.keras").touch()
    with pytest.raises(CommandError, match="colours takes pictures of 32; another --input-size takes --from-scratch"):
        call_command("train_encoder", preset="fine-tune", dataset="colours", input_size=64)


def test_images_that_the_backbone_has_not_embedded_are_asked_for_first(
    colours: list[Image], add_image: AddImage
) -> None:
    Embedding.objects.filter(image=colours[0]).delete()
    with pytest.raises(CommandError, match="colours has embedded 11 of the 12 images"):
        call_command("train_encoder", preset="linear-head", dataset="colours")
    assert Job.objects.get(kind="train").state == Job.State.FAILED


def test_a_child_that_is_killed_while_embedding_is_an_error_of_one_line(
    colours: list[Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: Any, **__: Any) -> None:
        raise EmbeddingStopped("A process was killed. Run it again to go on.")

    monkeypatch.setattr(filling, "fill", killed)
    with pytest.raises(CommandError, match="A process was killed"):
        call_command("train_encoder", preset="linear-head", dataset="colours")


def test_a_head_on_a_head_is_refused(colours: list[Image], capsys: pytest.CaptureFixture[str]) -> None:
    train(capsys, name="warmth")
    with pytest.raises(CommandError, match="warmth is a linear head itself"):
        train(capsys, backbone="warmth")


def test_a_name_that_a_training_has_is_not_given_to_another(colours: list[Image]) -> None:
    wanted = Wanted(preset="linear-head", dataset=Dataset.objects.get())
    first, second = running.begin(wanted), running.begin(wanted)
    assert first.parameters["name"] == "colours-colours-head"
    assert second.parameters["name"] == "colours-colours-head-2"
    jobs.fail(first, "It was killed.")
    assert running.begin(wanted).parameters["name"] == "colours-colours-head"


def test_a_head_without_a_row_leaves_no_files(
    colours: list[Image], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(Encoder.objects, "create", lambda **_: (_ for _ in ()).throw(DataError("no number")))
        with pytest.raises(DataError):
            train(capsys, name="warmth")
    assert train(capsys, name="warmth")["encoder"] == "warmth"


def test_a_name_tells_nothing_of_a_private_dataset(colours: list[Image]) -> None:
    dataset = Dataset.objects.get()
    Dataset.objects.update(is_public=False)
    dataset.refresh_from_db()
    job = running.begin(Wanted(preset="linear-head", dataset=dataset))
    assert job.parameters["name"] == f"colours-dataset-{dataset.pk}-head"


def test_a_free_name_is_made_of_what_there_is(encoder: Encoder) -> None:
    assert running.free_name("", "Net-Ümlaut & Co-head") == "net-mlaut-co-head"
    with pytest.raises(CannotTrain):
        running.free_name("-x", "y")
