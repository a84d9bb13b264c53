"""Jobs that embed what an encoder lacks: made, handed to the workers batch by batch, and ended when nothing is missing.

While the workers embed, nobody waits for them: each batch counts itself, the last one ends the job, and the sweeper
sends again what the queue lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import F
from django.db.models.functions import Now

from search import embedding, encoders
from search.models import Dataset, Encoder, Image, Job, Refusal
from search.work import jobs, missing, queue

# A batch takes seconds: where two sweeps, a minute apart, find nothing moved, what is left cannot be embedded.
_MOST_STILL = 2


def begin(encoder: Encoder, dataset_ids: Sequence[int] | None, owner: Any = None) -> Job:
    """Make the job that embeds what an encoder lacks in some datasets; None for all that are not in the trash."""
    names = Dataset.objects.filter(pk__in=dataset_ids or ()).values_list("name", flat=True)
    job = jobs.begin(Job.Kind.EMBED, {"encoder": encoder.name} | ({"datasets": list(names)} if names else {}), owner)
    job.progress = {"dataset_ids": None if dataset_ids is None else list(dataset_ids)}
    job.save(update_fields=["progress"])
    return job


def ask(encoder: Encoder, dataset_ids: Sequence[int] | None, owner: Any = None) -> Job:
    """Leave such a job to the workers and return it. A message that is lost is sent again by the sweeper."""
    job = begin(encoder, dataset_ids, owner)
    jobs.leave(job)
    queue.send_upkeep(job.pk)
    return job


def live(encoder: Encoder) -> Job | None:
    """Return the job that embeds with an encoder now, if there is one."""
    return Job.objects.filter(kind=Job.Kind.EMBED, parameters__encoder=encoder.name).exclude(state__in=Job.OVER).first()


def hand_over(job: Job, encoder: Encoder, image_ids: list[int], *, n_total: int) -> None:
    """Send images to the workers, who end the job. n_total: how many it had to embed, done or not."""
    jobs.move_on(job, n_done=n_total - len(image_ids), n_failed=0, n_total=n_total)
    jobs.wait_for_embeddings(job)
    if image_ids:
        missing.send(encoder, image_ids, job.pk)
    else:
        job.refresh_from_db()
        settle(job)


def embed(encoder: Encoder, image_ids: Sequence[int], job_id: int) -> None:
    """Embed a batch of a job, and count it; nothing where the job was stopped. The last batch ends the job."""
    job = _waiting(job_id)
    if job is None:
        return
    try:
        outcome = embedding.embed(encoder, image_ids)
    except encoders.NoEncoder as error:
        jobs.fail(job, str(error), is_for_good=True)
        return
    _note(job, outcome.refused)
    # Another batch may have ended the job meanwhile, with all that is there.
    Job.objects.filter(pk=job_id, state=Job.State.EMBEDDING).update(
        n_done=F("n_done") + outcome.n_embedded, n_failed=job.refusals.count(), heartbeat_at=Now()
    )
    job.refresh_from_db()
    if job.n_done + job.n_failed >= job.n_total:
        settle(job)


def _waiting(job_id: int) -> Job | None:
    return Job.objects.filter(pk=job_id, kind=Job.Kind.EMBED, state=Job.State.EMBEDDING).first()


def _note(job: Job, refused: Sequence[embedding.Refused]) -> None:
    """Keep what could not be embedded and why; a batch that is sent twice says it once."""
    sources = dict(Image.objects.filter(pk__in=[one.image_id for one in refused]).values_list("pk", "source"))
    for one in refused:
        if one.image_id in sources:
            facts = {"source": sources[one.image_id], "code": one.code}
            Refusal.objects.get_or_create(job=job, **facts, defaults={"reason": one.reason})


def settle(job: Job) -> bool:
    """End a job that lacks nothing but what cannot be read, else correct its counts; return whether this call ended it.

    Images that came in meanwhile are missing too, and are counted to it.
    """
    encoder = Encoder.objects.filter(name=job.parameters["encoder"]).first()
    if encoder is None or job.is_cancelled:
        gone = f"{job.parameters['encoder']} is gone."
        jobs.fail(job, gone if encoder is None else jobs.STOPPED_EMBEDDING, is_for_good=True)
        return True
    lacking, n_failed = missing.missing(encoder, job.progress.get("dataset_ids")), job.refusals.count()
    # Those that were ready are missing still when they were refused, and those that waited are not.
    untried = lacking.exclude(source__in=job.refusals.values("source")) if n_failed else lacking
    n_left = untried.count()
    if not n_left:
        return _end(job, encoder, lacking.count())
    n_total = max(job.n_total, n_left + n_failed)
    jobs.move_on(job, n_done=n_total - n_left - n_failed, n_failed=n_failed, n_total=n_total)
    return False


def _end(job: Job, encoder: Encoder, n_left: int) -> bool:
    n_failed = max(n_left, job.refusals.count())
    n_done = max(0, job.n_total - n_failed)
    is_ended = jobs.finish(job, told(n_done, encoder, n_failed), n_done=n_done, n_failed=n_failed)
    if is_ended:
        queue.send_after_load(encoder.pk)
    return is_ended


def told(n_done: int, encoder: Encoder, n_failed: int) -> str:
    """Return what came of a job, in words."""
    failed = f" Not embedded: {n_failed:,}." if n_failed else ""
    return f"Embedded with {encoder.name}: {n_done:,}.{failed}"


def sweep() -> int:
    """End the jobs that are through, and send again what the queue lost of the others; return how many ended."""
    n_ended = 0
    for job in Job.objects.filter(kind=Job.Kind.EMBED, state=Job.State.EMBEDDING):
        encoder = Encoder.objects.filter(name=job.parameters["encoder"]).first()
        if settle(job):
            n_ended += 1
        elif encoder is not None and queue.n_waiting(missing.turn_of(encoder)) == 0:
            n_ended += _push_on(job, encoder)
    return n_ended


def _push_on(job: Job, encoder: Encoder) -> bool:
    """Send what is missing once more, or end a job that does not move; return whether this ended it."""
    ids = missing.missing_ids(encoder, job.progress.get("dataset_ids"))
    n_still = job.progress.get("n_still", 0) + 1 if job.progress.get("n_left") == len(ids) else 0
    if n_still >= _MOST_STILL:
        return _end(job, encoder, len(ids))
    Job.objects.filter(pk=job.pk).update(progress=job.progress | {"n_left": len(ids), "n_still": n_still})
    missing.send(encoder, ids, job.pk)
    return False
