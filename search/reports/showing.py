"""An evaluation as a page shows it: its figures in words, its plots, and the images that it speaks of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from search.models import Encoder, Evaluation, Image
from search.reports import drawing, matrix
from search.reports.matrix import Matrix
from search.reports.plots import N_COLOURS, Plot

# All measures, in the order and by the words of a table.
NAMES = {
    "precision": (_("Precision"), _("right ones among the first k / k")),
    "recall": (_("Recall"), _("right ones among the first k / all right ones")),
    "hit_rate": (_("Hit rate"), _("queries with a right one among the first k; papers call it Recall@k")),
    "map": (_("mAP@k"), _("mean average precision of the first k")),
    "ndcg": (_("nDCG"), _("right ones among the first k, discounted by rank")),
}
PLAIN = {
    "map": (_("mAP"), _("mean average precision over the whole gallery")),
    "r_precision": (_("R-precision"), _("precision among the first R, where R are right")),
    "accuracy": (_("Retrieval accuracy"), _("queries whose label most of their nearest have")),
}
HEADLINES = ("map", "precision@1", "precision@10", "accuracy")
N_CLASSES_FIRST = 12


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A measure of an evaluation."""

    name: str
    words: str
    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Neighbour:
    """A neighbour of a query; image: None where it was deleted since."""

    image: Image | None
    is_right: bool
    distance: float


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A query with its neighbours."""

    image: Image
    precision: float
    n_relevant: int
    neighbours: list[Neighbour]


@dataclass(frozen=True, kw_only=True)
class Contradicted:
    """An image whose neighbours say another label."""

    image: Image
    says: str
    share: float
    own_share: float


@dataclass(frozen=True, kw_only=True)
class Point:
    """An image on the map, in a box of 1000 by 640."""

    x: float
    y: float
    number: int
    code: int
    title: str
    href: str
    thumbnail_url: str


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What a page shows of an evaluation; empty where its labels told nothing."""

    headlines: list[Figure]
    at_ranks: list[tuple[str, str, list[Figure]]]
    ranks: list[str]
    plain: list[Figure]
    plots: list[Plot]
    matrix: Matrix | None
    worst: list[Asked]
    drawn: list[Asked]
    contradicted: list[Contradicted]
    leaking: list[tuple[Image, Image]]
    points: list[Point]


def show(evaluation: Evaluation) -> Shown:
    """Return what a page shows, with the images that are still there."""
    details = evaluation.details
    images = _images(evaluation)
    headlines = [_figure(evaluation, name) for name in HEADLINES if name in evaluation.metrics]
    ranks = [name.partition("@")[2] for name in evaluation.metrics if name.startswith("precision@")]
    return Shown(
        headlines=headlines,
        at_ranks=[
            (str(words), str(explained), [_figure(evaluation, f"{name}@{k}") for k in ranks])
            for name, (words, explained) in NAMES.items()
            if ranks
        ],
        ranks=ranks,
        plain=[_figure(evaluation, name) for name in PLAIN if name in evaluation.metrics],
        plots=_plots(evaluation),
        matrix=matrix.confusion(details["confusion"]) if "confusion" in details else None,
        worst=_asked(details, "worst", images),
        drawn=_asked(details, "drawn", images),
        contradicted=[
            Contradicted(image=images[one["image"]], says=one["says"], share=one["share"], own_share=one["own_share"])
            for one in details.get("contradictions", [])
            # One that was labelled anew since is no longer contradicted.
            if one["image"] in images and images[one["image"]].label == one["label"]
        ],
        leaking=[
            (images[one], images[other])
            for one, other in details.get("leaks", {}).get("pairs", [])
            if one in images and other in images
        ],
        points=_points(details, images, evaluation),
    )


def _figure(evaluation: Evaluation, name: str) -> Figure:
    low, high = evaluation.intervals[name]
    kind, _, k = name.partition("@")
    words, explained = map(str, NAMES[kind] if k else PLAIN[kind])
    return Figure(
        name=f"{words.removesuffix('@k')}@{k}" if k else words,
        words=explained,
        value=evaluation.metrics[name],
        low=low,
        high=high,
    )


def _plots(evaluation: Evaluation) -> list[Plot]:
    details, is_cosine = evaluation.details, evaluation.encoder.distance == Encoder.Distance.COSINE
    plots = []
    if "precision_recall" in details:
        plots.append(drawing.precision_recall([(evaluation.encoder.name, details["precision_recall"])]))
        plots.append(drawing.pairs(details["pairs"], is_cosine=is_cosine))
    if found := details.get("calibration"):
        plots.append(drawing.chances(found, is_cosine=is_cosine))
        plots.append(drawing.reliability(found["reliability"]))
    return plots


def _images(evaluation: Evaluation) -> dict[int, Image]:
    """Return the images that an evaluation speaks of, in one statement, with what a page needs of them.

    Those that have left its datasets since may be nobody's business any more.
    """
    details = evaluation.details
    rows = [row for name in ("worst", "drawn") for row in details.get("collage", {}).get(name, [])]
    ids = {one["image"] for row in rows for one in [row, *row["neighbours"]]}
    ids |= {one["image"] for one in details.get("contradictions", [])}
    ids |= {one for pair in details.get("leaks", {}).get("pairs", []) for one in pair}
    ids |= {point[0] for point in details.get("map", {}).get("points", [])}
    needed = ("source", "label", "width", "height", "thumbnail", "sha256", "status", "dataset_id")
    return {image.pk: image for image in still_there(evaluation, ids).only(*needed)}


def still_there(evaluation: Evaluation, image_ids: Iterable[int]) -> QuerySet[Image]:
    """Return those of the images that are in the datasets of an evaluation still."""
    dataset_ids = {evaluation.dataset_id, evaluation.queries_dataset_id}
    return Image.objects.filter(pk__in=list(image_ids), dataset__in=dataset_ids)


def _asked(details: dict[str, Any], kind: str, images: dict[int, Image]) -> list[Asked]:
    return [
        Asked(
            image=images[row["image"]],
            precision=row["map"],
            n_relevant=row["n_relevant"],
            neighbours=[
                Neighbour(image=images.get(one["image"]), is_right=one["is_right"], distance=one["distance"])
                for one in row["neighbours"]
            ],
        )
        for row in details.get("collage", {}).get(kind, [])
        if row["image"] in images
    ]


def _points(details: dict[str, Any], images: dict[int, Image], evaluation: Evaluation) -> list[Point]:
    search = f"{reverse('search')}?dataset={evaluation.dataset.slug}&encoder={evaluation.encoder.name}"
    return [
        Point(
            x=round(12 + 976 * x, 1),
            y=round(12 + 616 * (1 - y), 1),
            number=code % N_COLOURS,
            code=code,
            title=f"{images[pk].label or images[pk].name}",
            href=f"{search}&image={pk}",
            thumbnail_url=images[pk].thumbnail_url if images[pk].thumbnail else "",
        )
        for pk, x, y, code in details.get("map", {}).get("points", [])
        if pk in images
    ]
