"""What workers do. Each task takes ids, calls one function, and can be run twice."""

import logging

from billiard.exceptions import WorkerLostError
from celery import shared_task
from celery.signals import task_failure, task_prerun, worker_init, worker_process_init, worker_ready
from django.conf import settings
from django.db import close_old_connections

from embeddings.images import isolation
from search import embedding, encoders
from search.evaluation import running as evaluation
from search.ingest import archives
from search.models import Encoder
from search.quality import auditing
from search.reviewing import running as duplicates
from search.training import running
from search.work import answering, counting, embedding_jobs, queue, reconciling  # noqa: F401 -- the first answers by itself
from search.work import upkeep as upkeeping

logger = logging.getLogger(__name__)


@worker_init.connect
def encode_on_the_chosen_processor(**_: object) -> None:
    """Let the worker, and the children that it will have, encode on a GPU where the settings say so."""
    encoders.use_processor(settings.EMBED_ON)


@worker_process_init.connect
def encode_with_one_thread(**_: object) -> None:
    """Let each child of a worker encode on one core: there are as many children as cores."""
    encoders.use_threads(1)


@worker_process_init.connect
def decode_under_limits(**_: object) -> None:
    """Hold each child to what a picture may take. One that ends by it is started anew, and its pictures go on."""
    isolation.decode_under_limits()


@worker_ready.connect
def sweep_at_once(**_: object) -> None:
    """Have what an earlier worker held sent again, and not only in a minute."""
    queue.send_sweep()


@task_failure.connect
def sweep_after_a_loss(exception: BaseException | None = None, **_: object) -> None:
    """Have what a child held that is gone sent again, and not only in a minute."""
    if isinstance(exception, WorkerLostError):
        queue.send_sweep()


@task_prerun.connect
def check_connection(**_: object) -> None:
    """Have Django look whether the connection that a child keeps between tasks still answers."""
    close_old_connections()


@shared_task
def embed(encoder_id: int, image_ids: list[int], job_id: int | None = None) -> None:
    """Embed a batch of images, of a job where one is named."""
    encoder = Encoder.objects.filter(pk=encoder_id).first()
    if encoder is not None and job_id is not None:
        embedding_jobs.embed(encoder, image_ids, job_id)
    elif encoder is not None:
        try:
            outcome = embedding.embed(encoder, image_ids)
        except encoders.NoEncoder as error:  # the sweeper sends them again when that is mended
            logger.warning("%d images wait: %s", len(image_ids), error)
            return
        if encoder.is_default and (outcome.n_embedded or outcome.n_refused):  # else it would only send them again
            reconciling.send_left(encoder)
            reconciling.send_to_another_default(encoder, image_ids)


@shared_task
def after_load(encoder_id: int) -> None:
    """Build the index that a load made worthwhile, then send the images to the other encoders."""
    encoder = Encoder.objects.filter(pk=encoder_id).first()
    if encoder is not None:
        reconciling.after_load(encoder)


@shared_task
def train(job_id: int) -> None:
    """Carry out a training that somebody has asked for."""
    running.carry_out_for_worker(job_id)


@shared_task
def evaluate(job_id: int) -> None:
    """Carry out an evaluation that somebody has asked for."""
    evaluation.carry_out_for_worker(job_id)


@shared_task
def upkeep(job_id: int) -> None:
    """Carry out what somebody wants done with an encoder."""
    upkeeping.carry_out(job_id)


@shared_task
def import_archive(job_id: int) -> None:
    """Import an archive that somebody has uploaded."""
    archives.carry_out_for_worker(job_id)


@shared_task
def find_duplicates(job_id: int) -> None:
    """Look for the duplicates that somebody has asked for."""
    duplicates.carry_out_for_worker(job_id)


@shared_task
def audit_indexes() -> None:
    """Compare what the indexes find with what there is to find, each once a day."""
    auditing.audit_due()


@shared_task
def reconcile() -> None:
    """Send again what was lost on the way."""
    reconciling.reconcile()
    counting.note_sweep()
