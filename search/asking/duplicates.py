"""Exact copies and near-duplicates of a query among the images that may answer: the same picture, not one alike.

`neighbours` ranks by likeness; here its first hits and the nearest perceptual hashes are looked at one by one.
`benchmarks/near_duplicates.py` measures the rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from django.db import connection

from embeddings import hashes
from embeddings.images import RefusedImage, parts
from search import neighbours
from search.files import originals
from search.models import Encoder, Image
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


def find(
    query_sha256: str,
    phash: str,
    encoder: Encoder,
    scope: Scope,
    hits: Sequence[Hit],
    *,
    picture: bytes | Path | None = None,
    limit: int = LIMIT,
) -> Copies:
    """Return the copies of a query in scope, at most `limit` exact ones and as many near-duplicates.

    query_sha256: of the bytes as they came; empty for a part of a picture, which has no exact copy. phash: 64
    characters 0 or 1. hits: the first ones of the same search. picture: the query's preview or thumbnail; without it
    only those are found that their hash makes sure. Raises RefusedImage where it is none.
    """
    exact = [Copy(image_id=one, kind="exact", reason="the same file") for one in _same_file(query_sha256, scope, limit)]
    known = {copy.image_id for copy in exact}
    hashed = {image_id: bits for image_id, bits in _hashed(phash, encoder, scope) if image_id not in known}
    near = [_by_hash(image_id, bits) for image_id, bits in hashed.items() if bits <= SURE_BITS]
    if picture is not None:
        known |= {copy.image_id for copy in near}
        likely = [image_id for image_id in hashed if image_id not in known][:LOOKED_AT]
        likely += [hit.id for hit in hits[:LOOKED_AT] if hit.id not in known and hit.id not in likely]
        near += _looked_at(parts.grey(picture), likely)
    return Copies(exact=exact, near=near[:limit])


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


def _hashed(phash: str, encoder: Encoder, scope: Scope) -> list[tuple[int, int]]:
    """Return the images in scope within LIKELY_BITS, each with its bits, nearest first. Plain pictures have none."""
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
            SELECT scoped.id, hashed.bits FROM hashed
            JOIN search_image scoped ON scoped.id = hashed.id
            JOIN search_embedding embedding ON embedding.image_id = scoped.id AND embedding.encoder_id = {encoder.pk:d}
            WHERE {neighbours.conditions(scope)} ORDER BY hashed.bits, scoped.id
            """,  # noqa: S608 -- a piece of `neighbours` and constants; the rest are parameters
            {**neighbours.parameters(scope), **keys, "phash": phash},
        )
        return cursor.fetchall()


def _by_hash(image_id: int, bits: int) -> Copy:
    words = f", {bits} of 64 bits differ" if bits else ""
    return Copy(image_id=image_id, kind="near", reason="the same picture" + words)


def _looked_at(query: parts.Grey, image_ids: list[int]) -> list[Copy]:
    """Compare the query with the thumbnails of images, and return those that are its picture."""
    names = dict(Image.objects.filter(pk__in=image_ids).values_list("pk", "thumbnail"))
    found = []
    for image_id in image_ids:
        try:
            thumbnail = parts.grey(originals.source(names[image_id]))
        except (KeyError, RefusedImage):  # deleted in the meantime, or not made yet
            continue
        if relation := parts.relation(query, thumbnail):
            found.append(Copy(image_id=image_id, kind="near", reason=_REASONS[relation]))
    return found
