"""`manage.py train_encoder`: teach an encoder what counts in the pictures of a dataset."""

from __future__ import annotations

import json
import sys
from argparse import RawDescriptionHelpFormatter
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from search import encoders
from search.models import Dataset
from search.progress import Bars
from search.scope import UnknownDataset, scope_of_command
from search.training import running
from search.training.labelled import CannotTrain
from search.training.linear_head import HeadRequest

PRESETS = {
    "linear-head": "a matrix on the vectors that are stored already, fitted in seconds; no picture is read",
}


class Command(BaseCommand):
    help = "Train an encoder on the labelled images of a dataset. It answers no search until it is chosen."
    epilog = """presets:
{presets}

examples:
  manage.py train_encoder --preset linear-head --dataset grocery
  manage.py train_encoder --preset linear-head --dataset holidays --method centring
  manage.py search_image photo.jpg --dataset grocery --encoder mobilenet_v2-grocery-head
  manage.py use_encoder mobilenet_v2-grocery-head

Learnt from are the labelled images outside the test split; checked on are those of the val split, or 15 % of each
class where there is none. Which shrinkage ranks them best is found by mAP."""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        presets = "\n".join(f"  {name:<14} {words}" for name, words in PRESETS.items())
        kwargs.update(epilog=self.epilog.format(presets=presets), formatter_class=RawDescriptionHelpFormatter)
        return super().create_parser(prog_name, subcommand, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--preset", required=True, choices=list(PRESETS), help="the recipe")
        parser.add_argument("--dataset", required=True, metavar="NAME", help="what to learn from")
        parser.add_argument("--name", default="", help="of the new encoder (default: from backbone and dataset)")
        parser.add_argument("--backbone", default="", metavar="NAME", help="default: the site's default encoder")
        parser.add_argument(
            "--dim", type=int, metavar="N", help="numbers of a vector (default: all that tell classes apart)"
        )
        parser.add_argument("--seed", type=int, default=0, metavar="N", help="which images are set aside (default: 0)")
        head = parser.add_argument_group("linear-head")
        head.add_argument(
            "--method",
            default="discriminant",
            choices=["discriminant", "pca", "centring"],
            help="discriminant learns from labels; pca and centring need none (default: discriminant)",
        )
        head.add_argument("--shrinkage", type=float, metavar="S", help="0 to 1 (default: the best of eight)")
        parser.add_argument("--json", action="store_true", help="end with one line of JSON on stdout")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            request = self._request(options)
            with Bars(quiet=options["json"] and not sys.stderr.isatty()) as bars:
                report = running.fit_head(request, bars)
        except (CannotTrain, encoders.NoEncoder, UnknownDataset) as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            raise CommandError("Stopped. No encoder was made.", returncode=130) from None
        if options["json"]:
            self.stdout.write(json.dumps(report.as_json()))
        else:
            self._tell(report)

    def _request(self, options: dict[str, Any]) -> HeadRequest:
        if options["dim"] is not None and not 1 <= options["dim"] <= 4000:
            raise CannotTrain(f"--dim must be from 1 to 4000; got {options['dim']}.")
        if options["shrinkage"] is not None and not 0 < options["shrinkage"] <= 1:
            raise CannotTrain(f"--shrinkage must be above 0 and at most 1; got {options['shrinkage']}.")
        dataset = Dataset.objects.get(pk=scope_of_command(options["dataset"]).dataset_ids[0])
        backbone = encoders.by_name(options["backbone"])
        return HeadRequest(
            dataset=dataset,
            backbone=backbone,
            name=running.free_name(options["name"], f"{backbone.name}-{dataset.slug}-head"),
            method=options["method"],
            shrinkage=options["shrinkage"],
            dim=options["dim"],
            seed=options["seed"],
        )

    def _tell(self, report: running.Report) -> None:
        write, name = self.stdout.write, report.encoder.name
        write(
            self.style.SUCCESS(
                f"{name}: {report.encoder.dim} numbers an image, {report.n_embedded:,} images can be found with it, "
                f"{report.seconds:.1f} s."
            )
        )
        if checked := report.facts.get("validation"):
            write(
                f"mAP on {checked['n']:,} validation images: {checked['map_before']:.3f} before, "
                f"{checked['map_after']:.3f} with it (shrinkage {report.facts['shrinkage']})."
            )
        write(f"Try it:     manage.py search_image FILE --encoder {name}")
        write(f"The rest:   manage.py embed_images --encoder {name}")
        write(f"Choose it:  manage.py use_encoder {name}")
