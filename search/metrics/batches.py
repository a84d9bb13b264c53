"""How long workers take for the pictures of a batch: summed up in Redis, because no web process sees theirs.

Sums since Redis was started; whoever reads them takes differences.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import cache

import redis
from django.conf import settings
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

logger = logging.getLogger(__name__)

_KEY = "imgsim:batches"
_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


def note(n_embedded: int, n_refused: int, seconds: float) -> None:
    """Add a batch to the sums. Where Redis is out of reach it is not counted, and nothing else happens."""
    if not n_embedded and not n_refused:
        return
    sums = _redis().pipeline(transaction=False)
    bucket = next((str(bound) for bound in _BUCKETS if seconds <= bound), "+Inf")
    sums.hincrby(_KEY, f"le {bucket}", 1)
    sums.hincrby(_KEY, "embedded", n_embedded)
    sums.hincrby(_KEY, "refused", n_refused)
    sums.hincrbyfloat(_KEY, "seconds", seconds)
    try:
        sums.execute()
    except redis.RedisError:
        logger.debug("Redis is out of reach: a batch is not counted.", exc_info=True)


def collect() -> Iterator[Metric]:
    """Give the sums. Raises redis.RedisError."""
    sums = {name: float(value) for name, value in _redis().hgetall(_KEY).items()}
    images = CounterMetricFamily("imgsim_batch_images", "Pictures of the batches of all workers.", labels=["outcome"])
    for outcome in ("embedded", "refused"):
        images.add_metric([outcome], sums.get(outcome, 0.0))
    yield images
    total, buckets = 0.0, []
    for bound in (*map(str, _BUCKETS), "+Inf"):
        total += sums.get(f"le {bound}", 0.0)
        buckets.append((bound, total))
    yield HistogramMetricFamily(
        "imgsim_batch_seconds",
        "Time of a batch of pictures, decoded, encoded and written, of all workers.",
        buckets=buckets,
        sum_value=sums.get("seconds", 0.0),
    )


@cache
def _redis() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, decode_responses=True, socket_timeout=5, socket_connect_timeout=2)
