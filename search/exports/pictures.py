"""Pictures of an archive: what each is, and its name there."""

from __future__ import annotations

from pathlib import PurePosixPath

from embeddings.images import rendition
from embeddings.images.decoding import content_of
from search.models import Image

RENDITION_EDGE = 1600


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
