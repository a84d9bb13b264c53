"""Another encoder becomes the default: what changes is said before, and the way back is offered after."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from search import embedding, encoders, tasks
from search.models import Dataset, Embedding, Encoder, Evaluation, Image
from search.reports import switching
from search.work import reconciling

AddImage = Callable[..., Image]
Work = Callable[[], None]


@pytest.fixture
def evaluated(add_image: AddImage, other: Encoder) -> None:
    """Both encoders, evaluated on the same four labelled images; the other one lacks a fifth."""
    for colour, label in (("red", "warm"), ("orange", "warm"), ("blue", "cold"), ("navy", "cold")):
        add_image(colour, label=label)
    call_command("embed_images", encoder="other", sync=True)
    call_command("evaluate_search", dataset="colours")
    call_command("evaluate_search", dataset="colours", encoder="other")
    add_image("green", dataset=Dataset.objects.create(name="New"))


def test_the_page_says_what_changes(evaluated: None, other: Encoder, encoder: Encoder, admin_client: Client) -> None:
    page = re.sub(r"<[^>]+>", " ", admin_client.get("/encoders/other/default/").text)
    words = " ".join(page.split())
    assert "Embedded 5 of 5 4 of 5" in words
    assert "New (1)" in words
    assert "Colours 1.000 → 1.000 1.000 → 1.000" in words
    (change,) = switching.changes(encoder, other, Evaluation.objects.all())
    assert (change.before.name, change.after.name) == ("colours", "other")
    assert change.measures[0] == (1.0, 1.0)


def test_evaluations_of_other_pictures_are_not_compared(
    evaluated: None, other: Encoder, encoder: Encoder, admin_client: Client
) -> None:
    Evaluation.objects.filter(encoder=other).update(pictures_sha256="9" * 64)
    assert switching.changes(encoder, other, Evaluation.objects.all()) == []
    assert "No evaluation of both on the same pictures" in admin_client.get("/encoders/other/default/").text


def test_the_message_leads_back(other: Encoder, encoder: Encoder, admin_client: Client) -> None:
    page = admin_client.post("/encoders/other/default/", follow=True).text
    assert encoders.default() == other
    (address,) = re.findall(r'<form class="inline" action="([^"]+)" method="post">', page)
    assert address == "/encoders/colours/default/"
    assert "Switch back to colours" in page
    page = admin_client.post(address, follow=True).text
    assert encoders.default() == encoder
    assert "Switch back to other" in page


def test_one_that_cannot_be_loaded_does_not_become_the_default(
    other: Encoder, encoder: Encoder, admin_client: Client, monkeypatch: Any
) -> None:
    gone = encoders.NoEncoder("Its files are gone.")
    monkeypatch.setattr(encoders, "network", lambda _: (_ for _ in ()).throw(gone))
    assert "Its files are gone." in admin_client.post("/encoders/other/default/", follow=True).text
    assert encoders.default() == encoder


def test_what_is_embedded_while_another_encoder_is_chosen_is_embedded_with_that_too(
    add_image: AddImage, encoder: Encoder, other: Encoder, sent: list[Any], work: Work, monkeypatch: Any
) -> None:
    images = [add_image("red", embedded=False), add_image("blue", embedded=False)]
    carry_out = embedding._embed

    def slow(*arguments: Any) -> embedding.Outcome:
        if encoders.default() != other:
            call_command("use_encoder", "other")
        return carry_out(*arguments)

    monkeypatch.setattr(embedding, "_embed", slow)
    monkeypatch.setattr(reconciling.queue, "n_waiting", lambda *_: 0)
    tasks.embed(encoder.pk, [image.pk for image in images])
    work()
    assert encoders.default() == other
    assert sorted(Embedding.objects.filter(encoder=other).values_list("image", flat=True)) == [one.pk for one in images]
