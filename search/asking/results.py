"""The answer to a search as a page shows it: the hits, out of how many, how they were found, and what comes after."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from django.urls import reverse

from search.asking.queries import Query
from search.models import Embedding, Encoder, Image, IndexAudit
from search.neighbours import MAX_HITS, Answer, Hit, Scope, nearest
from search.quality import calibrating
from search.quality.calibrating import Worth


@dataclass(frozen=True, kw_only=True)
class Results:
    """A page of hits with its circumstances. n_searched: images that were compared or could have been."""

    query: Query
    encoder: Encoder
    answer: Answer
    k: int
    offset: int
    n_searched: int
    n_pending: int
    worths: list[Worth | None]
    # How the index did when it was looked at last, where the answer came through it.
    audit: IndexAudit | None

    @property
    def hits(self) -> list[Hit]:
        return self.answer.hits

    @property
    def judged(self) -> list[tuple[Hit, Worth | None]]:
        """The hits, each with what its distance is worth, where that is known."""
        return list(zip(self.hits, self.worths, strict=True))

    @property
    def is_without_find(self) -> bool:
        """Whether it is known that not even the nearest image may be called similar."""
        return bool(self.worths) and not self.offset and all(one and not one.is_similar for one in self.worths)

    @property
    def first(self) -> int:
        """The rank of the first hit shown, from 1."""
        return self.offset + 1

    @property
    def last(self) -> int:
        return self.offset + len(self.hits)

    @property
    def next_offset(self) -> int | None:
        """Where the next page begins, or None after the last image or the last rank that can be asked for."""
        return self.last if self.hits and self.last < min(self.n_searched, MAX_HITS) else None

    @property
    def previous_offset(self) -> int | None:
        return max(0, self.offset - self.k) if self.offset else None

    @property
    def shows_similarity(self) -> bool:
        """1 - distance means something for cosine distance only."""
        return self.encoder.distance == Encoder.Distance.COSINE

    @property
    def preview_url(self) -> str:
        """The address of the query picture; the picture itself where it could not be kept."""
        if self.query.key:
            return reverse("query-picture", args=[self.query.key])
        if self.query.image is not None:
            return self.query.image.thumbnail_url
        return "data:image/jpeg;base64," + base64.b64encode(self.query.preview).decode()


def find(query: Query, encoder: Encoder, scope: Scope, *, k: int, offset: int = 0) -> Results:
    """Search and say out of how many. Hits past rank MAX_HITS are left out, so a page there is shorter than k."""
    answer = nearest(query.vector, encoder, scope, k=min(k, MAX_HITS - offset), offset=offset)
    embedded = Embedding.objects.filter(encoder=encoder, dataset_id__in=scope.dataset_ids)
    if scope.without_image_id is not None:
        embedded = embedded.exclude(image_id=scope.without_image_id)
    pending = Image.objects.filter(status=Image.Status.PENDING, dataset_id__in=scope.dataset_ids)
    return Results(
        query=query,
        encoder=encoder,
        answer=answer,
        k=k,
        offset=offset,
        n_searched=embedded.count(),
        n_pending=pending.count(),
        worths=calibrating.worths(encoder, answer.hits),
        audit=None if answer.exact else encoder.audits.first(),
    )
