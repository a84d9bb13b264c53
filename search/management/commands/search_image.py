"""`manage.py search_image`: search with a picture from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from embeddings.images import RefusedImage
from search.asking import programs
from search.asking.results import Page
from search.asking.scope import UnknownDataset, scope_of_command
from search.encoders import NoEncoder
from search.management.site_command import SiteCommand
from search.paths import NoSuchHome, user_path


class Command(SiteCommand):
    help = "Show the images most like a picture."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", type=Path, help="the picture to search with")
        parser.add_argument("--dataset", default="", metavar="NAME", help="search only this dataset")
        parser.add_argument("--encoder", default="", metavar="NAME", help="default: the site's default encoder")
        parser.add_argument("-k", default="10", metavar="N", help="how many images, 1 to 1000 (default: 10)")
        parser.add_argument("--crop", metavar="X,Y,W,H", help="search with a part of it, as fractions of the picture")
        parser.add_argument("--json", action="store_true", help="one line of JSON on stdout")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            result = programs.by_picture(
                user_path(options["file"]),
                lambda: scope_of_command(options["dataset"]),
                encoder=options["encoder"],
                page=Page(k=programs.read_k(options["k"])),
                crop=programs.read_crop(options["crop"]) if options["crop"] else None,
            )
        except RefusedImage as error:
            raise CommandError(f"{options['file']}: {error.reason}") from error
        except (programs.BadRequest, NoEncoder, UnknownDataset, NoSuchHome) as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(result.as_json()))
            return
        for hit, worth in zip(result.answer.hits, result.worths, strict=True):
            told = f"  ({worth.words})" if worth else ""
            self.stdout.write(f"{hit.similarity:7.4f}  {hit.label or '-':<24} {hit.dataset}: {hit.source}{told}")
        if not result.answer.hits:
            self.stdout.write("Nothing to compare with yet: import pictures with manage.py import_images.")
