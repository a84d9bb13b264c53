"""What an encoder lacks is embedded as a job: counted by its batches, stopped, ended, and gone on with after a loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command

from search import embedding, encoders, tasks
from search.models import Dataset, Embedding, Encoder, Image, Job
from search.work import embedding_jobs, filling, jobs, missing, reconciling

AddImage = Callable[..., Image]
Work = Callable[[], None]


@pytest.fixture
def lacking(add_image: AddImage, other: Encoder, monkeypatch: Any) -> list[Image]:
    """Five images that the other encoder has not embedded, sent two a message."""
    monkeypatch.setattr(missing, "BATCH_SIZE", 2)
    return [add_image(colour) for colour in ("red", "green", "blue", "white", "black")]


@pytest.fixture
def lost(monkeypatch: Any) -> None:
    """The queue, which has lost everything."""
    monkeypatch.setattr(reconciling.queue, "n_waiting", lambda *_: 0)


def n_embedded(encoder: Encoder) -> int:
    return Embedding.objects.filter(encoder=encoder).count()


def now(job: Job) -> tuple[str, int, int, int]:
    job.refresh_from_db()
    return job.state, job.n_done, job.n_failed, job.n_total


def test_each_batch_counts_and_the_last_one_ends_it(lacking: list[Image], other: Encoder, sent: list[Any]) -> None:
    job = embedding_jobs.ask(other, None)
    assert sent == [("search.tasks.upkeep", [job.pk])]
    tasks.upkeep(job.pk)
    messages = sent[1:]
    assert [len(arguments[1]) for _, arguments in messages] == [2, 2, 1]
    assert now(job) == ("embedding", 0, 0, 5)
    tasks.embed(*messages[0][1])
    assert now(job) == ("embedding", 2, 0, 5)
    tasks.embed(*messages[0][1])  # a message that comes twice
    assert now(job) == ("embedding", 2, 0, 5)
    for _, arguments in messages[1:]:
        tasks.embed(*arguments)
    assert now(job) == ("done", 5, 0, 5)
    assert job.message == "Embedded with other: 5."
    assert sent[-1][0] == "search.tasks.after_load"
    assert n_embedded(other) == 5


def test_only_the_datasets_that_were_chosen(
    lacking: list[Image], other: Encoder, add_image: AddImage, work: Work
) -> None:
    chosen = Dataset.objects.create(name="Chosen")
    add_image("red", dataset=chosen)
    job = embedding_jobs.ask(other, [chosen.pk])
    work()
    assert now(job) == ("done", 1, 0, 1)
    assert job.parameters == {"encoder": "other", "datasets": ["Chosen"]}


def test_stopped_the_batches_that_wait_do_nothing(lacking: list[Image], other: Encoder, sent: list[Any]) -> None:
    job = embedding_jobs.ask(other, None)
    tasks.upkeep(job.pk)
    tasks.embed(*sent[1][1])
    assert jobs.cancel(job)
    tasks.embed(*sent[2][1])
    assert now(job) == ("failed", 2, 0, 5)
    assert job.message == "Stopped. What was embedded stays."
    assert n_embedded(other) == 2


def test_what_cannot_be_read_is_told_and_does_not_hold_it_up(lacking: list[Image], other: Encoder, work: Work) -> None:
    lacking[0].original.unlink()
    job = embedding_jobs.ask(other, None)
    work()
    assert now(job) == ("done", 4, 1, 5)
    assert job.message == "Embedded with other: 4. Not embedded: 1."
    assert [one.source for one in job.refusals.all()] == ["colours/red.png"]


def test_what_the_queue_lost_is_sent_again(
    lacking: list[Image], other: Encoder, sent: list[Any], work: Work, lost: None
) -> None:
    job = embedding_jobs.ask(other, None)
    tasks.upkeep(job.pk)
    sent.clear()
    reconciling.reconcile()
    work()
    assert now(job) == ("done", 5, 0, 5)


def test_one_that_does_not_move_ends_and_says_so(
    lacking: list[Image], other: Encoder, sent: list[Any], lost: None
) -> None:
    job = embedding_jobs.ask(other, None)
    tasks.upkeep(job.pk)
    tasks.embed(*sent[1][1])
    n_sweeps = 0
    while now(job)[0] == "embedding" and n_sweeps < 10:
        reconciling.reconcile()
        n_sweeps += 1
    assert n_sweeps == 3
    assert now(job) == ("done", 2, 3, 5)


def test_images_that_came_in_meanwhile_are_counted_to_it(
    lacking: list[Image], other: Encoder, add_image: AddImage, sent: list[Any], work: Work, lost: None
) -> None:
    job = embedding_jobs.ask(other, None)
    tasks.upkeep(job.pk)
    sent.pop(0)
    add_image("yellow")
    work()
    assert now(job)[0] == "embedding"
    reconciling.reconcile()
    work()
    assert now(job)[0] == "done"
    assert n_embedded(other) == 6


def test_it_ends_where_the_encoder_cannot_be_used(
    lacking: list[Image], other: Encoder, sent: list[Any], monkeypatch: Any
) -> None:
    job, second = embedding_jobs.ask(other, None), embedding_jobs.ask(other, None)
    tasks.upkeep(job.pk)
    monkeypatch.setattr(encoders, "network", lambda _: (_ for _ in ()).throw(encoders.NoEncoder("Its files are gone.")))
    tasks.embed(*sent[2][1])
    assert (now(job)[0], job.message) == ("failed", "Its files are gone.")
    tasks.upkeep(second.pk)
    assert (now(second)[0], second.message) == ("failed", "Its files are gone.")


def test_nothing_missing_is_done_at_once(embedded: list[Image], other: Encoder, work: Work) -> None:
    job = embedding_jobs.ask(other, None)
    work()
    assert now(job) == ("done", 0, 0, 0)


def test_the_command_can_be_stopped_on_the_page_of_its_job(
    lacking: list[Image], other: Encoder, monkeypatch: Any
) -> None:
    embed = embedding.embed

    def embed_and_stop(*arguments: Any) -> embedding.Outcome:
        jobs.cancel(Job.objects.get())
        return embed(*arguments)

    monkeypatch.setattr(embedding, "embed", embed_and_stop)
    monkeypatch.setattr(filling.LocalWorkers, "is_done", _one_batch_a_look)
    with pytest.raises(Exception, match=r"Stopped\. What was embedded stays\."):
        call_command("embed_images", encoder="other", sync=True)
    assert Job.objects.get().state == "failed"
    assert n_embedded(other) == 2


def _one_batch_a_look(local: Any) -> bool:
    batch, local._ids = local._ids[:2], local._ids[2:]
    local._n_embedded += embedding.embed(local._encoder, batch).n_embedded
    return not local._ids


def test_images_that_wait_are_not_mistaken_for_those_that_were_refused(
    add_image: AddImage, encoder: Encoder, sent: list[Any], work: Work, monkeypatch: Any
) -> None:
    monkeypatch.setattr(missing, "BATCH_SIZE", 2)
    lost = [add_image(colour, embedded=False) for colour in ("red", "green")]
    for colour in ("blue", "white", "black"):
        add_image(colour, embedded=False)
    for one in lost:
        one.original.unlink()
    job = embedding_jobs.ask(encoder, None)
    tasks.upkeep(job.pk)
    first, *rest = [message for message in sent if message[0] == "search.tasks.embed"]
    tasks.embed(*first[1])
    job.refresh_from_db()
    assert not embedding_jobs.settle(job)
    assert now(job) == ("embedding", 0, 2, 5)
    for _, arguments in rest:
        tasks.embed(*arguments)
    assert now(job) == ("done", 3, 2, 5)
    assert n_embedded(encoder) == 3
