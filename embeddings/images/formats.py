"""Which formats can be read here: a small picture of each is written and read back."""

from __future__ import annotations

from io import BytesIO

from PIL import Image

from embeddings.images.decoding import FORMATS, decoded
from embeddings.images.refusals import RefusedImage

_EDGE = 16


def unreadable_formats() -> list[str]:
    """Return the formats, of those that are promised, that this machine's libraries cannot read; normally none."""
    return [name for name in FORMATS if not _is_readable(name)]


def _is_readable(name: str) -> bool:
    content = BytesIO()
    try:
        Image.new("RGB", (_EDGE, _EDGE), "teal").save(content, name)
        header, picture = decoded(content.getvalue(), edge=_EDGE, long_edge=_EDGE)
    except (OSError, ValueError, KeyError, RefusedImage):  # a library is missing, or built without the format
        return False
    return header.format == name and picture.size == (_EDGE, _EDGE)
