"""Whether an encoder has learnt from the very pictures that it is asked with: then its figures flatter it."""

from __future__ import annotations

from collections.abc import Iterator

from search.evaluation.protocol import Sides
from search.models import Encoder, Image
from search.work import jobs


def n_learnt_from(encoder: Encoder, sides: Sides) -> int:
    """Return how many of the queries the encoder, or what it sits on, has learnt from or was checked on.

    A training takes all images of its dataset but those of the test split.
    """
    trainings = [one.spec["training"] for one in _lineage(encoder) if one.spec.get("training")]
    if sides.protocol.queries_dataset not in [jobs.dataset_in(one) for one in trainings]:
        return 0
    queries = Image.objects.filter(pk__in=sides.queries.ids.tolist())
    return queries.exclude(split=Image.Split.TEST).count()


def _lineage(encoder: Encoder) -> Iterator[Encoder]:
    """Give an encoder, what it was made from, and so on to what was installed."""
    seen: set[str] = set()
    one: Encoder | None = encoder
    while one is not None and one.name not in seen:
        yield one
        seen.add(one.name)
        made_from = one.spec.get("backbone") or (one.job.parameters.get("backbone") if one.job else None)
        one = Encoder.objects.filter(name=made_from).first() if made_from else None
