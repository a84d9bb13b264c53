"""`manage.py install_encoder`: get an encoder's weights, build its network, check it, make its row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from embeddings import specs
from embeddings.install import ConversionFailed
from embeddings.torch_files import UnreadableWeights, UnsafeWeights
from embeddings.weights import WeightsUnavailable, WrongWeights
from search import encoders, installing

FAILURES = (
    specs.UnknownEncoder,
    ConversionFailed,
    FileNotFoundError,
    UnreadableWeights,
    UnsafeWeights,
    WeightsUnavailable,
    WrongWeights,
)


class Command(BaseCommand):
    help = "Install an encoder: get its weights, check them, build and export the network, make its row. Repeatable."

    def add_arguments(self, parser: CommandParser) -> None:
        known = "; ".join(f"{spec.name}: {spec.description}" for spec in specs.SPECS.values())
        parser.add_argument("name", metavar="NAME", help=known)
        parser.add_argument(
            "--weights", type=Path, metavar="FILE", help="weights from a file, where there is no network"
        )
        parser.add_argument("--default", action="store_true", help="make it the encoder that answers searches")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            encoder = installing.install(options["name"], options["weights"], report=self.stdout.write)
        except FAILURES as error:
            raise CommandError(str(error)) from error
        if options["default"]:
            encoders.set_default(encoder)
        self.stdout.write(self.style.SUCCESS(f"{encoder.name} is installed ({encoder.dim} numbers an image)."))
