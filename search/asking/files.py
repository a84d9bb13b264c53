"""The answer to a search as a file: CSV for spreadsheets, JSON for programs; and chosen pictures as an archive."""

from __future__ import annotations

import csv
import json
import zipfile
from collections.abc import Iterable
from io import BytesIO, StringIO
from pathlib import PurePosixPath
from typing import Any

from embeddings.images import RefusedImage, rendition
from embeddings.images.decoding import content_of
from search.asking.results import Results
from search.models import Image

COLUMNS = "rank id source label dataset distance similarity chance url".split()
# Spreadsheets take a cell that begins so for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
MOST_ZIPPED = 500
MOST_ZIPPED_BYTES = 300_000_000
RENDITION_EDGE = 1600


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


def as_csv(rows: list[dict[str, Any]], columns: list[str]) -> str:
    """Return rows as CSV with a head; text that a spreadsheet would compute is quoted by an apostrophe."""
    text = StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({name: harmless(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


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


def picture(image: Image, original: bool) -> bytes:
    """Return a picture as it was imported, or as a JPEG without metadata. Raises RefusedImage where it is not there."""
    return content_of(image.original) if original else rendition(image.original, long_edge=RENDITION_EDGE)


def free_name(image: Image, taken: set[str], suffix: str, *, folder: str = "") -> str:
    """Return a name that no picture of an archive has, on systems too that take capitals for small letters.

    taken: the names there, casefolded. folder: where pictures without a label lie.
    """
    path = PurePosixPath(_as_name(image.name, " -_.()") or str(image.pk))
    path = path.with_suffix(suffix) if suffix else path
    folder = _as_name(image.label, " -_") or folder
    stem = f"{folder}/{path.stem}" if folder else path.stem
    while f"{stem}{path.suffix}".casefold() in taken:
        stem = f"{stem}-{image.pk}"
    return f"{stem}{path.suffix}"


def _as_name(text: str, signs: str) -> str:
    """Return text as a name that leads nowhere on any system; empty where nothing is left of it."""
    return "".join(letter if letter.isalnum() or letter in signs else "_" for letter in text).strip(" .")


def harmless(value: Any) -> Any:
    """Return a cell as it is, and text that a spreadsheet would compute quoted by an apostrophe."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
