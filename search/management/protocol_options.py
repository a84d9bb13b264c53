"""Options that commands of evaluation share: who asks, and who may answer."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from search.asking.scope import dataset_of_command
from search.evaluation.protocol import SPLITS, CannotEvaluate, Protocol
from search.models import Dataset, Encoder
from search.work import filling
from search.work.progress import Bars

MAX_QUERIES = 10_000


def add_to(parser: CommandParser) -> None:
    """Add the options."""
    parser.add_argument("--dataset", required=True, metavar="NAME", help="what is searched: the gallery")
    parser.add_argument("--queries", default="", metavar="NAME", help="another dataset that asks (default: the same)")
    parser.add_argument("--queries-split", default="", choices=SPLITS, help="who asks")
    parser.add_argument("--gallery-split", default="", choices=SPLITS, help="who may answer")
    parser.add_argument("--leave-one-out", action="store_true", help="each image asks all the others")
    parser.add_argument(
        "--max-queries", type=int, default=MAX_QUERIES, metavar="N", help="draw so many of more (default: 10,000)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of what is drawn by chance (default: 0)")
    parser.add_argument("--embed", action="store_true", help="first embed here what an encoder has not embedded yet")
    parser.add_argument("--no-wait", action="store_true", help="leave it to the workers")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON on stdout")


def protocol(options: dict[str, Any]) -> Protocol:
    """Return the protocol that the options ask for. Raises scope.UnknownDataset, CannotEvaluate."""
    asked = options["queries"] or options["dataset"]
    if options["leave_one_out"] and (options["queries"] or options["queries_split"] or options["gallery_split"]):
        raise CannotEvaluate("--leave-one-out asks with each image of the dataset: name no queries and no split.")
    split = "all" if options["leave_one_out"] else ""
    return Protocol(
        dataset=_dataset(options["dataset"]),
        queries_dataset=_dataset(asked),
        queries_split=options["queries_split"] or split,
        gallery_split=options["gallery_split"] or split,
        max_queries=options["max_queries"],
        seed=options["seed"],
    )


def embed(encoders: list[Encoder], wanted: Protocol, bars: Bars) -> None:
    """Give encoders the vectors that they lack. Raises encoders.NoEncoder, local_workers.EmbeddingStopped."""
    dataset_ids = sorted({wanted.dataset.pk, wanted.queries_dataset.pk})
    for encoder in encoders:
        filling.fill(encoder, dataset_ids, here=True, waits=True, bars=bars)


def _dataset(name: str) -> Dataset:
    return dataset_of_command(name)
