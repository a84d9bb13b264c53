"""`manage.py audit_index`: whether the indexes still find the nearest."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandError, CommandParser

from search import encoders, indexing
from search.management.site_command import SiteCommand
from search.models import Encoder
from search.quality import auditing


class Command(SiteCommand):
    help = (
        "Compare what the index of an encoder finds with a comparison of every vector, for a sample of the images. "
        "The scheduler does it each day; the encoder's page shows recall over time."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--encoder", default="", metavar="NAME", help="default: every encoder that has an index")
        parser.add_argument("--json", action="store_true", help="end with one line of JSON on stdout")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            chosen = [encoders.by_name(options["encoder"])] if options["encoder"] else list(Encoder.objects.all())
        except encoders.NoEncoder as error:
            raise CommandError(str(error)) from error
        found = [one for encoder in chosen if (one := auditing.audit(encoder)) is not None]
        if options["json"]:
            told = [{"encoder": one.encoder.name, **(auditing.summary(one) or {})} for one in found]
            self.stdout.write(json.dumps({"audits": told, "floor": auditing.FLOOR}))
            return
        for one in found:
            self.stdout.write(
                f"{one.encoder.name}: finds {one.recall:.2%} of the {one.k} nearest of {one.n_vectors:,} images "
                f"({one.n_queries} queries; {one.index_ms:.1f} ms, against {one.exact_ms:.1f} ms by comparing all)"
            )
            if advice := auditing.advice(one):
                self.stdout.write(self.style.WARNING(advice))
        audited = {one.encoder_id for one in found}
        small = [one for one in chosen if one.pk not in audited and indexing.is_valid(one)]
        for encoder in small:
            self.stdout.write(f"{encoder.name}: its index holds too few vectors to be audited.")
        if not found and not small:
            self.stdout.write("There is no index to audit: every search compares every image.")
