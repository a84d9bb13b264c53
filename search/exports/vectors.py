"""The vectors of a dataset as files: .npz for numpy, Parquet for tables. Both are written a piece at a time."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from search import vectors
from search.bulk import batches
from search.exports import tables
from search.models import Dataset, Embedding, Encoder

_N_AT_ONCE = 4_096


class NothingEmbedded(Exception):
    """The encoder has no vectors of the dataset. The message says how to get some."""


class ParquetMissing(Exception):
    """The library that writes Parquet is not installed. The message says which."""


def write_npz(target: IO[bytes], dataset: Dataset, encoder: Encoder) -> int:
    """Write ids (int64), vectors (float32, n x dim), labels, splits, sources and sha256; return how many images.

    They are those that the encoder has embedded, in the order of their ids. Raises NothingEmbedded.
    """
    with tempfile.TemporaryFile() as numbers:
        rows = []
        for known, found in _pieces(dataset, encoder):
            rows += known
            numbers.write(found.astype("<f4", copy=False).tobytes())
        numbers.seek(0)
        columns = {"ids": np.array([row["id"] for row in rows], np.int64)}
        for name, key in (("labels", "label"), ("splits", "split"), ("sources", "source"), ("sha256", "sha256")):
            columns[name] = np.array([row[key] for row in rows])
        with zipfile.ZipFile(target, "w") as archive:
            for name, column in columns.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                    np.lib.format.write_array(file, column)
            with archive.open("vectors.npy", "w", force_zip64=True) as file:
                shape = {"descr": "<f4", "fortran_order": False, "shape": (len(rows), encoder.dim)}
                np.lib.format.write_array_header_1_0(file, shape)
                shutil.copyfileobj(numbers, file, 1 << 20)
    return len(rows)


def write_parquet(target: IO[bytes], dataset: Dataset, encoder: Encoder) -> int:
    """Write a row for each image that an encoder has embedded: what is known of it, and its vector; return how many.

    Raises NothingEmbedded, ParquetMissing.
    """
    try:
        # Large, and needed for this alone.
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise ParquetMissing(
            "Parquet is written by pyarrow, which is not installed here: pip install pyarrow. Or take .npz."
        ) from error
    text, number = pa.string(), pa.int32()
    kinds = [pa.int64(), text, text, text, pa.list_(text), text, number, number]
    fields = [pa.field(name, kind) for name, kind in zip(tables.COLUMNS, kinds, strict=True)]
    schema = pa.schema([*fields, pa.field("vector", pa.list_(pa.float32(), encoder.dim))])
    schema = schema.with_metadata({"dataset": dataset.name, "encoder": encoder.name})
    n = 0
    with parquet.ParquetWriter(target, schema) as writer:
        for rows, found in _pieces(dataset, encoder):
            columns = [pa.array([row[field.name] for row in rows], field.type) for field in fields]
            numbers = pa.FixedSizeListArray.from_arrays(pa.array(found.ravel(), pa.float32()), encoder.dim)
            writer.write_table(pa.Table.from_arrays([*columns, numbers], schema=schema))
            n += len(rows)
    return n


def n_embedded(dataset: Dataset, encoder: Encoder) -> int:
    """Return how many images of a dataset an encoder has embedded. Raises NothingEmbedded for none."""
    n = Embedding.objects.filter(encoder=encoder, dataset=dataset).count()
    if not n:
        raise NothingEmbedded(
            f"{encoder.name} has embedded no image of {dataset.slug}. First run: "
            f"manage.py embed_images --encoder {encoder.name} --dataset {dataset.slug} --wait"
        )
    return n


def _pieces(dataset: Dataset, encoder: Encoder) -> Iterator[tuple[list[dict[str, Any]], NDArray[np.float32]]]:
    """Give what is known of images and their vectors, some at a time, in the order of their ids."""
    n_embedded(dataset, encoder)
    known = {row["id"]: row for row in tables.facts(dataset)}
    for ids in batches(list(known), _N_AT_ONCE):
        found, numbers = vectors.read(encoder, ids)
        if found:
            yield [known[pk] for pk in found], numbers
