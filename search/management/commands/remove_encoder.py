"""`manage.py remove_encoder`: remove an encoder with all that was made with it."""

from __future__ import annotations

import json
import sys
from typing import Any

from django.core.management.base import CommandError, CommandParser

from search import encoders
from search.encoders import removing
from search.encoders.removing import CannotRemove, Losses
from search.management.site_command import SiteCommand
from search.models import Encoder
from search.text import counted
from search.work.progress import Bars


class Command(SiteCommand):
    help = (
        "Remove an encoder with its vectors, its index, its files and its evaluations. Images and other encoders stay. "
        "The default encoder cannot be removed (choose another one first: manage.py use_encoder NAME), nor one that "
        "linear heads stand on. Searches do without it from the first moment. Killed half-way, run it again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="NAME", help="an installed or trained encoder")
        parser.add_argument("--yes", action="store_true", help="remove it without asking")
        parser.add_argument("--json", action="store_true", help="end with one line of JSON on stdout")

    def handle(self, *args: Any, **options: Any) -> None:
        encoder = self._encoder(options["name"])
        lost = removing.losses(encoder)
        try:
            if why := encoders.why_kept(encoder):
                raise CannotRemove(f"{encoder.name} cannot be removed: {why}.{_way_out(encoder)}")
            if not options["yes"] and not self._is_sure(encoder, lost):
                raise CommandError("Nothing was removed.")
            with Bars(quiet=options["json"] and not sys.stderr.isatty()) as bars:
                n_vectors = removing.carry_out(removing.begin(encoder), bars)
        except CannotRemove as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            raise CommandError("Stopped. Run it again: it goes on where it was.", returncode=130) from None
        if options["json"]:
            facts = {"vectors": n_vectors, "evaluations": lost.n_evaluations, "bytes": lost.n_bytes}
            self.stdout.write(json.dumps({"encoder": encoder.name, **facts}))
        else:
            self.stdout.write(self.style.SUCCESS(f"{encoder.name} is removed, with {n_vectors:,} vectors."))

    def _encoder(self, name: str) -> Encoder:
        going = Encoder.everything.filter(name=name, is_being_removed=True).first()
        try:
            return going or encoders.by_name(name)
        except encoders.NoEncoder as error:
            raise CommandError(str(error)) from error

    def _is_sure(self, encoder: Encoder, lost: Losses) -> bool:
        told = [counted(lost.n_vectors, "vector"), counted(lost.n_evaluations, "evaluation")]
        told += ["its index"] if lost.has_index else []
        self.stdout.write(f"{', '.join(told)} and {lost.n_bytes / 1e6:.1f} MB of files go with {encoder.name}.")
        if not sys.stdin.isatty():
            raise CommandError("Nothing was removed. To remove it without being asked, add --yes.")
        return input(f"Remove {encoder.name}? [y/N] ").strip().lower() in {"y", "yes"}


def _way_out(encoder: Encoder) -> str:
    return " Choose another one first: manage.py use_encoder NAME" if encoder.is_default else ""
