"""Training with the marks of searches: with labels and without, what is told of it, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from embeddings.encoder import Encoder as Network
from search import encoders
from search.judging import marks
from search.models import Encoder, Image, Job
from search.work import queue
from tests.fakes import ColourNetwork

AddImage = Callable[..., Image]
WARM = ["red", "orange", "orangered", "tomato", "coral", "firebrick"]
COLD = ["blue", "cyan", "navy", "teal", "royalblue", "steelblue"]


@pytest.fixture
def images(encoder: Encoder, add_image: AddImage, settings: Any, tmp_path: Any, monkeypatch: Any) -> list[Image]:
    """Twelve images without labels, warm ones first, and a fake network below the heads."""
    settings.ENCODERS_ROOT = tmp_path / "encoders"

    def network(row: Encoder) -> Any:
        return Network.load(row.folder, backbone=ColourNetwork()) if row.spec.get("backbone") else ColourNetwork()

    made = [add_image(colour) for colour in WARM + COLD]
    monkeypatch.setattr(encoders, "network", network)
    return made


def mark(images: list[Image], n: int) -> None:
    """Keep n searches that call warm like warm, cold like cold, and the two unlike."""
    ids = [image.pk for image in images]
    for place in range(n):
        like, unlike = (place + 1) % 6 + place // 6 * 6, (place + 6) % 12
        marks.keep([ids[like]], [ids[unlike]], [ids[place]], None)


def label(images: list[Image]) -> None:
    for place, image in enumerate(images):
        Image.objects.filter(pk=image.pk).update(label="warm" if place < 6 else "cold")


def train(capsys: pytest.CaptureFixture[str], **options: Any) -> Any:
    call_command("train_encoder", preset="linear-head", dataset="colours", feedback=True, json=True, **options)
    return json.loads(capsys.readouterr().out)


def test_marks_alone_make_an_encoder(images: list[Image], capsys: pytest.CaptureFixture[str]) -> None:
    mark(images, 12)
    report = train(capsys, name="taste")
    told = report["feedback"]
    assert (report["encoder"], report["embedded"], told["n_searches"], told["n_triplets"]) == ("taste", 12, 12, 12)
    assert (told["n_alike"], told["n_unlike"]) == (12, 18)
    assert told["low"] <= told["difference"] <= told["high"]
    encoder = Encoder.objects.get(name="taste")
    assert encoder.spec["training"]["feedback"] == told
    assert "12 images and 12 searches of feedback of Colours" in encoder.spec["description"]
    call_command("search_image", str(images[0].original), encoder="taste", k="6", json=True)
    assert json.loads(capsys.readouterr().out)["hits"][0]["id"] == images[0].pk


def test_marks_come_beside_labels_where_most_images_have_one(
    images: list[Image], capsys: pytest.CaptureFixture[str]
) -> None:
    mark(images, 12)
    label(images)
    report = train(capsys)
    assert report["n_classes"] == 2
    assert report["validation"]["map_after"] >= report["validation"]["map_of_labels"] - 0.01
    assert report["feedback"]["weight"] in (0.0, 0.25, 1.0, 4.0)


def test_a_few_labels_do_not_stand_for_all(images: list[Image], capsys: pytest.CaptureFixture[str]) -> None:
    mark(images, 12)
    label([*images[:2], *images[6:8]])
    report = train(capsys)
    assert "n_classes" not in report
    assert report["n_images"] == 12


def test_too_few_searches_say_how_many_are_needed(images: list[Image]) -> None:
    mark(images, 4)
    with pytest.raises(
        CommandError, match="10 searches with two alike images and an unlike one are needed, and there are 4"
    ):
        call_command("train_encoder", preset="linear-head", dataset="colours", feedback=True)
    assert Job.objects.get().state == "failed"


def test_marks_of_test_images_are_not_learnt_from(images: list[Image]) -> None:
    mark(images, 12)
    Image.objects.filter(pk__in=[image.pk for image in images[:3]]).update(split="test")
    with pytest.raises(CommandError, match="are needed, and there are"):
        call_command("train_encoder", preset="linear-head", dataset="colours", feedback=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"preset": "metric-pairs"}, "metric-pairs does not learn from feedback. The recipe that does: linear-head."),
        ({"preset": "linear-head", "method": "pca"}, "Feedback goes with the method discriminant, not with pca."),
        ({"preset": "linear-head", "shrinkage": 0.5}, "are chosen by what held-out searches say"),
    ],
)
def test_feedback_goes_with_one_recipe(images: list[Image], options: dict[str, Any], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        call_command("train_encoder", dataset="colours", feedback=True, **options)


def test_the_command_says_when_it_may_be_chance(images: list[Image], capsys: pytest.CaptureFixture[str]) -> None:
    mark(images, 12)
    call_command("train_encoder", preset="linear-head", dataset="colours", feedback=True)
    told, facts = capsys.readouterr().out, Encoder.objects.get(name="colours-colours-head").spec["training"]
    assert "Trained with 12 searches of feedback. Of held-out searches it orders" in told
    assert ("may be chance" in told) != facts["feedback"]["is_real"]


def test_the_page_asks_for_feedback_and_the_encoder_shows_what_came_of_it(
    images: list[Image], admin_client: Client, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mark(images, 12)
    monkeypatch.setattr(queue, "send_train", lambda job: None)
    assert 'name="feedback"' in admin_client.get("/train/").text
    admin_client.post("/train/", {"dataset": "colours", "preset": "linear-head", "feedback": "on"})
    assert Job.objects.get(kind="train").parameters["feedback"] is True
    train(capsys, name="taste")
    page = admin_client.get("/encoders/taste/").text
    assert "Trained with 12 searches of feedback." in page
    assert "triplets (query, like, unlike) rightly" in page
