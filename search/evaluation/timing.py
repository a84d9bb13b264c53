"""What a search takes, measured on the site's own path: a picture's bytes to a vector, a vector to hits."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from embeddings import images
from embeddings.cores import available_cores
from embeddings.evaluation.ranking import Gallery
from search import encoders, neighbours
from search.asking import queries
from search.evaluation.protocol import Sides
from search.models import Encoder, Image
from search.neighbours import MAX_HITS, Scope

N_ENCODED = 60
N_SEARCHED = 200
SECONDS_ENCODING = 6.0
SECONDS_SEARCHING = 30.0
DEPTH = 10
_BATCH_SIZE = 32
# The database compares in single precision, in which vectors that nearly agree are equally near.
_AS_NEAR = 1e-6


def encoding(encoder: Encoder, image_ids: NDArray[np.int64], *, seed: int = 0) -> dict[str, Any]:
    """Time decoding and encoding of some of the images, one by one, and then a batch of them.

    Returns milliseconds of "decode" and "encode" and "images_per_s", all in this process and with as many threads as it
    uses; empty where no file could be read. Raises encoders.NoEncoder.
    """
    network = encoders.network(encoder)
    drawn = np.random.default_rng(seed).permutation(image_ids)[:N_ENCODED].tolist()
    asked = list(Image.objects.filter(pk__in=drawn))
    decode, encode, readable = [], [], []
    started = time.perf_counter()
    for image in asked[:1] + asked:  # the first one warms up
        try:
            source = image.original
            query = queries.from_picture(source, encoder)
        except images.RefusedImage:
            continue
        readable.append(source)
        decode.append(query.decode_ms)
        encode.append(query.embed_ms)
        if time.perf_counter() - started > SECONDS_ENCODING and len(decode) > DEPTH:
            break
    if len(decode) < 2:
        return {}
    return {
        "decode": percentiles(decode[1:]),
        "encode": percentiles(encode[1:]),
        "images_per_s": round(_throughput(network, readable[1:]), 1),
    }


def _throughput(network: Any, sources: list[bytes | Path]) -> float:
    """Return how many pictures a second are decoded and encoded, a batch at a time: the median of three batches."""
    rates = []
    for _ in range(3):
        started = time.perf_counter()
        inputs = [
            one for source in sources[:_BATCH_SIZE] if (one := _input(source, network.spec.input_size)) is not None
        ]
        network.encode(np.stack(inputs))
        rates.append(len(inputs) / (time.perf_counter() - started))
    return float(np.median(rates))


def _input(source: bytes | Path, size: int) -> NDArray[np.uint8] | None:
    try:
        return images.prepare_query(source, input_size=size).input
    except images.RefusedImage:
        return None


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """The site's own answers to a sample of the queries, held against the ranking that is measured.

    same: the mean share of the first k hits that both have, or that are as near as the last of them. gap: the largest
    difference of distance at equal ranks. is_exact: whether the site compared every image for each of them.
    """

    n: int
    k: int
    same: float
    gap: float
    is_exact: bool
    search_ms: dict[str, float]


def searching(
    encoder: Encoder,
    sides: Sides,
    vectors: NDArray[np.float32],
    gallery: Gallery,
    *,
    tell: Callable[[], None],
) -> Agreement:
    """Ask `nearest()` with a sample of the queries, timed, and compare its hits with those of the exact ranking.

    vectors: of all queries; gallery: of every image that may answer.
    """
    sample = np.sort(np.random.default_rng(sides.protocol.seed).permutation(len(sides.queries))[:N_SEARCHED])
    scope = Scope(dataset_ids=(sides.protocol.dataset.pk,), splits=sides.protocol.scope_splits)
    times, same, gaps, is_exact = [], [], [0.0], True
    started = time.perf_counter()
    for place in sample.tolist():
        struck = sides.struck.within(slice(place, place + 1))
        if len(sides.gallery) <= len(struck[0]):
            continue
        distances = gallery.distances(vectors[place : place + 1])
        order, n_ranked = gallery.order(distances, struck)
        k = min(DEPTH, int(n_ranked[0]))
        itself = set(sides.gallery.ids[struck[1]].tolist())
        answer = neighbours.nearest(vectors[place], encoder, scope, k=min(k + len(itself), MAX_HITS))
        hits = [hit for hit in answer.hits if hit.id not in itself][:k]
        nearest = order[0, :k]
        ranked, farthest = set(sides.gallery.ids[nearest].tolist()), distances[0, nearest[-1]] + _AS_NEAR
        same.append(sum(hit.id in ranked or hit.distance <= farthest for hit in hits) / k)
        if len(hits) == k:
            gaps.append(float(np.abs(distances[0, nearest] - [hit.distance for hit in hits]).max()))
        times.append(answer.search_ms)
        is_exact = is_exact and answer.exact
        tell()
        if time.perf_counter() - started > SECONDS_SEARCHING:
            break
    return Agreement(
        n=len(times),
        k=DEPTH,
        same=float(np.mean(same)) if same else 1.0,
        gap=max(gaps),
        is_exact=is_exact,
        search_ms=percentiles(times),
    )


def percentiles(times_ms: list[float]) -> dict[str, float]:
    """Return "p50", "p95" and "p99" of times, and "n", how many there were; empty where there is none."""
    if not times_ms:
        return {}
    found = {f"p{level}": round(float(np.percentile(times_ms, level)), 3) for level in (50, 95, 99)}
    return found | {"n": len(times_ms)}


def circumstances(encoder: Encoder) -> dict[str, Any]:
    """Return on what was measured, and with which settings."""
    return {
        "processor": _processor(),
        "cores": available_cores(),
        "threads": encoders.n_threads() or available_cores(),
        "load": round(os.getloadavg()[0], 1),
        "system": f"{platform.system()} {platform.machine()}",
        "exact_up_to": settings.EXACT_SEARCH_UP_TO,
        "bytes_per_image": 2 * encoder.dim + 8,  # a halfvec
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
