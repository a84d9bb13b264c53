"""`manage.py export_dataset`: a dataset as a file."""

from __future__ import annotations

import json
from argparse import RawDescriptionHelpFormatter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from django.core.management.base import CommandError, CommandParser

from search import encoders
from search.asking.scope import UnknownDataset, dataset_of_command
from search.exports import folders, tables, vectors
from search.management.site_command import SiteCommand
from search.models import Dataset
from search.text import counted

FORMATS = ("csv", "json", "npz", "parquet", "imagefolder")
EXAMPLES = """examples:
  manage.py export_dataset Flowers --format csv flowers.csv
  manage.py export_dataset Flowers --format npz --encoder mobilenet_v2 flowers.npz
  manage.py export_dataset Flowers --format imagefolder flowers.zip

csv, json    what is known of each image: id, source, label, split, tags, sha256, width, height
npz          ids, vectors (float32), labels, splits, sources, sha256, of the images that the encoder has embedded
parquet      the same as a table: all columns of csv, and the vector
imagefolder  a zip of the originals, label/name, with labels.csv (path, label, split), which import_images reads again
"""


class Command(SiteCommand):
    help = "Write a dataset as a file: its labels, its vectors or its pictures."

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        kwargs.update(epilog=EXAMPLES, formatter_class=RawDescriptionHelpFormatter)
        return super().create_parser(prog_name, subcommand, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("dataset", metavar="NAME", help="the name or the slug of the dataset")
        parser.add_argument("file", type=Path, metavar="OUT", help="where to; what is there is overwritten")
        parser.add_argument("--format", choices=FORMATS, default="csv", help="default: csv")
        parser.add_argument("--encoder", default="", metavar="NAME", help="whose vectors; default: the default encoder")
        parser.add_argument("--json", action="store_true", help="end with one line of JSON on stdout")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        try:
            dataset = dataset_of_command(options["dataset"])
            if path.is_dir():
                raise CommandError(f"{path} cannot be written: It is a folder. Name a file.")
            with _whole(path) as file:
                n_images = _write(file, dataset, options["format"], options["encoder"])
        except (UnknownDataset, encoders.NoEncoder, vectors.NothingEmbedded, vectors.ParquetMissing) as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"{path} cannot be written: {error.strerror}") from error
        told = {"file": str(path), "dataset": dataset.name, "format": options["format"], "images": n_images}
        self.stdout.write(json.dumps(told) if options["json"] else f"{counted(n_images, 'image')} in {path}.")


@contextmanager
def _whole(path: Path) -> Iterator[IO[bytes]]:
    """Open a file to write, which gets its name when it is complete: what is there goes only then."""
    draft = path.with_name(f"{path.name}.part")
    try:
        with draft.open("wb") as file:
            yield file
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _write(file: IO[bytes], dataset: Dataset, kind: str, encoder: str) -> int:
    """Write a dataset; return how many images it is about."""
    if kind == "npz":
        return vectors.write_npz(file, dataset, encoders.by_name(encoder))
    if kind == "parquet":
        return vectors.write_parquet(file, dataset, encoders.by_name(encoder))
    if kind == "imagefolder":
        file.writelines(folders.imagefolder(dataset))
    else:
        file.writelines(piece.encode() for piece in (tables.as_csv if kind == "csv" else tables.as_json)(dataset))
    return dataset.images.count()
