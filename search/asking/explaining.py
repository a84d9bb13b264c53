"""What an encoder sees where: why a hit is like the query, and which parts of the query could be searched with."""

from __future__ import annotations

import base64
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embeddings import images, matching
from embeddings.images.overlays import heated
from embeddings.regions import suggest
from search import encoders
from search.asking.queries import Crop, Query
from search.models import Encoder, Image

EDGE = 720


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
    match = matching.match(*network.encode_locations(inputs))
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
    return suggest(picture, network.encode_locations(picture[np.newaxis])[0])


def _input(source: bytes | Path, size: int, crop: Crop | None = None) -> NDArray[np.uint8]:
    return images.prepare_query(source, input_size=size, crop=crop).input


def _data_url(jpeg: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()
