"""The answer to a search as a page shows it: the hits, out of how many, how they were found, and what comes after."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from embeddings.images import RefusedImage
from search import neighbours
from search.asking import duplicates
from search.asking.duplicates import Copies, Face
from search.asking.examples import Example, Mix
from search.asking.queries import Query
from search.files import originals
from search.models import Encoder
from search.neighbours import MAX_HITS, Answer, Hit, Place, Plan, Scope, nearest
from search.quality import calibrating
from search.quality.calibrating import Scale, Worth

# What hits are put in order by, where not by distance: of the nearest MAX_HITS only.
ORDERS: dict[str, tuple[Callable[[Hit], Any], bool]] = {
    "newest": (lambda hit: (hit.created_at, hit.id), True),
    "oldest": (lambda hit: (hit.created_at, hit.id), False),
    "largest": (lambda hit: (hit.n_pixels, hit.n_bytes, -hit.id), True),
    "smallest": (lambda hit: (hit.n_pixels, hit.n_bytes, -hit.id), False),
}
PAGES_AT_ONCE = 5
NO_COPIES = Copies(exact=[], near=[])


@dataclass(frozen=True, kw_only=True)
class Page:
    """Which hits of a ranking: k of them after `offset`, of which the last one stood at `after`; put in which order."""

    k: int
    offset: int = 0
    after: Place | None = None
    sort: str = ""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A hit, what its distance is worth where that is known, and how it is known to be a copy where it is one."""

    hit: Hit
    worth: Worth | None
    reason: str = ""


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
    # How many of the nearest the index found when it was looked at last, 0..1, where the answer came through it.
    index_recall: float | None
    # Shown on the first page, wherever in the ranking they stand.
    exact_copies: list[Judged] = field(default_factory=list)
    near_copies: list[Judged] = field(default_factory=list)
    copy_ids: frozenset[int] = frozenset()

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
    def judged(self) -> list[Judged]:
        """The hits in their order, copies included."""
        return [Judged(hit=hit, worth=worth) for hit, worth in zip(self.hits, self.worths, strict=True)]

    @property
    def similar(self) -> list[Judged]:
        """The hits that are no copies, which the first page shows."""
        return [one for one in self.judged if one.hit.id not in self.copy_ids]

    @property
    def has_copies(self) -> bool:
        return bool(self.exact_copies or self.near_copies)

    @property
    def n_similar(self) -> int:
        """How many images are left when copies are taken off."""
        return self.n_searched - len(self.exact_copies) - len(self.near_copies)

    @property
    def is_without_find(self) -> bool:
        """Whether it is known that not even the nearest image may be called similar."""
        no_find = all(one and not one.is_similar for one in self.worths)
        # In another order the nearest ones need not be among those that are shown.
        is_nearest = not self.page.offset and not self.page.sort
        return bool(self.worths) and no_find and is_nearest and not self.has_copies

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
    def loads_by_itself(self) -> bool:
        """Whether the next page comes when this one has been scrolled to its end: or else nobody reached the footer."""
        return (self.page.offset // self.page.k + 1) % PAGES_AT_ONCE != 0

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


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A search as far as it is known before its vector is. scales: what distances are worth, by dataset."""

    encoder: Encoder
    scope: Scope
    page: Page
    plan: Plan
    scales: Mapping[int, Scale]

    def ranked(self, vector: NDArray[np.float32]) -> Answer:
        """Return the page of the images nearest to a vector."""
        page = self.page
        return nearest(vector, self.encoder, self.scope, k=page.k, offset=page.offset, after=page.after, by=self.plan)


@dataclass(frozen=True, kw_only=True)
class PreparedPage(Prepared):
    """The same with what a page says beside its hits. scope: without what is searched with.

    copies: those of the picture as far as they are found; None where they are not told.
    """

    n_searched: int
    n_pending: int
    index_recall: float | None
    copies: duplicates.Begun | None


def prepare(
    encoder: Encoder, scope: Scope, page: Page, *, sha256: str = "", face: Callable[[], Face] | None = None
) -> PreparedPage:
    """Prepare a search. sha256 and face: as `duplicates.begin` takes them, where copies are to be told."""
    plan = neighbours.plan(encoder, scope, k=MAX_HITS if page.sort else page.k, offset=0 if page.sort else page.offset)
    n_pending, index_recall = _circumstances(encoder, scope)
    return PreparedPage(
        encoder=encoder,
        scope=scope,
        page=page,
        plan=plan,
        n_searched=neighbours.count(encoder, scope, plan.sizes),
        n_pending=n_pending,
        scales=calibrating.scales_of(encoder),
        index_recall=index_recall,
        copies=_begun(sha256, face, encoder, scope, page) if face else None,
    )


def _circumstances(encoder: Encoder, scope: Scope) -> tuple[int, float | None]:
    """Return how many images wait to be embedded, and the last recall of the index, where it was looked at."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT (SELECT count(*) FROM search_image WHERE status = 'pending' AND dataset_id = ANY(%s)),
                   (SELECT recall FROM search_indexaudit WHERE encoder_id = %s
                    ORDER BY created_at DESC, id DESC LIMIT 1)
            """,
            [list(scope.dataset_ids), encoder.pk],
        )
        n_pending, index_recall = cursor.fetchone()
    return n_pending, index_recall


def find(mix: Mix, encoder: Encoder, scope: Scope, page: Page, *, copies: bool = True) -> Results:
    """Search with what was asked, which does not answer itself, and say out of how many.

    copies: whether to tell copies of the picture from what is similar to it, where the search is for one whole picture.
    """
    main = mix.main
    face = (lambda: _face(main)) if copies and mix.is_one_picture else None
    return answer(mix, prepare(encoder, scope.without(*mix.image_ids), page, sha256=main.sha256, face=face))


def answer(mix: Mix, asked: PreparedPage) -> Results:
    """Search as was prepared for it."""
    found = _sorted(mix, asked) if asked.page.sort else asked.ranked(mix.vector)
    # On every page likely hashes are looked at, for none to come again, and first hits on the first one.
    hits = [] if asked.page.sort or asked.page.offset else found.hits
    known = duplicates.find(asked.copies, hits) if asked.copies else NO_COPIES
    of_copies = {} if asked.page.offset else _hits_of(mix, asked, known, found)
    return Results(
        mix=mix,
        encoder=asked.encoder,
        scope=asked.scope,
        answer=found,
        page=asked.page,
        n_searched=asked.n_searched,
        n_pending=asked.n_pending,
        # What distances are worth was measured with single pictures.
        worths=[None] * len(found.hits) if mix.is_mixed else calibrating.worths(asked.scales, found.hits),
        index_recall=None if found.exact else asked.index_recall,
        exact_copies=_judged(known.exact, of_copies),
        near_copies=_judged(known.near, of_copies),
        copy_ids=frozenset(known.by_image),
    )


def _sorted(mix: Mix, asked: PreparedPage) -> Answer:
    """Put the nearest MAX_HITS in another order, and return a page of that."""
    started, page = time.perf_counter(), asked.page
    found = nearest(mix.vector, asked.encoder, asked.scope, k=MAX_HITS, by=asked.plan)
    key, reverse = ORDERS[page.sort]
    hits = sorted(found.hits, key=key, reverse=reverse)[page.offset : page.offset + page.k]
    return Answer(hits=hits, exact=found.exact, search_ms=(time.perf_counter() - started) * 1000)


def _begun(
    sha256: str, face: Callable[[], Face], encoder: Encoder, scope: Scope, page: Page
) -> duplicates.Begun | None:
    try:
        if page.sort:  # in another order nothing is looked at
            return duplicates.begin(sha256, lambda: Face(face().phash), encoder, scope)
        return duplicates.begin(sha256, face, encoder, scope)
    except RefusedImage:  # the file went meanwhile; the results are right without its copies
        return None


def _face(query: Query) -> Face:
    if query.image is None:
        return Face(query.phash, query.preview)
    name = query.image.thumbnail.name
    return Face(query.phash, originals.source(name) if name else None)


def _hits_of(mix: Mix, asked: PreparedPage, copies: Copies, found: Answer) -> dict[int, Hit]:
    """Return the hits of copies by image, also of those that stand on no first page."""
    hits = {hit.id: hit for hit in found.hits if hit.id in copies.by_image}
    if missing := [image_id for image_id in copies.by_image if image_id not in hits]:
        only = replace(asked.scope, only_image_ids=tuple(missing), max_distance=None)
        hits |= {hit.id: hit for hit in nearest(mix.vector, asked.encoder, only, k=len(missing)).hits}
    return hits


def _judged(copies: Sequence[duplicates.Copy], hits: dict[int, Hit]) -> list[Judged]:
    found = [(copy, hits[copy.image_id]) for copy in copies if copy.image_id in hits]
    return [Judged(hit=hit, worth=None, reason=copy.reason) for copy, hit in found]
