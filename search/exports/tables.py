"""What is known of the images of a dataset as CSV and as JSON, image by image: never all of it in memory."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from io import StringIO
from typing import Any

from search.exports.cells import harmless
from search.models import Dataset, Image

COLUMNS = ("id", "source", "label", "split", "tags", "sha256", "width", "height")
_N_AT_ONCE = 2_000


def facts(dataset: Dataset) -> Iterator[dict[str, Any]]:
    """Give what is known of each image, in the order of their ids: COLUMNS, tags as a list."""
    names = ("pk", *COLUMNS[1:])
    for row in Image.objects.filter(dataset=dataset).order_by("pk").values_list(*names).iterator(_N_AT_ONCE):
        yield dict(zip(COLUMNS, row, strict=True))


def as_csv(dataset: Dataset) -> Iterator[str]:
    """Give a CSV with a head, some rows at a time; tags stand with commas between them.

    Text that a spreadsheet would compute is quoted by an apostrophe.
    """
    text = StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    for row in facts(dataset):
        row["tags"] = ",".join(row["tags"])
        writer.writerow({name: harmless(value) for name, value in row.items()})
        if text.tell() > 60_000:
            yield _taken(text)
    yield _taken(text)


def as_json(dataset: Dataset) -> Iterator[str]:
    """Give a JSON object with the dataset's name and a list of its images, image by image."""
    yield f'{{"dataset": {json.dumps(dataset.name, ensure_ascii=False)}, "images": ['
    for place, row in enumerate(facts(dataset)):
        yield (",\n" if place else "\n") + json.dumps(row, ensure_ascii=False)
    yield "\n]}\n"


def _taken(text: StringIO) -> str:
    taken = text.getvalue()
    text.seek(0)
    text.truncate()
    return taken
