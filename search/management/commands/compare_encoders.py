"""`manage.py compare_encoders`: which encoder is the best one for a dataset."""

from __future__ import annotations

import json
import os
import sys
from argparse import RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from search import encoders
from search.asking.scope import UnknownDataset
from search.evaluation import comparing, protocol, running
from search.evaluation.comparing import COLUMNS, Comparison
from search.evaluation.protocol import CannotEvaluate, Protocol
from search.management import protocol_options
from search.management.site_command import SiteCommand
from search.models import Encoder, Evaluation
from search.reports import exporting
from search.work.local_workers import EmbeddingStopped
from search.work.progress import Bars

# What writes the file of an option.
WRITERS = {"csv": exporting.as_csv, "markdown": exporting.as_markdown, "html": exporting.as_html}
FAILURES = (CannotEvaluate, encoders.NoEncoder, UnknownDataset, EmbeddingStopped)


class Command(SiteCommand):
    help = (
        "Evaluate every installed encoder on one dataset, and say which is best and whether that is more than chance."
    )
    epilog = """examples:
  manage.py compare_encoders --dataset grocery
  manage.py compare_encoders --dataset shoes --encoders mobilenet_v2,mobilenet_v2-shoes-head --html report.html
  manage.py compare_encoders --dataset shoes --stored --by latency_ms

The table on stdout is Markdown. The last column compares each encoder with the best one, query by query: by how much
its mean differs, and within which limits that lies in 95 % of resamples of the queries (a paired bootstrap). Where
these include zero, another set of queries could turn it round. `evaluate_search --help` explains the measures."""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        kwargs.update(epilog=self.epilog, formatter_class=RawDescriptionHelpFormatter)
        return super().create_parser(prog_name, subcommand, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--encoders", default="", metavar="NAMES", help="with commas (default: all that are installed)"
        )
        parser.add_argument("--stored", action="store_true", help="evaluate nothing: compare what was evaluated last")
        parser.add_argument("--by", choices=list(COLUMNS), default=comparing.DEFAULT, help="sort by (default: map)")
        parser.add_argument("--csv", type=Path, metavar="FILE", help="write the table as CSV too")
        parser.add_argument("--markdown", type=Path, metavar="FILE", help="write it as Markdown")
        parser.add_argument("--html", type=Path, metavar="FILE", help="write a report that opens without a server")
        protocol_options.add_to(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self._check_places(options)
            with Bars(quiet=options["json"] and not sys.stderr.isatty()) as bars:
                wanted = protocol_options.protocol(options)
                found = self._stored(wanted, options) if options["stored"] else self._evaluated(wanted, options, bars)
        except FAILURES as error:
            raise CommandError(str(error)) from error
        except running.EvaluationStopped as error:
            raise CommandError(str(error), returncode=130) from error
        except KeyboardInterrupt:
            raise CommandError("Stopped. What was evaluated is kept: --stored compares it.", returncode=130) from None
        if found is None:
            return
        comparison, left_out = found
        self._write(comparison, options)
        if options["json"]:
            self.stdout.write(json.dumps(comparison.as_json() | {"left_out": left_out}))
            return
        self.stdout.write(exporting.as_markdown(comparison))
        for reason in left_out.values():
            self.stdout.write(self.style.WARNING(f"Left out: {reason}."))

    def _stored(self, wanted: Protocol, options: dict[str, Any]) -> tuple[Comparison, dict[str, str]]:
        """Compare what was evaluated last, or last in the way that the options ask for."""
        known = Evaluation.objects.filter(dataset=wanted.dataset)
        if names := self._names(options):
            known = known.filter(encoder__in=[encoders.by_name(name) for name in names])
        asks = ("queries", "queries_split", "gallery_split", "leave_one_out", "seed")
        is_told = any(options[name] for name in asks) or options["max_queries"] != protocol_options.MAX_QUERIES
        pictures = protocol.sides(protocol.chosen(wanted)).digest() if is_told else ""
        kept = comparing.latest(known, pictures)
        if not kept:
            raise CannotEvaluate(f"Nothing was evaluated so on {wanted.dataset.name} yet. Run it without --stored.")
        return comparing.compare(kept, options["by"]), {}

    def _names(self, options: dict[str, Any]) -> list[str]:
        return [name.strip() for name in options["encoders"].split(",") if name.strip()]

    def _evaluated(
        self, wanted: Protocol, options: dict[str, Any], bars: Bars
    ) -> tuple[Comparison, dict[str, str]] | None:
        names = self._names(options)
        if options["embed"]:
            chosen = [encoders.by_name(name) for name in names] or list(Encoder.objects.all())
            protocol_options.embed(chosen, wanted, bars)
        job = running.begin(wanted, names)
        if options["no_wait"]:
            running.send(job)
            told = {"job": job.pk}
            self.stdout.write(json.dumps(told) if options["json"] else f"Left to the workers: /jobs/{job.pk}/")
            return None
        report = running.carry_out(job, bars)
        evaluations = Evaluation.objects.filter(job=job).select_related("encoder", "dataset", "queries_dataset")
        return comparing.compare(list(evaluations), options["by"]), report.left_out

    def _check_places(self, options: dict[str, Any]) -> None:
        """Refuse what cannot be written to before minutes go into it. Raises CommandError."""
        for path in (options[name] for name in WRITERS if options[name]):
            if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
                reason = "it is a folder" if path.is_dir() else "there is no such folder, or no right to write there"
                raise CommandError(f"{path} cannot be written: {reason}")

    def _write(self, comparison: Comparison, options: dict[str, Any]) -> None:
        for path, write in ((options[name], write) for name, write in WRITERS.items() if options[name]):
            try:
                path.write_text(write(comparison), encoding="utf-8")
            except OSError as error:
                raise CommandError(f"{path} cannot be written: {error.strerror}") from error
