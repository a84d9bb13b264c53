"""What an encoder sees where: why a hit is like the query, and which parts of the query could be searched with."""

from __future__ import annotations

import base64
import contextlib
import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from django.core.cache import cache
from numpy.typing import NDArray

from embeddings import images, matching
from embeddings.encoder import Encoder as Network
from embeddings.encoder import NoLocations
from embeddings.images import Crop
from embeddings.images.overlays import heated
from embeddings.regions import suggest
from search import encoders
from search.asking.queries import Query
from search.models import Encoder, Image

logger = logging.getLogger(__name__)

EDGE = 720
N_STRANGERS = 12
USUAL_SECONDS = 86_400


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """Both pictures as JPEG with what they share in full colour; how many places are numbered; how long it took."""

    query: bytes
    hit: bytes
    n_places: int
    took_ms: float

    @property
    def query_url(self) -> str:
        return _data_url(self.query)

    @property
    def hit_url(self) -> str:
        return _data_url(self.hit)


def explain(query: Query, hit: Image, encoder: Encoder) -> Explanation:
    """Compare the places of two pictures.

    Raises embeddings.encoder.NoLocations, embeddings.images.RefusedImage, encoders.NoEncoder.
    """
    started = time.perf_counter()
    network = encoders.network(encoder)
    source = query.image.original if query.image else query.preview
    size = network.spec.input_size
    inputs = np.stack([_input(source, size, query.crop), _input(hit.original, size)])
    match = matching.match(*network.encode_locations(inputs), usual=_usual_likeness(encoder, network))
    pictures = [
        heated(source, match.first, [first for first, _, _ in match.pairs], long_edge=EDGE, crop=query.crop),
        heated(hit.original, match.second, [second for _, second, _ in match.pairs], long_edge=EDGE),
    ]
    took_ms = (time.perf_counter() - started) * 1000
    return Explanation(query=pictures[0], hit=pictures[1], n_places=len(match.pairs), took_ms=took_ms)


def regions(query: Query, encoder: Encoder) -> list[Crop]:
    """Return the parts of the query picture that are worth a search of their own, the best first.

    Raises as `explain` does.
    """
    network = encoders.network(encoder)
    source = query.image.original if query.image else query.preview
    picture = _input(source, network.spec.input_size)
    found = suggest(picture, network.encode_locations(picture[np.newaxis])[0])
    _usual_likeness(encoder, network)  # nobody waits here, and whoever asks why then waits no second longer
    return found


def warm_up() -> None:
    """Get ready what a first `explain` with the default encoder would wait for, where that can be had."""
    try:
        encoder = encoders.default()
        network = encoders.network(encoder)
        size = network.spec.input_size
        network.encode_locations(np.zeros((1, size, size, 3), dtype=np.uint8))
        _usual_likeness(encoder, network)
    except (encoders.NoEncoder, NoLocations) as error:
        logger.info("Nothing to warm up for explanations: %s", error)


def _usual_likeness(encoder: Encoder, network: Network) -> float:
    """Return how alike the places of strangers are to an encoder, from a few images; heat begins above it."""
    key = f"usual-likeness:{encoder.pk}:{encoder.weights_sha256[:16]}"
    try:
        if (known := cache.get(key)) is not None:
            return float(known)
    except Exception:  # whatever the cache's client raises: measured each time, they would cost more than they tell
        logger.warning("The cache is out of reach: the usual likeness is taken for granted.", exc_info=True)
        return matching.USUAL_LIKENESS
    strangers = _inputs(Image.objects.filter(status=Image.Status.READY).order_by("sha256")[:N_STRANGERS], network)
    if len(strangers) < 2:
        return matching.USUAL_LIKENESS
    usual = matching.usual_likeness(network.encode_locations(strangers))
    with contextlib.suppress(Exception):
        cache.set(key, usual, USUAL_SECONDS)
    return usual


def _inputs(strangers: Iterable[Image], network: Network) -> NDArray[np.uint8]:
    size = network.spec.input_size
    found = []
    for image in strangers:
        with contextlib.suppress(images.RefusedImage):
            found.append(_input(image.original, size))
    return np.stack(found) if found else np.empty((0, size, size, 3), np.uint8)


def _input(source: bytes | Path, size: int, crop: Crop | None = None) -> NDArray[np.uint8]:
    return images.prepare_query(source, input_size=size, crop=crop, preview=False).input


def _data_url(jpeg: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()
