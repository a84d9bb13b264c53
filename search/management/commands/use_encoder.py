"""`manage.py use_encoder`: choose the encoder that answers searches."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from search import encoders
from search.management.site_command import SiteCommand
from search.work import missing


class Command(SiteCommand):
    help = "Make an encoder the one that answers searches; the one before stays, and can be chosen again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="NAME", help="an installed or trained encoder")
        parser.add_argument("--anyway", action="store_true", help="also where it has not embedded every image")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            before, encoder = encoders.default(), encoders.by_name(options["name"])
            encoders.network(encoder)  # an encoder that cannot be loaded must not answer searches
        except encoders.NoEncoder as error:
            raise CommandError(str(error)) from error
        if encoder == before:
            self.stdout.write(f"{encoder.name} answers searches already.")
            return
        n_missing = missing.n_missing(encoder)
        if n_missing and not options["anyway"]:
            raise CommandError(
                f"{encoder.name} has not embedded {n_missing:,} images yet, which nobody would find. Run: manage.py "
                f"embed_images --encoder {encoder.name} --wait, or choose it --anyway."
            )
        encoders.set_default(encoder)
        self.stdout.write(f"{encoder.name} answers searches now. Back: manage.py use_encoder {before.name}")
