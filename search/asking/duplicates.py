"""Exact copies and near-duplicates of a query among the images that may answer: the same picture, not one alike.

`neighbours` ranks by likeness; here its first hits and the nearest perceptual hashes are looked at one by one.
`benchmarks/near_duplicates.py` measures the rule.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NamedTuple

from django.db import connection

from embeddings import hashes
from embeddings.images import RefusedImage, parts
from search import neighbours
from search.files import originals
from search.models import Encoder
from search.neighbours import Hit, Scope

LIMIT: Final = 50
# Bits of the perceptual hash that differ at most. Of 5,437 photographs, many of them one after the other of the same
# shelf, 8 have another one within 2 bits, 96 within 6: what is not sure is looked at.
SURE_BITS: Final = 2
LIKELY_BITS: Final = 10
# Images that are looked at for their hash, and as many for their vector: each takes 1 ms. A small distance
# proves nothing: 1,148 of those photographs have another one within .05.
LOOKED_AT: Final = 5
# A hash of so few ones or noughts only says that a picture is plain.
FEWEST_ONES: Final = 7
# Hashes as near as that; more of them than this are not looked through for those that the filters let answer.
_MOST_HASHED: Final = 1000

# Each band has an index of its own: whoever is within LIKELY_BITS is in one of them.
_IN_BANDS: Final = " OR ".join(
    f"substring(image.phash from {hashes.N_BITS + 1 - hashes.WIDTH * (band + 1)} for {hashes.WIDTH})"
    f"::bit({hashes.WIDTH})::int = ANY(%(band_{band})s::int[])"
    for band in range(hashes.N_BANDS)
)

_REASONS: Final[dict[parts.Relation, str]] = {
    "same": "the same picture, edited",
    "turned": "the same picture, mirrored or turned",
    "whole": "your picture is a part of it",
    "part": "a part of your picture",
}


@dataclass(frozen=True, kw_only=True)
class Copy:
    """An image that is the query's picture. reason: a few English words that say how that is known."""

    image_id: int
    kind: Literal["exact", "near"]
    reason: str


@dataclass(frozen=True, kw_only=True)
class Copies:
    """The exact copies of a query, by id, and its near-duplicates, the surest first; no image is both."""

    exact: list[Copy]
    near: list[Copy]

    @property
    def by_image(self) -> dict[int, Copy]:
        """Every copy under its image's id, so that hits can be marked."""
        return {copy.image_id: copy for copy in (*self.near, *self.exact)}


class Face(NamedTuple):
    """What copies of a picture are told by. phash: 64 characters 0 or 1. picture: its preview or thumbnail.

    Without the picture only those are found that their hash makes sure.
    """

    phash: str
    picture: bytes | Path | None = None


@dataclass(frozen=True, kw_only=True)
class Begun:
    """The copies of a picture that are found without a vector. grey: the picture, to lay over more; ids: looked at."""

    copies: Copies
    grey: parts.Grey | None
    ids: frozenset[int]


def begin(sha256: str, face: Callable[[], Face], encoder: Encoder, scope: Scope, *, limit: int = LIMIT) -> Begun:
    """Look for the copies of a picture in scope among the same files and near hashes, at most `limit` of each kind.

    sha256: of the bytes as they came; empty where they are not known. face: called after that was asked, as it may
    still be made. Raises RefusedImage where the picture is none.
    """
    exact = [_by_file(image_id) for image_id in _same_file(sha256, scope, limit)] if sha256 else []
    phash, picture = face()
    known = {copy.image_id for copy in exact}
    hashed = [one for one in _hashed(phash, encoder, scope) if one.image_id not in known]
    near = [_by_hash(one) for one in hashed if one.bits <= SURE_BITS]
    likely = {one.image_id: one.thumbnail for one in hashed[len(near) : len(near) + LOOKED_AT]}
    grey = None if picture is None else parts.grey(picture)
    if grey:
        near += _looked_at(grey, likely)
    ids = known | likely.keys() | {copy.image_id for copy in near}
    return Begun(copies=Copies(exact=exact, near=near[:limit]), grey=grey, ids=frozenset(ids))


def find(begun: Begun, hits: Sequence[Hit], *, limit: int = LIMIT) -> Copies:
    """Look for more copies among the first hits of the same search, and return all, at most `limit` near-duplicates."""
    near = begun.copies.near
    if begun.grey:
        likely = {hit.id: hit.thumbnail for hit in hits[:LOOKED_AT] if hit.id not in begun.ids}
        near = [*near, *_looked_at(begun.grey, likely)]
    return Copies(exact=begun.copies.exact, near=near[:limit])


class _Hashed(NamedTuple):
    """An image of nearly the same hash. bits: so many differ; thumbnail: its name."""

    image_id: int
    bits: int
    thumbnail: str


def _same_file(sha256: str, scope: Scope, limit: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT DISTINCT scoped.id FROM search_image scoped
            JOIN search_embedding embedding ON embedding.image_id = scoped.id
            WHERE scoped.sha256 = %(sha256)s AND scoped.dataset_id = ANY(%(datasets)s)
              AND {neighbours.conditions(scope)}
            ORDER BY scoped.id LIMIT %(limit)s
            """,  # noqa: S608 -- a piece of `neighbours`; the rest are parameters
            {**neighbours.parameters(scope), "sha256": sha256, "limit": limit},
        )
        return [image_id for (image_id,) in cursor.fetchall()]


def _hashed(phash: str, encoder: Encoder, scope: Scope) -> list[_Hashed]:
    """Return the images in scope within LIKELY_BITS, nearest first. Plain pictures have none."""
    if not FEWEST_ONES <= phash.count("1") <= 64 - FEWEST_ONES:
        return []
    bands = [(int(phash, 2) >> hashes.WIDTH * band) & (hashes.N_KEYS - 1) for band in range(hashes.N_BANDS)]
    keys = {f"band_{band}": [own ^ flip for flip in hashes.flips(band, LIKELY_BITS)] for band, own in enumerate(bands)}
    with connection.cursor() as cursor:
        # Hashes first, and few of them: else the planner reads the table of vectors whole, to join it.
        cursor.execute(
            f"""
            WITH hashed AS MATERIALIZED (
                SELECT image.id, (image.phash <~> %(phash)s::bit(64))::int AS bits FROM search_image image
                WHERE ({_IN_BANDS}) AND image.dataset_id = ANY(%(datasets)s)
                  AND image.phash <~> %(phash)s::bit(64) <= {LIKELY_BITS}
                  AND bit_count(image.phash) BETWEEN {FEWEST_ONES} AND {64 - FEWEST_ONES}
                ORDER BY bits, image.id LIMIT {_MOST_HASHED})
            SELECT scoped.id, hashed.bits, scoped.thumbnail FROM hashed
            JOIN search_image scoped ON scoped.id = hashed.id
            JOIN search_embedding embedding ON embedding.image_id = scoped.id AND embedding.encoder_id = {encoder.pk:d}
            WHERE {neighbours.conditions(scope)} ORDER BY hashed.bits, scoped.id
            """,  # noqa: S608 -- a piece of `neighbours` and constants; the rest are parameters
            {**neighbours.parameters(scope), **keys, "phash": phash},
        )
        return [_Hashed(*row) for row in cursor.fetchall()]


def _by_file(image_id: int) -> Copy:
    return Copy(image_id=image_id, kind="exact", reason="the same file")


def _by_hash(one: _Hashed) -> Copy:
    words = f", {one.bits} of 64 bits differ" if one.bits else ""
    return Copy(image_id=one.image_id, kind="near", reason="the same picture" + words)


def _looked_at(query: parts.Grey, thumbnails: dict[int, str]) -> list[Copy]:
    """Compare the query with images by the names of their thumbnails, and return those that are its picture."""
    found = []
    for image_id, name in thumbnails.items():
        if not name:  # it is not made yet
            continue
        try:
            thumbnail = parts.grey(originals.source(name))
        except RefusedImage:  # the image was deleted in the meantime
            continue
        if relation := parts.relation(query, thumbnail):
            found.append(Copy(image_id=image_id, kind="near", reason=_REASONS[relation]))
    return found
