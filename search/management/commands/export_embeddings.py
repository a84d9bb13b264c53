"""`manage.py export_embeddings`: the vectors of a dataset as a file for numpy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from search import encoders
from search.asking.scope import UnknownDataset, dataset_of_command
from search.exports import vectors
from search.management.site_command import SiteCommand


class Command(SiteCommand):
    help = (
        "Write the vectors of a dataset as an .npz: ids, vectors (float32), labels, splits, sources and sha256 of the "
        "images that the encoder has embedded, in the order of their ids."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE.npz", help="where to")
        parser.add_argument("--dataset", required=True, metavar="NAME", help="whose images")
        parser.add_argument("--encoder", default="", metavar="NAME", help="default: the site's default encoder")
        parser.add_argument("--json", action="store_true", help="end with one line of JSON on stdout")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            encoder = encoders.by_name(options["encoder"])
            dataset = dataset_of_command(options["dataset"])
            n_images = vectors.n_embedded(dataset, encoder)
        except (encoders.NoEncoder, UnknownDataset, vectors.NothingEmbedded) as error:
            raise CommandError(str(error)) from error
        path: Path = options["file"]
        try:
            with path.open("wb") as file:
                n_images = vectors.write_npz(file, dataset, encoder)
        except OSError as error:
            raise CommandError(f"{path} cannot be written: {error.strerror}") from error
        told = {"file": str(path), "encoder": encoder.name, "images": n_images, "dim": encoder.dim}
        self.stdout.write(
            json.dumps(told) if options["json"] else f"{n_images:,} vectors of {encoder.dim} numbers in {path}."
        )
