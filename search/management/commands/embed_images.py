"""`manage.py embed_images`: embed what an encoder has still to embed."""

from __future__ import annotations

import json
import sys
from typing import Any

from django.core.management.base import CommandError, CommandParser

from search import encoders
from search.asking.scope import UnknownDataset, scope_of_command
from search.management.site_command import SiteCommand
from search.work import filling
from search.work.local_workers import EmbeddingStopped
from search.work.progress import Bars


class Command(SiteCommand):
    help = "Embed the images that have no vector of an encoder yet, with the workers or, with --sync, in this command."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--encoder", default="", metavar="NAME", help="default: the site's default encoder")
        parser.add_argument("--dataset", default="", metavar="NAME", help="only this dataset")
        parser.add_argument("--wait", action="store_true", help="wait until the workers have embedded them")
        parser.add_argument("--sync", action="store_true", help="embed here, on all cores; needs no worker")
        parser.add_argument("--json", action="store_true", help="end with one line of JSON on stdout")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            encoder = encoders.by_name(options["encoder"])
            dataset_ids = scope_of_command(options["dataset"]).dataset_ids if options["dataset"] else None
            with Bars(quiet=options["json"] and not sys.stderr.isatty()) as bars:
                filled = filling.fill(
                    encoder, dataset_ids, here=options["sync"], waits=options["wait"], bars=bars, as_job=True
                )
        except (encoders.NoEncoder, UnknownDataset, EmbeddingStopped) as error:
            raise CommandError(str(error)) from error
        is_over = options["sync"] or options["wait"]
        if options["json"]:
            facts = {"missing": filled.n_missing, "left": filled.n_left, "job": filled.job and filled.job.pk}
            self.stdout.write(json.dumps({"encoder": encoder.name, **facts}))
        elif not is_over:
            self.stdout.write(f"{filled.n_missing} images were sent to the workers.")
        else:
            self.stdout.write(f"{filled.n_missing - filled.n_left} images were embedded with {encoder.name}.")
        if is_over and filled.n_left:
            raise CommandError(
                f"{filled.n_left} images have no vector of {encoder.name} still: their files cannot be read any more,"
                " or no worker answers. The log of the worker says which."
            )
