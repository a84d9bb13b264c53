"""`manage.py build_index`: build the HNSW index of an encoder."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from search import encoders, indexing
from search.management.site_command import SiteCommand
from search.work import index_builds


class Command(SiteCommand):
    help = (
        "Build the index of an encoder, beside running searches; one that stands is left alone. A long build shows on "
        "the page of the jobs how far it is."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--encoder", default="", metavar="NAME", help="default: the site's default encoder")
        parser.add_argument("--again", action="store_true", help="drop the one that stands and build it anew")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            encoder = encoders.by_name(options["encoder"])
        except encoders.NoEncoder as error:
            raise CommandError(str(error)) from error
        if options["again"]:
            indexing.drop(encoder)
        try:
            built = index_builds.build(encoder, report=self.stdout.write)
        except index_builds.BuildStopped as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"The index of {encoder.name} was built." if built else "Nothing had to be built.")
