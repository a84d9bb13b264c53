"""Near-duplicates of the queries among what may answer: the same for every encoder that is evaluated."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from django.db.models import QuerySet
from numpy.typing import NDArray

from embeddings.evaluation import near_duplicates
from embeddings.evaluation.ranking import Struck
from search import vectors
from search.evaluation.protocol import Sides
from search.models import Embedding, Encoder

# Whose features are judged by, where it is there: those that the thresholds were measured on.
PREFERRED = "mobilenet_v2"


@dataclass(frozen=True, kw_only=True, eq=False)
class Leaks:
    """Pairs of a query and a near-duplicate of it, by either rule. reference: whose vectors told."""

    by_phash: Struck
    by_vector: Struck
    reference: str

    @property
    def pairs(self) -> Struck:
        return self.by_phash.and_also(self.by_vector)

    def among(self, kept: NDArray[np.bool_]) -> Leaks:
        """Return those whose near-duplicate is kept, by its place among those kept. kept: bool (n_gallery,)."""
        return replace(self, by_phash=self.by_phash.among(kept), by_vector=self.by_vector.among(kept))


def find(sides: Sides) -> Leaks:
    """Find what of the gallery is nearly the same picture as a query, and not that picture itself."""
    by_phash = near_duplicates.by_phash(sides.queries.phashes, sides.gallery.phashes).less(sides.struck)
    reference = _reference(sides)
    by_vector = by_phash.less(by_phash)
    if reference is not None:
        asked, answering = (vectors.read(reference, side.ids.tolist())[1] for side in (sides.queries, sides.gallery))
        by_vector = near_duplicates.by_vector(asked, answering, "cosine").less(sides.struck)
    return Leaks(by_phash=by_phash, by_vector=by_vector, reference=reference.name if reference else "")


def _reference(sides: Sides) -> Encoder | None:
    """Return an encoder that no label of this site has shaped, and that has embedded both sides."""
    candidates = [one for one in _untaught() if one.distance == Encoder.Distance.COSINE]
    candidates.sort(key=lambda one: (one.name != PREFERRED, one.pk))
    ids = np.union1d(sides.queries.ids, sides.gallery.ids).tolist()
    return next((one for one in candidates if _has_embedded(one, ids)), None)


def _untaught() -> QuerySet[Encoder]:
    return Encoder.objects.filter(job=None, spec__training__isnull=True, spec__backbone__isnull=True)


def _has_embedded(encoder: Encoder, image_ids: list[int]) -> bool:
    return Embedding.objects.filter(encoder=encoder, image__in=image_ids).count() == len(image_ids)
