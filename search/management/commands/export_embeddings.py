"""`manage.py export_embeddings`: the vectors of a dataset as a file for numpy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from django.core.management.base import BaseCommand, CommandError, CommandParser

from search import encoders, vectors
from search.asking.scope import UnknownDataset, scope_of_command
from search.models import Image


class Command(BaseCommand):
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
            scope = scope_of_command(options["dataset"])
        except (encoders.NoEncoder, UnknownDataset) as error:
            raise CommandError(str(error)) from error
        rows = Image.objects.filter(dataset__in=scope.dataset_ids)
        known = {row[0]: row[1:] for row in rows.values_list("pk", "label", "split", "source", "sha256")}
        ids, stored = vectors.read(encoder, list(known))
        if not ids:
            raise CommandError(
                f"{encoder.name} has embedded no image of {options['dataset']}. First run: "
                f"manage.py embed_images --encoder {encoder.name} --dataset {options['dataset']} --wait"
            )
        columns: dict[str, Any] = {
            name: np.array([known[image_id][place] for image_id in ids])
            for place, name in enumerate(("labels", "splits", "sources", "sha256"))
        }
        path: Path = options["file"]
        try:
            with path.open("wb") as file:
                np.savez(file, ids=np.array(ids), vectors=stored, **columns)
        except OSError as error:
            raise CommandError(f"{path} cannot be written: {error.strerror}") from error
        told = {"file": str(path), "encoder": encoder.name, "images": len(ids), "dim": encoder.dim}
        self.stdout.write(
            json.dumps(told) if options["json"] else f"{len(ids):,} vectors of {encoder.dim} numbers in {path}."
        )
