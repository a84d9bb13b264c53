"""Images found by words in their name, label or tags, where there is no picture to search with."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection

from search.models import Image
from search.neighbours import Scope, fitting_images, parameters

_ORDERS = {
    "": "scoped.label, scoped.source, scoped.id",
    "newest": "scoped.created_at DESC, scoped.id DESC",
    "oldest": "scoped.created_at, scoped.id",
    "largest": "scoped.width::bigint * scoped.height DESC, scoped.id",
    "smallest": "scoped.width::bigint * scoped.height, scoped.id",
}


@dataclass(frozen=True, kw_only=True)
class Found:
    """A page of images, after `offset`, out of how many."""

    images: list[Image]
    n_found: int
    offset: int

    @property
    def first(self) -> int:
        return self.offset + 1

    @property
    def last(self) -> int:
        return self.offset + len(self.images)

    @property
    def next_offset(self) -> int | None:
        return self.last if self.images and self.last < self.n_found else None


def find(scope: Scope, *, k: int, offset: int = 0, sort: str = "") -> Found:
    """Return the images in scope that can be searched with, by label and name where no other order is asked for."""
    conditions = fitting_images(scope)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT scoped.id, count(*) OVER () FROM search_image scoped
            WHERE scoped.status = 'ready' AND {conditions}
            ORDER BY {_ORDERS[sort]} LIMIT %(k)s OFFSET %(offset)s
            """,  # noqa: S608 -- a piece of `neighbours` and one of `_ORDERS`; the rest are parameters
            {**parameters(scope), "k": k, "offset": offset},
        )
        rows = cursor.fetchall()
        if not rows and offset:  # past the last page, of which there is nothing to count over
            cursor.execute(
                # As above.
                f"SELECT NULL, count(*) FROM search_image scoped WHERE scoped.status = 'ready' AND {conditions}",  # noqa: S608
                parameters(scope),
            )
            rows = cursor.fetchall()
    images = Image.objects.select_related("dataset").in_bulk([image_id for image_id, _ in rows])
    found = [images[image_id] for image_id, _ in rows if image_id in images]
    return Found(images=found, n_found=rows[0][1] if rows else 0, offset=offset)
