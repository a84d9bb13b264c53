"""`manage.py load_sample`: a gallery to try the search on, that needs no download."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from embeddings import sample
from search.encoders import NoEncoder
from search.ingest import importing
from search.ingest.errors import CannotImport
from search.ingest.requests import Request
from search.management.site_command import SiteCommand
from search.work.progress import Bars

DATASETS = {"Sample photographs": "photographs", "Sample drawings": "drawings"}


class Command(SiteCommand):
    help = (
        "Load the sample gallery: photographs with altered versions of each, and drawn pictures in labelled families."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        folder = Path(settings.VAR) / "sample"
        n_pictures = sample.write_sample(folder)
        self.stdout.write(f"{n_pictures} pictures in {folder}")
        for name, subfolder in DATASETS.items():
            request = Request(path=folder / subfolder, dataset=name, embeds_here=True, waits=True, in_place=True)
            try:
                with Bars() as bars:
                    report = importing.run(request, bars)
            except (NoEncoder, CannotImport) as error:
                raise CommandError(str(error)) from error
            self.stdout.write(f"{name}: {report.n_added} added, {report.n_unchanged} unchanged.")
