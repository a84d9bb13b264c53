"""`manage.py embed_images`: embed what an encoder has still to embed."""

from __future__ import annotations

import sys
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from search import encoders, indexing
from search.progress import Bars
from search.scope import UnknownDataset, scope_of_command
from search.work import reconciling
from search.work.local_workers import LocalWorkers


class Command(BaseCommand):
    help = "Embed the images that have no vector of an encoder yet, with the workers or, with --sync, in this command."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--encoder", default="", metavar="NAME", help="default: the site's default encoder")
        parser.add_argument("--dataset", default="", metavar="NAME", help="only this dataset")
        parser.add_argument("--sync", action="store_true", help="embed here, on all cores; needs no worker")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            encoder = encoders.by_name(options["encoder"])
            dataset_ids = scope_of_command(options["dataset"]).dataset_ids
        except (encoders.NoEncoder, UnknownDataset) as error:
            raise CommandError(str(error)) from error
        dataset_id = dataset_ids[0] if options["dataset"] else None
        if not options["sync"]:
            n_sent = reconciling.send_missing(encoder, dataset_id)
            self.stdout.write(f"{n_sent} images were sent to the workers.")
            return
        ids = reconciling.missing_ids(encoder, dataset_id)
        local = LocalWorkers(encoder)
        with Bars(quiet=not sys.stderr.isatty()) as bars:
            try:
                local.send(ids)
                while not local.is_done():
                    bars.move("embedding", local.n_embedded, len(ids), f"{local.n_embedded} of {len(ids)}")
                    time.sleep(0.3)
            finally:
                local.close()
        if indexing.is_worthwhile(encoder):
            indexing.build(encoder, report=self.stdout.write)
        self.stdout.write(f"{local.n_embedded} images were embedded with {encoder.name}.")
