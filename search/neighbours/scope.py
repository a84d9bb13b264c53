"""Which images may answer a search, and the SQL that says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import MINYEAR, UTC, date, datetime, time, timedelta
from typing import Any, Literal

from django.db import connection
from django.utils import timezone

from search.models import Encoder
from search.neighbours.counting import sizes

Orientation = Literal["", "landscape", "portrait", "square"]
_SIGNS = {"landscape": 1, "portrait": -1, "square": 0}
_IN_DATASETS = "embedding.dataset_id = ANY(%(datasets)s)"
# What each field of a scope demands of an image's row, `scoped`.
_CONDITIONS = {
    "splits": "scoped.split = ANY(%(splits)s)",
    "labels": "scoped.label = ANY(%(labels)s)",
    "tags": "scoped.tags @> %(tags)s::varchar[]",
    "formats": "scoped.format = ANY(%(formats)s)",
    "orientation": "sign(scoped.width - scoped.height) = %(orientation)s",
    "min_edge": "greatest(scoped.width, scoped.height) >= %(min_edge)s",
    "max_edge": "greatest(scoped.width, scoped.height) <= %(max_edge)s",
    "added_from": "scoped.created_at >= %(added_from)s",
    "added_to": "scoped.created_at < %(added_to)s",
    "words": "concat_ws(' ', scoped.source, scoped.label, array_to_string(scoped.tags, ' ')) ILIKE ALL(%(words)s)",
}


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Which images may answer. What is empty or None filters nothing; of several labels or formats any will do."""

    dataset_ids: tuple[int, ...]
    splits: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()  # all of them
    formats: tuple[str, ...] = ()
    orientation: Orientation = ""
    min_edge: int | None = None  # of the longer side, in pixels
    max_edge: int | None = None
    added_from: date | None = None  # days begin in the time zone of the site, in which pages tell them
    added_to: date | None = None  # that day included
    words: tuple[str, ...] = ()  # each of which is in the source, the label or a tag, in any case of letters
    max_distance: float | None = None
    without_image_ids: tuple[int, ...] = ()
    only_image_ids: tuple[int, ...] = ()

    def without(self, *image_ids: int) -> Scope:
        """Return this scope less some images: those that are searched with."""
        return replace(self, without_image_ids=(*self.without_image_ids, *image_ids))

    @property
    def filters_images(self) -> bool:
        """Whether a condition leaves images out that an index of vectors knows nothing of."""
        return bool(self.only_image_ids or _image_conditions(self))


def count(encoder: Encoder, scope: Scope, known: Mapping[int, int] | None = None) -> int:
    """Return how many images in scope an encoder has embedded, however far they are.

    known: how many it has in each dataset of the scope, of whoever has looked just now.
    """
    if not scope.filters_images:
        in_datasets = sizes(encoder, scope.dataset_ids) if known is None else known
        return sum(in_datasets.values()) - _n_left_out(encoder, scope)
    return _count(encoder, scope)


def _n_left_out(encoder: Encoder, scope: Scope) -> int:
    """Return how many images of its datasets a scope names to be without."""
    if not scope.without_image_ids:
        return 0
    return _count(encoder, replace(scope, without_image_ids=(), only_image_ids=scope.without_image_ids))


def _count(encoder: Encoder, scope: Scope) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*) FROM search_embedding embedding {image_join(scope)} "
            f"WHERE embedding.encoder_id = %(encoder)s AND {conditions(scope)}",
            {"encoder": encoder.pk, **parameters(scope)},
        )
        (n,) = cursor.fetchone()
    return int(n)


def image_join(scope: Scope) -> str:
    """Return the join of `embedding` to the rows of images, `scoped`, where the scope has conditions on them."""
    return "JOIN search_image scoped ON scoped.id = embedding.image_id" if scope.filters_images else ""


def conditions(scope: Scope) -> str:
    """Return the scope as conditions on `embedding` and `scoped`, for the parameters of `parameters`."""
    fitting = [fitting_images(scope)] if scope.filters_images else []
    return " AND ".join([_IN_DATASETS, *_named(scope), *fitting])


def own_conditions(scope: Scope) -> str:
    """Return the scope as conditions on `embedding` alone: the images that fit are listed, their vectors looked up.

    Postgres goes through an index once for a whole list, where a join would begin at its root for each image.
    """
    listed = f"embedding.image_id = ANY(ARRAY(SELECT scoped.id FROM search_image scoped WHERE {fitting_images(scope)}))"
    return " AND ".join([_IN_DATASETS, *_named(scope), *([listed] if _image_conditions(scope) else [])])


def _named(scope: Scope) -> list[str]:
    """Return the conditions on `embedding` that name images."""
    found = ["embedding.image_id <> ALL(%(without)s)"] if scope.without_image_ids else []
    return [*found, "embedding.image_id = ANY(%(only)s)"] if scope.only_image_ids else found


def fitting_images(scope: Scope) -> str:
    """Return the conditions on rows of images, `scoped`, with their datasets, by which indexes of images begin."""
    return " AND ".join(["scoped.dataset_id = ANY(%(datasets)s)", *_image_conditions(scope)])


def _image_conditions(scope: Scope) -> list[str]:
    """Return the conditions on rows of images, `scoped`."""
    return [condition for field, condition in _CONDITIONS.items() if getattr(scope, field)]


def parameters(scope: Scope) -> dict[str, Any]:
    """Return what the conditions name."""
    return {
        "datasets": list(scope.dataset_ids),
        "without": list(scope.without_image_ids),
        "only": list(scope.only_image_ids),
        "splits": list(scope.splits),
        "labels": list(scope.labels),
        "tags": list(scope.tags),
        "formats": list(scope.formats),
        "orientation": _SIGNS.get(scope.orientation),
        "min_edge": scope.min_edge,
        "max_edge": scope.max_edge,
        "added_from": scope.added_from and _beginning(scope.added_from),
        "added_to": scope.added_to and _beginning(scope.added_to, days_later=1),
        "words": [f"%{_escaped(word)}%" for word in scope.words],
    }


def _beginning(day: date, days_later: int = 0) -> datetime:
    """Return when a day begins, or one after it; of days at the ends of all time that of the ends."""
    try:
        return timezone.make_aware(datetime.combine(day + timedelta(days=days_later), time.min))
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC) if day.year > MINYEAR else datetime.min.replace(tzinfo=UTC)


def _escaped(word: str) -> str:
    """Return a word in which the signs of a pattern stand for themselves."""
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
