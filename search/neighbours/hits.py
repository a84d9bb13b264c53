"""What a search answers with: hits that are finished for display, and how they were found."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from django.urls import get_script_prefix, reverse

# What stands for an image's number and version in the pattern of an address: nothing else there looks like them.
_ANY_ID, _ANY_VERSION = 7_777_777_777_777_777, "0123456789ab"


def _address(name: str, image_id: int, *version: str) -> str:
    """Return what reverse() does, which looks its pattern up each time: a page has dozens of hits, each of three."""
    pattern = _pattern(name, get_script_prefix(), len(version)).replace(str(_ANY_ID), str(image_id))
    return pattern.replace(_ANY_VERSION, version[0]) if version else pattern


@cache
def _pattern(name: str, script_prefix: str, n_versions: int) -> str:
    return reverse(name, args=[_ANY_ID, *[_ANY_VERSION] * n_versions])


@dataclass(frozen=True, kw_only=True)
class Hit:
    """One image of an answer, finished for display: no row has to be read for it."""

    id: int
    source: str
    label: str
    dataset: str
    dataset_id: int
    dataset_slug: str
    distance: float
    sha256: str
    width: int
    height: int
    split: str
    format: str
    n_bytes: int
    created_at: datetime
    thumbnail: str = ""  # its name in the storage
    tags: tuple[str, ...] = ()

    @property
    def similarity(self) -> float:
        """1 - cosine distance, -1..1, for display only."""
        return 1.0 - self.distance

    @property
    def n_pixels(self) -> int:
        return self.width * self.height

    @property
    def name(self) -> str:
        return self.source.replace("\\", "/").rpartition("::")[2].rpartition("/")[2]

    @property
    def url(self) -> str:
        return _address("image", self.id)

    @property
    def thumbnail_url(self) -> str:
        return _address("thumbnail", self.id, self.sha256[:12])

    @property
    def picture_url(self) -> str:
        return _address("picture", self.id, self.sha256[:12])

    def as_json(self, *, has_similarity: bool = True) -> dict[str, Any]:
        return {
            "id": self.id,
            "source": self.source,
            "label": self.label,
            "dataset": self.dataset,
            "distance": round(self.distance, 6),
            "similarity": round(self.similarity, 6) if has_similarity else None,
            "url": self.url,
            "thumbnail_url": self.thumbnail_url,
        }


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The hits of a search, nearest first, and how they were found."""

    hits: list[Hit] = field(default_factory=list)
    exact: bool = True
    search_ms: float = 0.0


COLUMNS = (
    "image.id, image.source, image.label, dataset.name, dataset.slug, nearest.distance, dataset.id, image.sha256, "
    "image.width, image.height, image.split, image.format, image.n_bytes, image.created_at, image.thumbnail, "
    "image.tags"
)
DISTANCE = 5  # its place among the columns
# Ties are broken out here: inside, a second sort key would keep the index from being used.
DETAILS = """
JOIN search_image image ON image.id = nearest.image_id
JOIN search_dataset dataset ON dataset.id = image.dataset_id
ORDER BY nearest.distance, nearest.image_id
"""


def hit_of(row: tuple[Any, ...]) -> Hit:
    """Return the hit in a row of COLUMNS."""
    image_id, source, label, dataset, slug, distance, dataset_id, sha256, *more = row
    width, height, split, format_, n_bytes, added, thumbnail, tags = more
    return Hit(
        id=image_id,
        source=source,
        label=label,
        dataset=dataset,
        dataset_id=dataset_id,
        dataset_slug=slug,
        distance=float(distance),
        sha256=sha256,
        width=width,
        height=height,
        split=split,
        format=format_,
        n_bytes=n_bytes,
        created_at=added,
        thumbnail=thumbnail,
        tags=tuple(tags),
    )
