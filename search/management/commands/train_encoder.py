"""`manage.py train_encoder`: teach an encoder what counts in the pictures of a dataset."""

from __future__ import annotations

import json
import sys
import time
from argparse import RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from embeddings.specs import UnknownEncoder
from search import encoders
from search.asking.scope import UnknownDataset, dataset_of_command
from search.management.site_command import SiteCommand
from search.models import Dataset, Job
from search.training import preview, requests, running
from search.training.dividing import CannotTrain
from search.training.requests import Wanted
from search.training.runs import RunStopped
from search.work.local_workers import EmbeddingStopped
from search.work.progress import Bars

FAILURES = (CannotTrain, RunStopped, EmbeddingStopped, encoders.NoEncoder, UnknownDataset, UnknownEncoder)
# Options that take the place of a field of the preset, by their type.
NUMBERS: dict[str, tuple[type, str]] = {
    "epochs": (int, "times through the images, or through --batches-per-epoch"),
    "batch-size": (int, "images in a batch, for cross-entropy, proxy-anchor and the autoencoder"),
    "classes-per-batch": (int, "for losses that compare the images of a batch"),
    "images-per-class": (int, "in such a batch"),
    "batches-per-epoch": (int, "0: each image once an epoch"),
    "learning-rate": (float, "of Adam"),
    "fine-tuning-rate": (float, "of Adam, once the backbone learns too"),
    "frozen-epochs": (int, "first epochs, in which the backbone stays as it is"),
    "n-trainable-layers": (int, "last layers of the backbone that learn afterwards; 0: all"),
    "temperature": (float, "of pairs and supervised-contrastive"),
    "patience": (int, "epochs without a better validation after which it ends; 0: never early"),
    "input-size": (int, "edge of the square that an image is squashed to"),
}


class Command(SiteCommand):
    help = "Train an encoder on the images of a dataset. It answers no search until it is chosen."
    epilog = """presets:
{presets}

examples:
  manage.py train_encoder --preset linear-head --dataset grocery
  manage.py train_encoder --preset linear-head --dataset holidays --feedback
  manage.py train_encoder --preset metric-pairs --dataset cifar10 --dim 64 --depth residual --jitter
  manage.py train_encoder --preset fine-tune --dataset grocery --loss proxy-anchor --epochs 10
  manage.py embed_images --encoder mobilenet_v2-grocery-head --wait
  manage.py use_encoder mobilenet_v2-grocery-head

Learnt from are the labelled images outside the test split; checked on are those of the val split, or 15 % of each
class where there is none. mobilenet-classifier is tested at the end as well, on the images of the test split, or 10 %
of each class. The epoch with the best validation is kept. A run that was stopped or killed goes on with --resume and
its number."""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        presets = "\n".join(f"  {name:<21} {words}" for name, words in requests.SUMMARIES.items())
        kwargs.update(epilog=self.epilog.format(presets=presets), formatter_class=RawDescriptionHelpFormatter)
        return super().create_parser(prog_name, subcommand, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--preset", choices=list(requests.SUMMARIES), help="the recipe")
        parser.add_argument("--dataset", metavar="NAME", help="what to learn from")
        parser.add_argument("--resume", type=int, metavar="JOB", help="go on with a run that was stopped or killed")
        parser.add_argument("--name", default="", help="of the new encoder (default: from preset and dataset)")
        parser.add_argument(
            "--backbone", default="", metavar="NAME", help="an installed encoder (default: the preset's)"
        )
        parser.add_argument("--dim", type=int, metavar="N", help="numbers of a vector")
        parser.add_argument(
            "--seed", type=int, default=0, metavar="N", help="of all that is drawn by chance (default: 0)"
        )
        parser.add_argument("--no-wait", action="store_true", help="leave it to the worker that trains")
        parser.add_argument("--no-embed", action="store_true", help="do not embed the dataset with it afterwards")
        parser.add_argument("--json", action="store_true", help="end with one line of JSON on stdout")
        parser.add_argument("--preview", type=Path, metavar="FILE.png", help="write augmented samples, train nothing")
        head = parser.add_argument_group("linear-head")
        head.add_argument(
            "--method",
            choices=["discriminant", "pca", "centring"],
            help="discriminant learns from labels; pca and centring need none (default: discriminant)",
        )
        head.add_argument("--shrinkage", type=float, metavar="S", help="0 to 1 (default: the best of eight)")
        head.add_argument(
            "--feedback", action="store_true", default=None, help="learn from marks of searches, with or without labels"
        )
        network = parser.add_argument_group("networks (default of each: the preset's)")
        network.add_argument("--loss", choices=requests.LOSSES)
        network.add_argument("--pooling", choices=["average", "flatten"], help="how places become one vector")
        network.add_argument("--depth", choices=["published", "residual"], help="of the network of metric-pairs")
        network.add_argument("--schedule", choices=["constant", "cosine"], help="of the learning rate over the epochs")
        network.add_argument("--distance", choices=["cosine", "l2"])
        network.add_argument("--augmentation", metavar="NAMES", help="with commas; none switches all off")
        network.add_argument("--jitter", action="store_true", default=None, help="shift and mirror small images")
        network.add_argument("--from-scratch", action="store_true", default=None, help="begin with random weights")
        for name, (kind, words) in NUMBERS.items():
            network.add_argument(f"--{name}", type=kind, metavar="N", help=words)

    def handle(self, *args: Any, **options: Any) -> None:
        started = time.monotonic()
        try:
            with Bars(quiet=options["json"] and not sys.stderr.isatty()) as bars:
                report = self._run(options, bars)
        except FAILURES as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            raise CommandError("Stopped. The job's page says how to go on.", returncode=130) from None
        if isinstance(report, Path):
            self.stdout.write(json.dumps({"preview": str(report)}) if options["json"] else f"Look at {report}.")
        elif isinstance(report, Job):
            self._tell_job(report, options["json"])
        elif options["json"]:
            self.stdout.write(json.dumps({**report.as_json(), "seconds": round(time.monotonic() - started, 2)}))
        else:
            self._tell(report)

    def _run(self, options: dict[str, Any], bars: Bars) -> running.Report | Job | Path:
        if options["resume"]:
            return running.resume(options["resume"], embeds=not options["no_embed"], bars=bars)
        if not options["preset"] or not options["dataset"]:
            raise CannotTrain("Name a --preset and a --dataset, or a run to --resume.")
        dataset = dataset_of_command(options["dataset"])
        wanted = self._wanted(options, dataset)
        if options["preview"]:
            names = requests.augmentations(wanted)
            preview.write_preview(dataset, names, options["seed"], options["preview"])
            return options["preview"]
        job = running.begin(wanted)
        if options["no_wait"]:
            running.send(job)
            return job
        return running.carry_out(job, embeds=not options["no_embed"], bars=bars)

    def _wanted(self, options: dict[str, Any], dataset: Dataset) -> Wanted:
        names = ["dim", "seed", "method", "shrinkage", "loss", "pooling", "depth", "schedule", "distance"]
        names += ["jitter", "from_scratch", "feedback"]
        changes = {name: options[name] for name in [*names, *(name.replace("-", "_") for name in NUMBERS)]}
        if options["augmentation"] is not None:
            words = [word.strip() for word in options["augmentation"].split(",")]
            changes["augmentation"] = tuple(word for word in words if word and word != "none")
        return Wanted(
            preset=options["preset"],
            dataset=dataset,
            name=options["name"],
            backbone=options["backbone"],
            changes=changes,
        )

    def _tell_job(self, job: Job, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps({"job": job.pk, "name": job.parameters["name"]}))
        else:
            self.stdout.write(f"Training {job.parameters['name']} as job {job.pk}. Watch it: {job.get_absolute_url()}")

    def _tell(self, report: running.Report) -> None:
        write, name = self.stdout.write, report.encoder.name
        write(
            self.style.SUCCESS(
                f"{name}: {report.encoder.dim} numbers an image, {report.n_embedded:,} images can be found with it, "
                f"{report.seconds:.1f} s."
            )
        )
        if told := report.facts.get("feedback"):
            write(_of_feedback(told))
        if checked := report.facts.get("validation"):
            write(
                f"mAP on {checked['n']:,} validation images: {checked['map_before']:.3f} before, "
                f"{checked['map_after']:.3f} with it (shrinkage {report.facts['shrinkage']})."
            )
        if "test_accuracy" in report.facts:
            write(f"It names {report.facts['test_accuracy']:.1%} of {report.facts['n_tested']:,} test images rightly.")
        if "reconstructions" in report.facts:
            write(f"Look at:    {report.facts['reconstructions']} (pictures, and below them what it draws of them)")
        write(f"Try it:     manage.py search_image FILE --encoder {name}")
        write(f"The rest:   manage.py embed_images --encoder {name}")
        write(f"Choose it:  manage.py use_encoder {name}")


def _of_feedback(told: dict[str, Any]) -> str:
    """Tell what feedback taught, on searches that were held out, and whether that may be chance."""
    words = (
        f"Trained with {told['n_searches']:,} searches of feedback. Of held-out searches it orders "
        f"{told['after']:.1%} of {told['n_triplets']:,} triplets rightly, {told['before']:.1%} before: "
        f"{told['difference']:+.3f} [{told['low']:+.3f}, {told['high']:+.3f}]."
    )
    return words if told["is_real"] else f"{words} That may be chance."
