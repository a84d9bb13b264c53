"""Whether an index still finds the nearest: its answers against a comparison with every vector, kept over time."""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from typing import Any

import numpy as np
from django.utils import timezone
from django.utils.translation import gettext as _

from search import indexing, neighbours, vectors
from search.models import Dataset, Embedding, Encoder, IndexAudit
from search.neighbours import Scope

logger = logging.getLogger(__name__)

N_QUERIES = 50
DEPTH = 10
# Of the ten nearest more than half a hit is missed; what HNSW finds with these settings lies above .98.
FLOOR = 0.95
_STAYS_TRUE = timedelta(days=1)


def current(encoder: Encoder) -> IndexAudit | None:
    """Return the last audit where it is of the index as it is, else audit it now; None where there is no index."""
    last = encoder.audits.first()
    if last is None or not indexing.is_valid(encoder) or timezone.now() - last.created_at > _STAYS_TRUE:
        return audit(encoder)
    is_as_it_was = last.n_vectors == Embedding.objects.filter(encoder=encoder).count()
    return last if is_as_it_was else audit(encoder)


def audit(encoder: Encoder) -> IndexAudit | None:
    """Ask the index of an encoder and every vector alike with a sample of the images; None where there is no index.

    Recall is the mean share of the ten nearest that the index finds; one that is as near as the tenth counts as found.
    """
    if not indexing.is_valid(encoder):
        return None
    ids = np.array(Embedding.objects.filter(encoder=encoder).values_list("image_id", flat=True), np.int64)
    drawn = np.random.default_rng(len(ids)).permutation(ids)[:N_QUERIES]
    chosen, asked = vectors.read(encoder, drawn.tolist())
    if len(ids) <= DEPTH:
        return None
    scope = Scope(dataset_ids=tuple(Dataset.everything.values_list("pk", flat=True)))
    shares, exact_ms, index_ms = [], [], []
    for image_id, vector in zip(chosen, asked, strict=True):
        others = scope.without(image_id)
        true = neighbours.nearest(vector, encoder, others, k=DEPTH, by="comparison")
        found = neighbours.nearest(vector, encoder, others, k=DEPTH, by="index")
        # Vectors of half precision tell no smaller distances apart.
        farthest = true.hits[-1].distance + 1e-5
        shares.append(sum(hit.distance <= farthest for hit in found.hits) / len(true.hits))
        exact_ms.append(true.search_ms)
        index_ms.append(found.search_ms)
    return IndexAudit.objects.create(
        encoder=encoder,
        recall=float(np.mean(shares)),
        k=DEPTH,
        n_queries=len(shares),
        n_vectors=len(ids),
        exact_ms=float(np.median(exact_ms)),
        index_ms=float(np.median(index_ms)),
    )


def audit_due() -> list[IndexAudit]:
    """Audit the indexes that were not looked at for a day, or have changed since; log where one misses much."""
    started = time.monotonic()
    before = set(IndexAudit.objects.values_list("pk", flat=True))
    found = [current(encoder) for encoder in Encoder.objects.all()]
    done = [one for one in found if one is not None and one.pk not in before]
    for one in done:
        if one.recall < FLOOR:
            logger.warning("The index of %s finds %.1f %% of the nearest. %s", *_told(one))
    if done:
        logger.info("%d indexes audited in %.1f s.", len(done), time.monotonic() - started)
    return done


def _told(found: IndexAudit) -> tuple[str, float, str]:
    return found.encoder.name, 100 * found.recall, advice(found)


def summary(found: IndexAudit | None) -> dict[str, Any] | None:
    """Return an audit as JSON keeps it."""
    if found is None:
        return None
    names = ("recall", "k", "n_queries", "n_vectors", "exact_ms", "index_ms")
    return {name: getattr(found, name) for name in names}


def advice(found: IndexAudit) -> str:
    """Return what to do about an index that misses too much; nothing where it does not."""
    if found.recall >= FLOOR:
        return ""
    return _(
        "Build it anew: manage.py build_index --encoder %(name)s --again. If that does not help, set "
        "EXACT_SEARCH_UP_TO above %(n_vectors)s until it does: searches then compare every image, in about %(ms)s ms."
    ) % {"name": found.encoder.name, "n_vectors": found.n_vectors, "ms": f"{found.exact_ms:.0f}"}
