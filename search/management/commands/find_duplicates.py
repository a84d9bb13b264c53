"""`manage.py find_duplicates`: which images of a dataset are the same picture."""

from __future__ import annotations

import json
import sys
from argparse import RawDescriptionHelpFormatter
from typing import Any

from django.core.management.base import CommandError, CommandParser

from search import encoders
from search.asking.scope import UnknownDataset, scope_of_command
from search.management.site_command import SiteCommand
from search.models import Dataset, Job
from search.reviewing import running
from search.reviewing.running import Report
from search.text import counted
from search.work import jobs
from search.work.progress import Bars


class Command(SiteCommand):
    help = "Find the images of a dataset that are the same picture: copies, edited, turned, or cut out of each other."
    epilog = """examples:
  manage.py find_duplicates --dataset holidays
  manage.py find_duplicates --dataset holidays --also archive
  manage.py find_duplicates                      every dataset, one after the other
  manage.py find_duplicates --dataset holidays --json

Candidates come from indexes: the same content in two datasets, perceptual hashes within 10 of 64 bits, and the five
nearest vectors within a distance of .15. Each pair of them is then looked at: two small grey pictures are laid over
each other. A small distance alone is never enough.

Nothing is deleted. What was found waits on the dataset's page "duplicates", where somebody decides; each search
replaces what the one before it found, and decisions stay."""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        kwargs.update(epilog=self.epilog, formatter_class=RawDescriptionHelpFormatter)
        return super().create_parser(prog_name, subcommand, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dataset", default="", metavar="NAME", help="its name or slug; default: every dataset")
        parser.add_argument(
            "--also",
            action="append",
            default=[],
            metavar="NAME",
            help="compare with the images of this dataset too; can be given several times",
        )
        parser.add_argument(
            "--encoder", default="", metavar="NAME", help="whose vectors give candidates; default: the default encoder"
        )
        parser.add_argument("--no-wait", action="store_true", help="leave it to the workers")
        parser.add_argument("--json", action="store_true", help="the last line of stdout is one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            homes = _datasets(options["dataset"])
            also = [one for name in options["also"] for one in _datasets(name)]
            with Bars(quiet=options["json"] and not sys.stderr.isatty()) as bars:
                # One begins when the one before it has ended: what runs without a heartbeat is taken for dead.
                begun = (running.begin(home, _others(home, also), options["encoder"]) for home in homes)
                if options["no_wait"]:
                    return self._leave(list(begun), as_json=options["json"])
                reports = [running.carry_out(job, bars) for job in begun]
        except (UnknownDataset, running.CannotFind, encoders.NoEncoder) as error:
            raise CommandError(str(error)) from error
        except running.FindingStopped as error:
            raise CommandError(str(error), returncode=130) from error
        except KeyboardInterrupt:
            raise CommandError("Stopped.", returncode=130) from None
        if options["json"]:
            self.stdout.write(json.dumps({"datasets": [_as_json(report) for report in reports]}))
            return None
        return self._tell(reports)

    def _leave(self, begun: list[Job], *, as_json: bool) -> None:
        for job in begun:
            running.send(job)
        if as_json:
            self.stdout.write(json.dumps({"jobs": [job.pk for job in begun]}))
            return
        for job in begun:
            self.stdout.write(f"The workers look for them as job {job.pk}: /jobs/{job.pk}/")

    def _tell(self, reports: list[Report]) -> None:
        for report in reports:
            dataset = jobs.dataset_in(report.job.parameters)
            self.stdout.write(f"{report.job.parameters['dataset']}: {report.job.message}")
            told = f"{counted(report.n_looked_at, 'pair')} of {counted(report.n_images, 'image')} looked at"
            self.stdout.write(f"  {told}, {report.seconds:.1f} s")
            if report.n_pairs and dataset:
                self.stdout.write(f"  Decide about them: {dataset.get_absolute_url()}duplicates/")


def _datasets(name: str) -> list[Dataset]:
    scope = scope_of_command(name)
    return list(Dataset.objects.filter(pk__in=scope.dataset_ids).order_by("pk"))


def _others(home: Dataset, also: list[Dataset]) -> list[Dataset]:
    return [one for one in dict.fromkeys(also) if one != home]


def _as_json(report: Report) -> dict[str, Any]:
    return {
        "dataset": report.job.parameters["dataset"],
        "also": report.job.parameters["also"],
        "job": report.job.pk,
        "encoder": report.encoder,
        "n_images": report.n_images,
        "n_looked_at": report.n_looked_at,
        "n_pairs": report.n_pairs,
        "n_groups": report.n_groups,
        "seconds": round(report.seconds, 2),
    }
