"""What is wanted of a file, and how that is made: the same in whatever process it is decoded.

Another process is told what is wanted as JSON, and answers with some JSON and some bytes.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from embeddings.images import decoding, inputs
from embeddings.images.decoding import Header
from embeddings.images.inputs import Crop
from embeddings.images.renditions import fitted, jpeg, phash

THUMBNAIL_EDGE: Final = 400
PREVIEW_EDGE: Final = 1280
PREVIEW_LEAST_EDGE: Final = 960  # a decode of this size serves for the preview too

Made = TypeVar("Made")
Decoded = tuple[Header, Image.Image]
Packed = tuple[dict[str, Any], list[bytes]]


class Wanted(Protocol[Made]):
    """Something that is wanted of a file; a dataclass of what JSON holds."""

    def of(self, content: bytes) -> Made:
        """Decode a file, and make of it what is wanted. Raises RefusedImage."""
        ...

    def packed(self, made: Made) -> Packed:
        """Return what was made as it goes to another process."""
        ...

    def unpacked(self, packed: Packed) -> Made:
        """Return what another process has made."""
        ...


@dataclass(frozen=True, kw_only=True)
class Pixels:
    """A picture as `decoding.decoded` gives it."""

    edge: int
    long_edge: int

    def of(self, content: bytes) -> Decoded:
        return decoding.decoded(content, edge=self.edge, long_edge=self.long_edge)

    def packed(self, made: Decoded) -> Packed:
        header, picture = made
        return {"header": vars(header), "size": picture.size}, [picture.tobytes()]

    def unpacked(self, packed: Packed) -> Decoded:
        told, (pixels,) = packed
        return Header(**told["header"]), Image.frombuffer("RGB", tuple(told["size"]), pixels, "raw", "RGB", 0, 1)


@dataclass(frozen=True, kw_only=True, eq=False)
class PreparedQuery(Header):
    """All that a search needs of a picture; phash and input are of the crop where there is one.

    phash: 64 characters 0 or 1. preview: JPEG of the whole picture, to show and to crop again. Both are empty if they
    were not asked for. input: uint8 (size, size, 3), RGB, read-only.
    """

    phash: str
    preview: bytes
    input: NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class QueryParts:
    """All that a search needs of a picture. crop: as fractions of the upright picture."""

    input_size: int
    crop: Crop | None = None
    preview: bool = True
    phash: bool = True

    def of(self, content: bytes) -> PreparedQuery:
        """Decode once, with one more decode where that is too small for a preview."""
        edge = inputs.edge_for(self.input_size, self.crop)
        header, picture = decoding.decoded(content, edge=edge, long_edge=THUMBNAIL_EDGE)
        region = inputs.region(picture, self.crop)
        return PreparedQuery(
            **vars(header),
            phash=phash(region) if self.phash else "",
            preview=_preview(content, header, picture) if self.preview else b"",
            input=np.asarray(inputs.squashed(region, self.input_size)),
        )

    def packed(self, made: PreparedQuery) -> Packed:
        told = {name: value for name, value in vars(made).items() if name not in {"preview", "input"}}
        return told, [made.preview, made.input.tobytes()]

    def unpacked(self, packed: Packed) -> PreparedQuery:
        told, (preview, pixels) = packed
        square = np.frombuffer(pixels, np.uint8).reshape(self.input_size, self.input_size, 3)
        return PreparedQuery(**told, preview=preview, input=square)


def as_json(wanted: Wanted[Any]) -> dict[str, Any]:
    """Return what is wanted as another process reads it by `read`."""
    return {"kind": type(wanted).__name__, **asdict(wanted)}  # type: ignore[call-overload]  # all are dataclasses


def read(told: dict[str, Any]) -> Wanted[Any]:
    """Return what another process wants."""
    kinds: dict[str, type[Pixels | QueryParts]] = {kind.__name__: kind for kind in (Pixels, QueryParts)}
    return kinds[told.pop("kind")](**told)


def _preview(content: bytes, header: Header, picture: Image.Image) -> bytes:
    # A decode too small for the preview is not made larger but repeated: the input's pixels stay those of `prepare`.
    if max(picture.size) < min(PREVIEW_LEAST_EDGE, max(header.width, header.height)):
        header, picture = decoding.decoded(content, edge=1, long_edge=PREVIEW_EDGE)
        return jpeg(fitted(picture, header.size, PREVIEW_EDGE), quality=90)
    return jpeg(fitted(picture, picture.size, PREVIEW_EDGE), quality=90)
