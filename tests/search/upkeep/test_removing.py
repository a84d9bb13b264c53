"""An encoder goes with all that was made with it, and nothing else does."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from search import encoders, indexing
from search.encoders import removing
from search.models import Dataset, Embedding, Encoder, Evaluation, Image, Job
from search.neighbours import sizes
from search.work import reconciling

pytestmark = pytest.mark.django_db(transaction=True)  # an index is dropped outside transactions
Work = Callable[[], None]


@pytest.fixture
def evaluation(embedded: list[Image], other: Encoder, dataset: Dataset) -> Evaluation:
    return Evaluation.objects.create(
        encoder=other, dataset=dataset, queries_dataset=dataset, protocol={}, n_queries=3, n_gallery=3
    )


def n_vectors(encoder: Encoder) -> tuple[int, int]:
    """Return how many vectors there are, and how many are counted."""
    counted = sizes(encoder, Dataset.objects.values_list("pk", flat=True))
    return Embedding.objects.filter(encoder_id=encoder.pk).count(), sum(counted.values())


def test_all_of_it_goes_and_the_other_one_stays_as_it_is(
    evaluation: Evaluation, other: Encoder, encoder: Encoder, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    monkeypatch.setattr(removing, "_N_AT_ONCE", 2)
    indexing.build(other)
    indexing.build(encoder)
    call_command("remove_encoder", "other", yes=True, json=True)
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told == {"encoder": "other", "vectors": 3, "evaluations": 1, "bytes": 6}
    assert not Encoder.everything.filter(name="other").exists()
    assert not Evaluation.objects.exists()
    assert not other.folder.exists()
    assert not indexing.exists(other)
    assert n_vectors(other) == (0, 0)
    assert n_vectors(encoder) == (3, 3)
    assert indexing.is_valid(encoder)
    job = Job.objects.get(kind=Job.Kind.REMOVE)
    assert (job.state, job.n_done, job.message) == ("done", 3, "other is removed.")


def test_killed_half_way_it_is_out_of_use_and_goes_on(
    embedded: list[Image], other: Encoder, admin_client: Client, monkeypatch: Any
) -> None:
    monkeypatch.setattr(removing, "_N_AT_ONCE", 2)
    with monkeypatch.context() as patch:
        patch.setattr(removing, "_remove_files", lambda encoder: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(CommandError, match=r"Stopped\. Run it again: it goes on where it was\."):
            call_command("remove_encoder", "other", yes=True)
    page = admin_client.get(f"/?image={embedded[0].pk}&encoder=other")
    assert "other is being removed. Choose another encoder." in page.text
    with pytest.raises(encoders.NoEncoder, match="other is being removed"):
        encoders.set_default(other)
    assert encoders.default() != other
    assert "It is being removed, and answers no search." in admin_client.get("/encoders/other/").text
    with pytest.raises(CommandError, match="other is being removed"):
        call_command("search_image", str(embedded[0].original), encoder="other")
    call_command("remove_encoder", "other", yes=True)
    assert not Encoder.everything.filter(name="other").exists()


def test_the_page_says_what_goes_and_a_worker_removes_it(
    evaluation: Evaluation, other: Encoder, admin_client: Client, sent: list[Any], work: Work
) -> None:
    page = admin_client.get("/encoders/other/remove/").text
    assert "3 vectors" in page
    assert "6\xa0bytes" in page
    answer = admin_client.post("/encoders/other/remove/")
    job = Job.objects.get(kind=Job.Kind.REMOVE)
    assert answer["Location"] == job.get_absolute_url()
    assert sent == [("search.tasks.upkeep", [job.pk])]
    assert "is being removed already" in admin_client.get("/encoders/other/remove/").text
    assert admin_client.post("/encoders/other/remove/")["Location"] == job.get_absolute_url()
    work()
    job.refresh_from_db()
    assert (job.state, job.owner.username) == ("done", "admin")  # type: ignore[union-attr]  # it has one
    assert admin_client.get("/encoders/other/").status_code == 404


def test_a_message_that_was_lost_is_sent_again(other: Encoder, sent: list[Any], monkeypatch: Any) -> None:
    job = removing.ask(other)
    sent.clear()
    monkeypatch.setattr(reconciling.queue, "n_waiting", lambda *_: 0)
    reconciling.reconcile()
    assert ("search.tasks.upkeep", [job.pk]) in sent


def test_the_admin_leaves_it_to_the_workers_too(
    embedded: list[Image], other: Encoder, admin_client: Client, sent: list[Any], work: Work
) -> None:
    admin_client.post(f"/admin/search/encoder/{other.pk}/delete/", {"post": "yes"})
    work()
    assert not Encoder.everything.filter(name="other").exists()
    assert not other.folder.exists()


def test_the_default_one_stays(embedded: list[Image], encoder: Encoder, admin_client: Client) -> None:
    with pytest.raises(CommandError, match=r"colours cannot be removed: it is the default one\. Choose another one"):
        call_command("remove_encoder", "colours", yes=True)
    page = admin_client.post("/encoders/colours/remove/")
    assert page.status_code == 409
    assert "Make another encoder the default first." in page.text
    assert n_vectors(encoder) == (3, 3)
    assert not Job.objects.exists()


def test_what_heads_or_trainings_stand_on_stays(other: Encoder) -> None:
    job = Job.objects.create(kind=Job.Kind.TRAIN, parameters={"backbone": "other"})
    with pytest.raises(CommandError, match=rf"other cannot be removed: job {job.pk} trains on it\."):
        call_command("remove_encoder", "other", yes=True)
    job.delete()
    Encoder.objects.create(name="head", family="linear", dim=4, spec={"backbone": "other"}, weights_sha256="2" * 64)
    with pytest.raises(CommandError, match=r"other cannot be removed: it is the backbone of head\."):
        call_command("remove_encoder", "other", yes=True)


def test_without_yes_and_a_terminal_it_says_what_would_go(
    embedded: list[Image], other: Encoder, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    with pytest.raises(CommandError, match="add --yes"):
        call_command("remove_encoder", "other")
    assert "3 vectors, 0 evaluations and 0.0 MB of files go with other." in capsys.readouterr().out
    assert n_vectors(other) == (3, 3)
    with pytest.raises(CommandError, match="There is no encoder named 'nowhere'"):
        call_command("remove_encoder", "nowhere", yes=True)


def test_files_that_cannot_go_are_named(other: Encoder, monkeypatch: Any) -> None:
    refused = PermissionError(13, "Permission denied")
    monkeypatch.setattr(removing.shutil, "rmtree", lambda path: (_ for _ in ()).throw(refused))
    with pytest.raises(CommandError, match=r"other cannot be removed \(Permission denied\)\. Remove it by hand"):
        call_command("remove_encoder", "other", yes=True)
    assert Job.objects.get().state == "failed"


def test_one_of_that_name_that_came_since_is_not_meant(other: Encoder, sent: list[Any], work: Work) -> None:
    job = removing.ask(other)
    Encoder.everything.filter(pk=other.pk).update(is_being_removed=False)
    work()
    assert Encoder.objects.filter(name="other").exists()
    assert Job.objects.get(pk=job.pk).state == "done"


def test_only_who_may_delete_encoders_sees_the_page(other: Encoder, client: Client, django_user_model: Any) -> None:
    assert client.get("/encoders/other/remove/").status_code == 302
    client.force_login(django_user_model.objects.create_user("clerk", is_staff=True))
    assert client.post("/encoders/other/remove/").status_code == 403
    assert Encoder.objects.filter(name="other").exists()
