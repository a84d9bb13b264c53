"""`manage.py evaluate_search`: how good a search is, on the labels of a dataset."""

from __future__ import annotations

import json
import sys
from argparse import RawDescriptionHelpFormatter
from typing import Any

from django.core.management.base import CommandError, CommandParser

from search import encoders
from search.asking.scope import UnknownDataset
from search.evaluation import running
from search.evaluation.protocol import CannotEvaluate
from search.management import protocol_options
from search.management.site_command import SiteCommand
from search.models import Evaluation, Job
from search.reports import exporting
from search.text import counted
from search.work.local_workers import EmbeddingStopped
from search.work.progress import Bars

# What took no part, one of it and many.
LEFT_OUT = {
    "n_unlabelled_queries": ("query without a label", "queries without a label"),
    "n_unlabelled_gallery": ("unlabelled image of the gallery", "unlabelled images of the gallery"),
    "n_not_ready": ("image that waits or was refused", "images that wait or were refused"),
    "n_not_drawn": ("query that was not drawn", "queries that were not drawn"),
    "n_unanswerable": ("query without another image of its label", "queries without another image of their label"),
}
FAILURES = (CannotEvaluate, encoders.NoEncoder, UnknownDataset, EmbeddingStopped)


class Command(SiteCommand):
    help = "Measure how good and how fast the search of an encoder is, on the labels of a dataset."
    epilog = """examples:
  manage.py evaluate_search --dataset grocery
  manage.py evaluate_search --dataset shoes --leave-one-out --encoder mobilenet_v2-shoes-head
  manage.py evaluate_search --dataset shop --queries phone-photos --json

A hit is right where it has the label of its query; a query never finds itself. Where a dataset has the splits test and
train, and nothing else is asked for, the one asks the other; else each image asks all others. Queries whose label the
gallery lacks are left out, and so are images without a label.

precision@k    right ones among the first k, divided by k
recall@k       right ones among the first k, divided by all right ones
hit_rate@k     queries with a right one among the first k (in papers: Recall@k)
accuracy       queries whose label most of their ten nearest have
map            mean average precision over the whole gallery; map@k: over the first k
r_precision    precision among the first R, where R are right
ndcg@k         right ones among the first k, discounted by rank

Everything is kept, and shown in the browser: plots, confusions, queries to look at, labels that may be wrong."""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        kwargs.update(epilog=self.epilog, formatter_class=RawDescriptionHelpFormatter)
        return super().create_parser(prog_name, subcommand, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--encoder", default="", metavar="NAME", help="default: the site's default encoder")
        protocol_options.add_to(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with Bars(quiet=options["json"] and not sys.stderr.isatty()) as bars:
                encoder = encoders.by_name(options["encoder"])
                wanted = protocol_options.protocol(options)
                if options["embed"]:
                    protocol_options.embed([encoder], wanted, bars)
                job = running.begin(wanted, [encoder.name])
                if options["no_wait"]:
                    running.send(job)
                    return self._tell_job(job, options["json"])
                report = running.carry_out(job, bars)
        except FAILURES as error:
            raise CommandError(str(error)) from error
        except running.EvaluationStopped as error:
            raise CommandError(str(error), returncode=130) from error
        except KeyboardInterrupt:
            raise CommandError("Stopped.", returncode=130) from None
        evaluation = report.evaluations[0]
        if options["json"]:
            self.stdout.write(json.dumps(exporting.evaluation(evaluation) | {"seconds": round(report.seconds, 2)}))
            return None
        return self._tell(evaluation, report.seconds)

    def _tell_job(self, job: Job, as_json: bool) -> None:
        told = json.dumps({"job": job.pk}) if as_json else f"The workers evaluate it as job {job.pk}: /jobs/{job.pk}/"
        self.stdout.write(told)

    def _tell(self, evaluation: Evaluation, seconds: float) -> None:
        write, details = self.stdout.write, evaluation.details
        write(
            f"{evaluation.encoder.name} on {evaluation.dataset.name}, {evaluation.protocol['words']}: "
            f"{_queries(evaluation.n_queries)}, {counted(evaluation.n_gallery, 'image')} in the gallery"
        )
        for name, value in evaluation.metrics.items():
            low, high = evaluation.intervals[name]
            write(f"  {name:<14} {value:.4f}  [{low:.4f}, {high:.4f}]")
        if "why_no_figures" in details:
            write(self.style.WARNING(f"No figures of quality: {details['why_no_figures']}"))
        self._tell_circumstances(evaluation)
        write(f"Took {seconds:.1f} s. Look at it: {evaluation.get_absolute_url()}")

    def _tell_circumstances(self, evaluation: Evaluation) -> None:
        write, details, latency = self.stdout.write, evaluation.details, evaluation.latency
        for name in ("decode", "encode", "search"):
            if one := latency.get(name):
                told = ", ".join(f"{level} {one[level]:.1f}" for level in ("p50", "p95", "p99"))
                write(f"  {name + ', ms':<14} {told} (n={one['n']})")
        agreed = details["agreement"]
        how = "comparing every image" if agreed["is_exact"] else "through the index"
        write(f"The site's own search, {how}, gives {agreed['same']:.2%} of these hits ({_queries(agreed['n'])}).")
        if audit := details["audit"]:
            write(f"The index finds {audit['recall']:.2%} of the ten nearest ({_queries(audit['n_queries'])}).")
        if left_out := {name: n for name, n in details["left_out"].items() if n}:
            told = ", ".join(counted(n, *LEFT_OUT[name]) for name, n in left_out.items())
            write(f"Left out: {told}.")
        if n_learnt := details["learnt_from"]:
            write(
                self.style.WARNING(
                    f"It has learnt from {n_learnt:,} of these queries, or was checked on them, which flatters it. Ask "
                    "with images of a test split, which no training looks at."
                )
            )
        if (leaks := details.get("leaks")) and leaks["n_queries"]:
            write(
                self.style.WARNING(
                    f"{_queries(leaks['n_queries'])} {'has' if leaks['n_queries'] == 1 else 'have'} near-duplicates in "
                    f"the gallery ({leaks['n_by_phash']:,} by pHash, {leaks['n_by_vector']:,} by vector). "
                    f"{_without(leaks)}"
                )
            )
        if n := len(details.get("contradictions", [])):
            write(f"{counted(n, 'image has', 'images have')} a label that neighbours contradict; the page lists them.")


def _queries(n: int) -> str:
    return counted(n, "query", "queries")


def _without(leaks: dict[str, Any]) -> str:
    metrics = leaks["metrics"]
    if not metrics:
        return "Without these too little is left to measure."
    means = f"mAP {metrics['map']:.4f}, precision@1 {metrics['precision@1']:.4f}"
    return f"Without these, over {_queries(leaks['n_left'])} that find more: {means}."
