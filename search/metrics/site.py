"""The site at the moment it is asked for, from rows, the broker and the disk: every process gives the same.

Counts only: names of datasets, labels and people may be private. Names of encoders are shown to every visitor anyway.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from django.conf import settings
from django.db import connection
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from search import encoders
from search.metrics import batches
from search.models import Encoder
from search.work import counting, queue

logger = logging.getLogger(__name__)


def collect() -> Iterator[Metric]:
    """Give what each part of the site tells; of a part that does not answer nothing but that it did not."""
    up = GaugeMetricFamily("imgsim_up", "Whether a part of the site could be read: 1 or 0.", labels=["part"])
    for part, read in _PARTS.items():
        try:
            found = list(read())
        except Exception:  # whatever a client raises: monitoring asks above all when a part is down
            logger.warning("%s cannot be read for /metrics.", part, exc_info=True)
            found = []
            up.add_metric([part], 0)
        else:
            up.add_metric([part], 1)
        yield from found
    yield up


def _rows() -> Iterator[Metric]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM search_image")
        (n_images,) = cursor.fetchone()
        cursor.execute(
            "SELECT count(*), extract(epoch FROM clock_timestamp() - min(created_at)) FROM search_image "
            "WHERE status = 'pending'"
        )
        n_pending, oldest_s = cursor.fetchone()
        cursor.execute("SELECT error_code, count(*) FROM search_image WHERE status = 'refused' GROUP BY error_code")
        refused = cursor.fetchall()
        cursor.execute("SELECT code, count(*) FROM search_refusal GROUP BY code")
        not_imported = cursor.fetchall()
        n_refused = sum(n for _, n in refused)
        by_status = {"pending": n_pending, "refused": n_refused, "ready": n_images - n_pending - n_refused}
        yield _gauge("imgsim_images", "Images by status, those in the trash too.", "status", by_status.items())
        yield GaugeMetricFamily(
            "imgsim_oldest_pending_seconds", "How long ago the oldest image that waits was added.", value=oldest_s or 0
        )
        yield _gauge("imgsim_images_refused", "Images that could not be embedded, by reason.", "code", refused)
        yield _gauge("imgsim_files_refused", "Files that imports could not take, by reason.", "code", not_imported)
        yield from _other_rows()


def _other_rows() -> Iterator[Metric]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT CASE WHEN trashed_at IS NOT NULL THEN 'trash' WHEN is_public THEN 'public' ELSE 'private' END, "
            "count(*) FROM search_dataset WHERE trash_of_id IS NULL GROUP BY 1"
        )
        yield _gauge("imgsim_datasets", "Datasets by who may see them.", "kind", cursor.fetchall())
        cursor.execute(
            "SELECT encoder.name, coalesce(sum(counted.n), 0)::bigint FROM search_encoder encoder "
            "LEFT JOIN search_embeddingcount counted ON counted.encoder_id = encoder.id GROUP BY encoder.name"
        )
        yield _gauge("imgsim_embeddings", "Vectors by encoder.", "encoder", cursor.fetchall())
        cursor.execute("SELECT kind, state, count(*) FROM search_job GROUP BY kind, state")
        found = GaugeMetricFamily("imgsim_jobs", "Jobs by kind and state.", labels=["kind", "state"])
        for kind, state, n in cursor.fetchall():
            found.add_metric([kind, state], n)
        yield found


def _broker() -> Iterator[Metric]:
    yield _gauge("imgsim_queue_messages", "Messages that wait for a worker.", "queue", queue.depths().items())
    last = counting.last_count()
    if last is None or last.is_old:
        counting.count_soon()  # for the next one who asks: the workers have a second to answer in
    if last is not None:
        yield GaugeMetricFamily("imgsim_workers", "Workers that embed and answered last time.", value=last.n)
        yield GaugeMetricFamily("imgsim_workers_asked_timestamp_seconds", "When that was.", value=last.asked_at)
    if (at := counting.swept_at()) is not None:
        yield GaugeMetricFamily("imgsim_last_sweep_timestamp_seconds", "When beat last had it swept.", value=at)
    yield from batches.collect()


def _disk() -> Iterator[Metric]:
    media = Path(settings.MEDIA_ROOT)
    usage = shutil.disk_usage(media if media.exists() else settings.VAR)
    yield GaugeMetricFamily("imgsim_media_free_bytes", "Free on the volume of the pictures.", value=usage.free)
    yield GaugeMetricFamily("imgsim_media_size_bytes", "Size of the volume of the pictures.", value=usage.total)


def _encoders() -> Iterator[Metric]:
    installed = GaugeMetricFamily("imgsim_encoder_installed", "Whether its files are there.", labels=["encoder"])
    loaded = GaugeMetricFamily("imgsim_encoder_loaded", "Whether this process has it loaded.", labels=["encoder"])
    default = GaugeMetricFamily("imgsim_encoder_default", "Whether searches are answered by it.", labels=["encoder"])
    for encoder in Encoder.objects.all():
        installed.add_metric([encoder.name], (encoder.folder / f"{encoder.name}.json").exists())
        loaded.add_metric([encoder.name], encoders.is_loaded(encoder))
        default.add_metric([encoder.name], encoder.is_default)
    yield from (installed, loaded, default)


def _gauge(name: str, what: str, label: str, values: Iterable[tuple[str, float]]) -> Metric:
    found = GaugeMetricFamily(name, what, labels=[label])
    for key, value in values:
        found.add_metric([key], value)
    return found


_PARTS: dict[str, Callable[[], Iterator[Metric]]] = {
    "database": _rows,
    "broker": _broker,
    "disk": _disk,
    "encoders": _encoders,
}
