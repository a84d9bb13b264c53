"""The pictures of a dataset as a zip with a folder for each label, written while it is sent: one picture in memory."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Callable, Iterator
from io import StringIO

from embeddings.images import RefusedImage
from search.exports.cells import harmless
from search.exports.pictures import free_name, picture
from search.models import Dataset, Image

UNLABELLED = "unlabelled"
_N_AT_ONCE = 500


def imagefolder(dataset: Dataset, *, is_original: Callable[[Image], bool] = lambda image: True) -> Iterator[bytes]:
    """Give a zip, piece by piece: label/name, and labels.csv with the path, label and split of each.

    is_original: whether an image comes as it was imported, and not as a JPEG without metadata. What cannot be read is
    named in left_out.csv. Names lead nowhere, and no two are the same on any system.
    """
    sink = _Sink()
    labels, left_out = _Table("path", "label", "split"), _Table("source", "reason")
    taken: set[str] = set()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for image in Image.objects.filter(dataset=dataset).order_by("pk").iterator(_N_AT_ONCE):
            original = is_original(image)
            try:
                content = picture(image, original)
            except RefusedImage as error:
                left_out.add(image.source, error.reason)
                continue
            name = free_name(image, taken, "" if original else ".jpg", folder=UNLABELLED)
            taken.add(name.casefold())
            labels.add(name, image.label, image.split)
            archive.writestr(name, content)
            yield sink.taken()
        archive.writestr("labels.csv", labels.text)
        if left_out.n_rows:
            archive.writestr("left_out.csv", left_out.text)
    yield sink.taken()


class _Sink:
    """Where a zip is written to that is sent at once: it cannot go back, and zipfile does not need it to."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, piece: bytes) -> int:
        self._pieces.append(bytes(piece))
        return len(piece)

    def flush(self) -> None:
        """Leave everything to `taken`."""

    def close(self) -> None:
        """Keep the rest for `taken`."""

    def taken(self) -> bytes:
        """Return what was written since the last time."""
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken


class _Table:
    """A CSV that is small enough to be kept: a line for each picture."""

    def __init__(self, *columns: str) -> None:
        self._text = StringIO()
        self._writer = csv.writer(self._text, lineterminator="\r\n")
        self._writer.writerow(columns)
        self.n_rows = 0

    def add(self, *cells: str) -> None:
        self._writer.writerow([harmless(cell) for cell in cells])
        self.n_rows += 1

    @property
    def text(self) -> str:
        return self._text.getvalue()
