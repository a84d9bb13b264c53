"""Whether an index still finds the nearest, kept over time, and what to do where it does not."""

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command
from django.test import Client

from search import indexing, vectors
from search.models import Dataset, Encoder, Image, IndexAudit
from search.quality import auditing
from search.work import reconciling


@pytest.fixture
def indexed(transactional_db: None) -> Encoder:
    """An encoder with 400 vectors and an index on them."""
    encoder = Encoder.objects.create(name="random", family="fake", dim=16, weights_sha256="0" * 64, is_default=True)
    dataset = Dataset.objects.create(name="Many")
    facts = {"source": "x.png", "format": "PNG", "width": 1, "height": 1, "n_bytes": 1, "status": "ready"}
    images = Image.objects.bulk_create(Image(dataset=dataset, sha256=f"{n:064d}", **facts) for n in range(400))
    found = np.random.default_rng(0).normal(size=(400, 16)).astype(np.float32)
    vectors.write(encoder, [image.pk for image in images], found)
    indexing.build(encoder)
    return encoder


def test_an_index_that_is_whole_finds_the_nearest(indexed: Encoder, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("audit_index", json=True)
    (found,) = json.loads(capsys.readouterr().out)["audits"]
    assert (found["encoder"], found["n_queries"], found["n_vectors"], found["k"]) == ("random", 50, 400, 10)
    assert found["recall"] > 0.98
    assert found["exact_ms"] > 0
    assert IndexAudit.objects.count() == 1


def test_an_index_that_misses_half_is_noticed_and_the_page_says_what_to_do(
    indexed: Encoder, monkeypatch: pytest.MonkeyPatch, admin_client: Client, client: Client
) -> None:
    nearest = auditing.neighbours.nearest

    def half_blind(*args: Any, **options: Any) -> Any:
        answer = nearest(*args, **options)
        if options["by"] == "index":
            del answer.hits[5:]
        return answer

    # Only here: what else searches while the patch holds must not keep it.
    monkeypatch.setattr(auditing, "neighbours", SimpleNamespace(nearest=half_blind))
    (found,) = auditing.audit_due()
    assert found.recall == pytest.approx(0.5, abs=0.02)
    advice = "manage.py build_index --encoder random --again"
    assert advice in auditing.advice(found)
    assert advice in admin_client.get("/encoders/random/").content.decode()
    public = client.get("/encoders/random/").content.decode()
    assert "That is less than it should be." in public
    assert advice not in public


def test_recall_is_drawn_over_time(indexed: Encoder, client: Client) -> None:
    auditing.audit(indexed)
    assert "Recall of the index over time" not in client.get("/encoders/random/").content.decode()
    auditing.audit(indexed)
    page = client.get("/encoders/random/").content.decode()
    assert "Recall of the index over time" in page
    assert "of the 10 nearest images" in page


def test_how_many_images_an_index_has_of_all_datasets_is_told_to_staff(
    indexed: Encoder, client: Client, admin_client: Client
) -> None:
    auditing.audit(indexed)
    told = "It has 400 images, and was asked with 50 of them."
    assert told in admin_client.get("/encoders/random/").text
    Dataset.objects.update(is_public=False)
    assert "400 images" not in client.get("/encoders/random/").text


def test_an_audit_of_the_index_as_it_is_stays_true_for_a_day(indexed: Encoder) -> None:
    first = auditing.current(indexed)
    assert auditing.current(indexed) == first
    Image.objects.all()[0].delete()
    assert auditing.current(indexed) != first


def test_an_index_of_a_few_vectors_is_too_small_to_be_audited(
    indexed: Encoder, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.objects.filter(pk__in=Image.objects.values("pk")[:392]).delete()
    call_command("audit_index")
    assert "random: its index holds too few vectors to be audited." in capsys.readouterr().out


def test_where_there_is_no_index_there_is_nothing_to_audit(
    encoder: Encoder, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("audit_index")
    assert "every search compares every image" in capsys.readouterr().out
    assert auditing.current(encoder) is None


def test_an_answer_through_the_index_says_how_much_that_finds(indexed: Encoder, client: Client, settings: Any) -> None:
    settings.EXACT_SEARCH_UP_TO = 100
    address = f"/?image={Image.objects.all()[0].pk}"
    assert "found through the index</li>" in client.get(address).content.decode()
    auditing.audit(indexed)
    assert "found through the index, which finds" in client.get(address).content.decode()


def test_an_index_that_was_just_built_is_audited(
    indexed: Encoder, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciling.queue, "n_waiting", lambda *_: 0)
    settings.EXACT_SEARCH_UP_TO = 100
    indexing.drop(indexed)
    reconciling.after_load(indexed)
    assert IndexAudit.objects.get().n_vectors == 400
