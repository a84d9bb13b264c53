"""Evaluations from a request to rows: checked, recorded as a job that shows how far it is and can be stopped."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from search import encoders
from search.evaluation import evaluating, leaks, protocol
from search.evaluation.protocol import CannotEvaluate, Protocol
from search.models import Encoder, Evaluation, Job
from search.text import counted
from search.work import jobs, queue
from search.work.progress import Bars

logger = logging.getLogger(__name__)

_SECONDS_BETWEEN_LOOKS = 1.0


class EvaluationStopped(Exception):
    """Somebody stopped the evaluation. What was evaluated before is kept."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a job came to: an evaluation of each encoder that could be evaluated, and why others could not."""

    job: Job
    evaluations: list[Evaluation]
    left_out: dict[str, str]
    seconds: float


def begin(wanted: Protocol, names: Sequence[str], owner: Any = None) -> Job:
    """Check what is wanted and make its job. names: of encoders; none means all that are installed.

    Raises CannotEvaluate, encoders.NoEncoder.
    """
    wanted = protocol.chosen(wanted)
    every = Encoder.objects.values_list("name", flat=True)
    chosen = list(dict.fromkeys(encoders.by_name(name).name for name in names)) or list(every)
    if not chosen:
        raise CannotEvaluate("No encoder is installed yet. Run: manage.py install_encoder mobilenet_v2")
    protocol.sides(wanted)
    parameters = wanted.as_parameters() | {"protocol": wanted.in_words(), "encoders": chosen}
    return jobs.begin(Job.Kind.EVALUATE, parameters, owner)


def carry_out(job: Job, bars: Bars) -> Report:
    """Evaluate what a job asks for, one encoder after the other. One that cannot be evaluated does not stop the others.

    Raises CannotEvaluate where none can be, EvaluationStopped.
    """
    started = time.monotonic()
    with jobs.failing(job, by_hand="Stopped by hand."):
        wanted = protocol.from_parameters(job.parameters)
        evaluations, left_out = _each(job, wanted, bars)
        if not evaluations:
            raise CannotEvaluate(" ".join(left_out.values()))
        told = [f"{one.encoder.name}: {_main_figure(one)}" for one in evaluations]
        jobs.finish(job, ". ".join([*told, *left_out.values()]).removesuffix(".") + ".")
    job.refresh_from_db()
    return Report(job=job, evaluations=evaluations, left_out=left_out, seconds=time.monotonic() - started)


def _each(job: Job, wanted: Protocol, bars: Bars) -> tuple[list[Evaluation], dict[str, str]]:
    sides = protocol.sides(wanted)
    chosen = _in_order(job.parameters["encoders"])
    total = len(chosen) * len(sides.queries)
    jobs.move_on(job, n_done=0, n_failed=0, n_total=total)
    bars.move("evaluating", 0, total, "looking for near-duplicates")
    found = leaks.find(sides)
    evaluations: list[Evaluation] = []
    left_out = {name: f"{name} is gone" for name in job.parameters["encoders"] if name not in {e.name for e in chosen}}
    for place, encoder in enumerate(chosen):
        tell = _Teller(job, bars, encoder.name, done=place * len(sides.queries), total=total, failed=len(left_out))
        tell.look()
        try:
            evaluations.append(evaluating.evaluate(encoder, sides, found, job=job, tell=tell))
        except (CannotEvaluate, encoders.NoEncoder) as error:
            left_out[encoder.name] = str(error).removesuffix(".")
    jobs.move_on(job, n_done=len(evaluations), n_failed=len(left_out), n_total=len(evaluations) + len(left_out))
    return evaluations, left_out


def _in_order(names: list[str]) -> list[Encoder]:
    known = {one.name: one for one in Encoder.objects.filter(name__in=names)}
    return [known[name] for name in names if name in known]


class _Teller:
    """Tells how far an evaluation is, and notices when somebody wants it to end; once a second at most."""

    def __init__(self, job: Job, bars: Bars, name: str, *, done: int, total: int, failed: int) -> None:
        self._job, self._bars, self._name = job, bars, name
        self._done, self._total, self._failed = done, total, failed
        self._looked_at = 0.0
        self._n_queries = 0

    def __call__(self, n_queries: int) -> None:
        now = time.monotonic()
        if now - self._looked_at < _SECONDS_BETWEEN_LOOKS:
            return
        self._looked_at = now
        self._n_queries = n_queries
        self.look()

    def look(self) -> None:
        """Show how far it is, and raise EvaluationStopped where somebody wants it to end."""
        done = self._done + self._n_queries
        jobs.move_on(self._job, n_done=done, n_failed=self._failed, n_total=self._total)
        told = f"{self._name}, {counted(self._n_queries, 'query', 'queries')} ranked"
        self._bars.move("evaluating", done, self._total, told)
        if jobs.is_cancelled(self._job.pk):
            raise EvaluationStopped("Stopped. What was evaluated before is kept.")


def _main_figure(evaluation: Evaluation) -> str:
    if not evaluation.metrics:
        return str(evaluation.details["why_no_figures"]).removesuffix(".")
    return f"mAP {evaluation.metrics['map']:.3f}, precision@1 {evaluation.metrics['precision@1']:.3f}"


def carry_out_for_worker(job_id: int) -> None:
    """Evaluate what a job asks for. Why it cannot be done stands in the job."""
    job = jobs.take(job_id)
    if job is None:
        return
    jobs.count_start(job)
    # Those of a worker that was killed: all are made again.
    Evaluation.objects.filter(job=job).delete()
    try:
        carry_out(job, Bars(quiet=True))
    except (CannotEvaluate, EvaluationStopped) as error:
        logger.warning("Evaluation %d ended: %s", job_id, error)


def send(job: Job) -> None:
    """Leave an evaluation to the workers; a message that is lost is sent again by the sweeper."""
    jobs.leave(job)
    queue.send_evaluate(job.pk)
