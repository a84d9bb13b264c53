"""Linear heads on vectors that are stored already: no picture is read for them."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction

from embeddings.encoder import HeadedEncoder
from search import vectors
from search.models import Embedding, Encoder

CHUNK_SIZE = 2000


def transform(encoder: Encoder, network: HeadedEncoder, image_ids: Iterable[int]) -> set[int]:
    """Give those of the images that lack a vector of a head, and have one of its backbone, the former from the latter.

    encoder: the row of the head. Returns the ids of the images that were given one.
    """
    wanted = sorted(image_ids)
    done: set[int] = set()
    backbone = Encoder.objects.filter(name=network.backbone.spec.name).first()
    if backbone is None or backbone.weights_sha256 != network.backbone.weights_sha256:
        return done
    for start in range(0, len(wanted), CHUNK_SIZE):
        chunk = wanted[start : start + CHUNK_SIZE]
        there = set(Embedding.objects.filter(encoder=encoder, image__in=chunk).values_list("image", flat=True))
        ids, stored = vectors.read(backbone, [image_id for image_id in chunk if image_id not in there])
        if ids:
            with transaction.atomic():
                vectors.write(encoder, ids, network.head.apply(stored))
        done |= set(ids)
    return done
