"""Evaluations as jobs: left to workers, stopped, lost and made again, and what is deleted meanwhile."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command

from search.evaluation import protocol, running
from search.evaluation.protocol import Protocol
from search.models import Dataset, Encoder, Evaluation, Image, Job
from search.work import jobs

AddImage = Callable[..., Image]
Capsys = pytest.CaptureFixture[str]


def evaluate(capsys: Capsys, **options: Any) -> dict[str, Any]:
    call_command("evaluate_search", dataset="colours", json=True, **options)
    (line,) = capsys.readouterr().out.splitlines()
    return json.loads(line)


def test_an_evaluation_is_a_job_that_is_done(divided: list[Image], capsys: Capsys) -> None:
    report = evaluate(capsys)
    job = Evaluation.objects.get(pk=report["evaluation"]).job
    assert job is not None
    assert (job.kind, job.state, job.n_done, job.n_failed) == ("evaluate", "done", 1, 0)
    assert job.message == "colours: mAP 1.000, precision@1 1.000."
    assert job.parameters["protocol"] == "test against train"


def test_it_can_be_left_to_the_workers(colours: list[Image], capsys: Capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []
    monkeypatch.setattr(running.queue, "send_evaluate", sent.append)
    report = evaluate(capsys, no_wait=True)
    assert sent == [report["job"]]
    assert Job.objects.get(pk=report["job"]).state == "waiting"
    running.carry_out_for_worker(report["job"])
    assert Job.objects.get(pk=report["job"]).state == "done"
    # A message that comes twice finds nothing to do.
    running.carry_out_for_worker(report["job"])
    assert Evaluation.objects.count() == 1


def test_it_ends_where_somebody_stops_it(
    dataset: Dataset, encoder: Encoder, colours: list[Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = running.begin(Protocol(dataset=dataset, queries_dataset=dataset), [encoder.name])
    encoding = running.evaluating.timing.encoding

    def stop(*args: Any, **options: Any) -> dict[str, Any]:
        jobs.cancel(job)
        return encoding(*args, **options)

    monkeypatch.setattr(running.evaluating.timing, "encoding", stop)
    with pytest.raises(running.EvaluationStopped, match="What was evaluated before is kept"):
        running.carry_out(job, running.Bars(quiet=True))
    job.refresh_from_db()
    assert (job.state, job.message) == ("failed", "Stopped. What was evaluated before is kept.")
    assert not Evaluation.objects.exists()


def test_what_was_evaluated_before_a_stop_is_kept(
    dataset: Dataset, encoder: Encoder, colours: list[Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    Encoder.objects.create(name="later", family="fake", dim=12, weights_sha256="1" * 64)
    job = running.begin(Protocol(dataset=dataset, queries_dataset=dataset), [encoder.name, "later"])
    evaluate = running.evaluating.evaluate

    def stop_afterwards(*args: Any, **options: Any) -> Evaluation:
        done = evaluate(*args, **options)
        jobs.cancel(job)
        return done

    monkeypatch.setattr(running.evaluating, "evaluate", stop_afterwards)
    with pytest.raises(running.EvaluationStopped):
        running.carry_out(job, running.Bars(quiet=True))
    assert [one.encoder.name for one in Evaluation.objects.all()] == [encoder.name]


@pytest.mark.parametrize("what", ["dataset", "encoder"])
def test_what_is_deleted_while_it_is_evaluated_is_named(
    dataset: Dataset, encoder: Encoder, colours: list[Image], monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    job = running.begin(Protocol(dataset=dataset, queries_dataset=dataset), [encoder.name])
    plane = running.evaluating.describing.plane

    def delete(*args: Any) -> dict[str, Any]:
        drawn = plane(*args)
        {"dataset": Dataset, "encoder": Encoder}[what].objects.all().delete()
        return drawn

    monkeypatch.setattr(running.evaluating.describing, "plane", delete)
    with pytest.raises(protocol.CannotEvaluate, match=r"was (deleted|removed) while it was evaluated"):
        running.carry_out(job, running.Bars(quiet=True))
    job.refresh_from_db()
    assert job.state == "failed"


def test_the_same_encoder_is_evaluated_once(dataset: Dataset, encoder: Encoder, colours: list[Image]) -> None:
    job = running.begin(Protocol(dataset=dataset, queries_dataset=dataset), [encoder.name, encoder.name])
    assert job.parameters["encoders"] == [encoder.name]


def test_the_sweeper_sends_an_evaluation_again_that_the_queue_lost(
    colours: list[Image], capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    from search.work import reconciling

    sent: list[int] = []
    monkeypatch.setattr(reconciling.queue, "send_evaluate", sent.append)
    monkeypatch.setattr(reconciling.queue, "n_waiting", lambda *_: 0)
    job = jobs.begin("evaluate", {})
    jobs.leave(job)
    reconciling.reconcile()
    assert sent == [job.pk]


def test_what_was_lost_with_its_worker_is_made_again_once(
    colours: list[Image], dataset: Dataset, encoder: Encoder
) -> None:
    wanted = protocol.chosen(Protocol(dataset=dataset, queries_dataset=dataset))
    job = running.begin(wanted, [encoder.name])
    running.carry_out(job, running.Bars(quiet=True))
    # As if the worker had died before it could say that it was done.
    Job.objects.filter(pk=job.pk).update(state="waiting")
    running.carry_out_for_worker(job.pk)
    assert Evaluation.objects.filter(job=job).count() == 1
