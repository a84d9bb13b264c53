"""The answer to a search as a page shows it: the hits, out of how many, how they were found, and what comes after."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from search.asking.examples import Example, Mix
from search.asking.queries import Query
from search.models import Encoder, Image, IndexAudit
from search.neighbours import MAX_HITS, Answer, Hit, Place, Scope, count, nearest
from search.quality import calibrating
from search.quality.calibrating import Worth

# What hits are put in order by, where not by distance: of the nearest MAX_HITS only.
ORDERS: dict[str, tuple[Callable[[Hit], Any], bool]] = {
    "newest": (lambda hit: (hit.created_at, hit.id), True),
    "oldest": (lambda hit: (hit.created_at, hit.id), False),
    "largest": (lambda hit: (hit.n_pixels, hit.n_bytes, -hit.id), True),
    "smallest": (lambda hit: (hit.n_pixels, hit.n_bytes, -hit.id), False),
}


@dataclass(frozen=True, kw_only=True)
class Page:
    """Which hits of a ranking: k of them after `offset`, of which the last one stood at `after`; put in which order."""

    k: int
    offset: int = 0
    after: Place | None = None
    sort: str = ""


@dataclass(frozen=True, kw_only=True)
class Results:
    """A page of hits with its circumstances. n_searched: images that were compared or could have been."""

    mix: Mix
    encoder: Encoder
    scope: Scope
    answer: Answer
    page: Page
    n_searched: int
    n_pending: int
    worths: list[Worth | None]
    # How the index did when it was looked at last, where the answer came through it.
    audit: IndexAudit | None

    @property
    def query(self) -> Query:
        """The picture that the search began with."""
        return self.mix.main

    @property
    def examples(self) -> Sequence[Example]:
        return self.mix.examples

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
        return bool(self.worths) and not self.page.offset and all(one and not one.is_similar for one in self.worths)

    @property
    def ends_at_a_distance(self) -> bool:
        return self.scope.max_distance is not None

    @property
    def first(self) -> int:
        """The rank of the first hit shown, from 1."""
        return self.page.offset + 1

    @property
    def last(self) -> int:
        return self.page.offset + len(self.hits)

    @property
    def next_offset(self) -> int | None:
        """Where the next page begins, or None after the last image."""
        if len(self.hits) < self.page.k or self.last >= self._n_reachable:
            return None
        return self.last

    @property
    def next_place(self) -> Place | None:
        """What the next page comes after; None where it is counted, because hits are in another order."""
        return None if self.page.sort or not self.hits else Place(self.hits[-1].distance, self.hits[-1].id)

    @property
    def previous_offset(self) -> int | None:
        return max(0, self.page.offset - self.page.k) if self.page.offset else None

    @property
    def _n_reachable(self) -> int:
        return min(self.n_searched, MAX_HITS) if self.page.sort else self.n_searched

    @property
    def shows_similarity(self) -> bool:
        """1 - distance means something for cosine distance only."""
        return self.encoder.distance == Encoder.Distance.COSINE


def find(mix: Mix, encoder: Encoder, scope: Scope, page: Page) -> Results:
    """Search with what was asked, which does not answer itself, and say out of how many."""
    scope = scope.without(*mix.image_ids)
    answer = _sorted(mix, encoder, scope, page) if page.sort else _ranked(mix, encoder, scope, page)
    pending = Image.objects.filter(status=Image.Status.PENDING, dataset_id__in=scope.dataset_ids)
    return Results(
        mix=mix,
        encoder=encoder,
        scope=scope,
        answer=answer,
        page=page,
        n_searched=count(encoder, scope),
        n_pending=pending.count(),
        # What distances are worth was measured with single pictures.
        worths=[None] * len(answer.hits) if mix.is_mixed else calibrating.worths(encoder, answer.hits),
        audit=None if answer.exact else encoder.audits.first(),
    )


def _ranked(mix: Mix, encoder: Encoder, scope: Scope, page: Page) -> Answer:
    return nearest(mix.vector, encoder, scope, k=page.k, offset=page.offset, after=page.after)


def _sorted(mix: Mix, encoder: Encoder, scope: Scope, page: Page) -> Answer:
    """Put the nearest MAX_HITS in another order, and return a page of that."""
    started = time.perf_counter()
    answer = nearest(mix.vector, encoder, scope, k=MAX_HITS)
    key, reverse = ORDERS[page.sort]
    hits = sorted(answer.hits, key=key, reverse=reverse)[page.offset : page.offset + page.k]
    return Answer(hits=hits, exact=answer.exact, search_ms=(time.perf_counter() - started) * 1000)
