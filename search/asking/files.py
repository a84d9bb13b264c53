"""The answer to a search as a file: rows for spreadsheets, JSON for programs; and chosen pictures as an archive."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable
from io import BytesIO
from typing import Any

from embeddings.images import RefusedImage
from search.asking.results import Results
from search.exports.pictures import free_name, picture
from search.models import Image

COLUMNS = "rank id source label dataset distance similarity chance url".split()
MOST_ZIPPED = 500
MOST_ZIPPED_BYTES = 300_000_000


class TooMuch(Exception):
    """More than an archive is made of at once; the message says how much that is."""


def rows_of(results: Results, root: str) -> list[dict[str, Any]]:
    """Return one row a hit, nearest first. root: what stands before the addresses of this site."""
    return [
        {
            "rank": rank,
            "id": one.hit.id,
            "source": one.hit.source,
            "label": one.hit.label,
            "dataset": one.hit.dataset,
            "distance": round(one.hit.distance, 6),
            "similarity": round(one.hit.similarity, 6) if results.shows_similarity else None,
            "chance": one.worth.chance if one.worth else None,
            "url": root + one.hit.url,
        }
        for rank, one in enumerate(results.judged, results.first)
    ]


def rows_of_images(images: Iterable[Image], root: str) -> list[dict[str, Any]]:
    """Return one row an image, of those columns that images have by themselves."""
    return [
        {
            "id": image.pk,
            "source": image.source,
            "label": image.label,
            "dataset": image.dataset.name,
            "tags": " ".join(image.tags) if image.tags else "",
            "width": image.width,
            "height": image.height,
            "sha256": image.sha256,
            "url": root + image.get_absolute_url(),
        }
        for image in images
    ]


def as_json(results: Results, rows: list[dict[str, Any]]) -> str:
    """Return rows as JSON with how they were found."""
    told = {
        "encoder": results.encoder.name,
        "exact": results.answer.exact,
        "n_searched": results.n_searched,
        "hits": rows,
    }
    return json.dumps(told, ensure_ascii=False, indent=1) + "\n"


def zipped(images: list[Image], *, originals: bool) -> bytes:
    """Return an archive of pictures, in a folder for each label: the originals, or JPEGs without metadata of them.

    What cannot be read is left out; of nothing there is no archive. Raises TooMuch.
    """
    n_bytes = sum(image.n_bytes for image in images)
    if len(images) > MOST_ZIPPED or n_bytes > MOST_ZIPPED_BYTES:
        raise TooMuch(f"{MOST_ZIPPED} pictures or {MOST_ZIPPED_BYTES // 1_000_000} MB fit into one archive.")
    content = BytesIO()
    taken: set[str] = set()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        for image in images:
            try:
                content_of_it = picture(image, originals)
            except RefusedImage:
                continue
            name = free_name(image, taken, "" if originals else ".jpg")
            taken.add(name.casefold())
            archive.writestr(name, content_of_it)
    return content.getvalue() if taken else b""
