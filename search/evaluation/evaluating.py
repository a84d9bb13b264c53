"""One encoder on one pair of sides: measured, timed, held against the site's own answers, calibrated, and kept."""

from __future__ import annotations

import io
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import numpy as np
from django.db import transaction
from numpy.typing import NDArray

from embeddings.evaluation import bootstrap, measuring, ranking
from embeddings.evaluation.measuring import Measured
from embeddings.evaluation.ranking import Struck
from search import vectors
from search.curating.holding import hold
from search.evaluation import describing, learnt, timing
from search.evaluation.leaks import Leaks
from search.evaluation.protocol import CannotEvaluate, Pictures, Sides
from search.models import Encoder, Evaluation, Job
from search.quality import auditing, calibrating

Vectors = NDArray[np.float32]


class Tell(Protocol):
    """Tells how far an evaluation is. Both raise where somebody wants it to end."""

    def __call__(self, n_queries: int) -> None: ...

    def look(self) -> None:
        """Look now, and not only once in a while."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Labelled:
    """The part of the gallery that is right or wrong for a query, and labels as numbers on both sides."""

    gallery: Pictures
    vectors: Vectors
    struck: Struck
    leaks: Leaks
    names: list[str]
    asked: NDArray[np.int64]
    answering: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Quality:
    """What the labels told: means, intervals, details for the page, chances for searches, figures of each query.

    Where they told nothing all is empty, but for the details, which say why.
    """

    details: dict[str, Any]
    metrics: dict[str, float] = field(default_factory=dict)
    intervals: dict[str, list[float]] = field(default_factory=dict)
    chances: dict[str, Any] = field(default_factory=dict)
    figures: bytes = b""


def evaluate(encoder: Encoder, sides: Sides, found: Leaks, *, job: Job | None = None, tell: Tell) -> Evaluation:
    """Evaluate an encoder and keep what came of it: an Evaluation, and the encoder's Calibration for the dataset.

    found: near-duplicates, which are the same for all encoders. tell: how many queries are done.
    Raises CannotEvaluate where it has not embedded all of them, encoders.NoEncoder.
    """
    asked, answering = stored_vectors(encoder, sides)
    gallery = _gallery(answering, encoder)
    quality = _quality(encoder, sides, found, asked, gallery, answering, tell)
    tell.look()
    agreement = timing.searching(encoder, sides, asked, gallery, tell=lambda: tell(len(sides.queries)))
    tell.look()
    latency = timing.encoding(encoder, sides.queries.ids, seed=sides.protocol.seed)
    tell.look()
    audit = auditing.summary(auditing.current(encoder))
    tell.look()
    details = quality.details | {
        "learnt_from": learnt.n_learnt_from(encoder, sides),
        "agreement": {name: value for name, value in asdict(agreement).items() if name != "search_ms"},
        "audit": audit,
        "map": describing.plane(*_all(sides, asked, answering), sides.protocol.seed),
        "calibration": quality.chances,
    }
    pairs = calibrating.pairs_among(encoder, answering, sides.protocol.seed)
    tell.look()
    with transaction.atomic():
        _hold(encoder, sides)
        evaluation = Evaluation.objects.create(
            encoder=encoder,
            dataset=sides.protocol.dataset,
            queries_dataset=sides.protocol.queries_dataset,
            job=job,
            protocol=sides.protocol.as_parameters() | {"words": sides.protocol.in_words()},
            pictures_sha256=sides.digest(),
            weights_sha256=encoder.weights_sha256,
            n_queries=len(sides.queries),
            n_gallery=len(sides.gallery),
            metrics=quality.metrics,
            intervals=quality.intervals,
            latency=latency | {"search": agreement.search_ms, **timing.circumstances(encoder)},
            details=details,
            figures=quality.figures,
        )
        # What queries from elsewhere come to, or such as were learnt from, is not what new ones of the dataset do.
        tells = sides.protocol.dataset == sides.protocol.queries_dataset and not details["learnt_from"]
        chances = quality.chances if tells else {}
        calibrating.keep(encoder, sides.protocol.dataset, chances=chances, pairs=pairs, n_images=len(answering))
    return evaluation


def _hold(encoder: Encoder, sides: Sides) -> None:
    """Keep what was evaluated from being deleted while its evaluation is written. Raises CannotEvaluate."""
    for dataset in sorted({sides.protocol.dataset, sides.protocol.queries_dataset}, key=lambda one: one.pk):
        if not hold(dataset.pk):
            raise CannotEvaluate(f"The dataset {dataset.name} was deleted while it was evaluated.")
    if not Encoder.objects.select_for_update(no_key=True).filter(pk=encoder.pk).exists():
        raise CannotEvaluate(f"{encoder.name} was removed while it was evaluated.")


def _gallery(vectors: Vectors, encoder: Encoder) -> ranking.Gallery:
    return ranking.Gallery(vectors, encoder.distance)  # type: ignore[arg-type]  # the choices of the field


def _quality(
    encoder: Encoder,
    sides: Sides,
    found: Leaks,
    asked: Vectors,
    gallery: ranking.Gallery,
    answering: Vectors,
    tell: Tell,
) -> _Quality:
    details: dict[str, Any] = {"left_out": _left_out(sides), "voters": measuring.N_VOTERS}
    if why_not := _why_no_figures(sides):
        return _Quality(details=details | {"why_no_figures": why_not})
    labelled = _labelled(sides, found, answering)
    ranked = gallery if len(labelled.gallery) == len(gallery) else _gallery(labelled.vectors, encoder)
    nothing = "No query has another image of its label to be found."
    if len(labelled.struck) == len(sides.queries) * len(labelled.gallery):
        return _Quality(details=details | {"why_no_figures": nothing})
    measured = measuring.measure(asked, labelled.asked, ranked, labelled.answering, labelled.struck, tell=tell)
    details["voters"] = measured.n_voters
    details["left_out"]["n_unanswerable"] = int((~measured.is_answerable).sum())
    if not measured.is_answerable.any():
        return _Quality(details=details | {"why_no_figures": nothing})
    metrics, intervals = _means(measured)
    return _Quality(
        details=details | _described(measured, sides, labelled, asked, ranked),
        metrics=metrics,
        intervals=intervals,
        chances=calibrating.chances(measured, labelled.asked, labelled.answering) or {},
        figures=_packed(measured, sides),
    )


def stored_vectors(encoder: Encoder, sides: Sides) -> tuple[Vectors, Vectors]:
    """Return the vectors of the queries and of the gallery, float32 (n, dim) each.

    Raises CannotEvaluate where the encoder lacks some.
    """
    wanted = np.union1d(sides.queries.ids, sides.gallery.ids)
    ids, stored = vectors.read(encoder, wanted.tolist())
    if len(ids) < len(wanted):
        dataset = sides.protocol.dataset.slug
        raise CannotEvaluate(
            f"{encoder.name} has embedded {len(ids):,} of the {len(wanted):,} images. First run: "
            f"manage.py embed_images --encoder {encoder.name} --dataset {dataset} --wait"
        )
    if np.array_equal(wanted, sides.gallery.ids) and np.array_equal(wanted, sides.queries.ids):
        return stored, stored
    return tuple(stored[np.searchsorted(wanted, side.ids)] for side in (sides.queries, sides.gallery))  # type: ignore[return-value]


def _left_out(sides: Sides) -> dict[str, int]:
    return {
        # Where no image has a label, those without one ask.
        "n_unlabelled_queries": sides.n_unlabelled[0] if sides.has_labels else 0,
        "n_unlabelled_gallery": sides.n_unlabelled[1],
        "n_not_ready": sides.n_not_ready,
        "n_not_drawn": sides.n_drawn_from - len(sides.queries),
    }


def _why_no_figures(sides: Sides) -> str:
    """Return why nothing says which hits are right, or nothing where the labels do."""
    answering = sides.gallery.labels[sides.gallery.labels != ""]
    if not sides.has_labels or not len(answering):
        where = "among the queries" if not sides.has_labels else "in the gallery"
        return (
            f"No image {where} has a label, so nothing says which hits are right. Label some, or import with --labels."
        )
    known = np.unique(np.concatenate([sides.queries.labels, answering]))
    if len(known) == 1:
        return f"All labelled images are {str(known[0])!r}: any hit would be right."
    return ""


def _labelled(sides: Sides, found: Leaks, answering: Vectors) -> _Labelled:
    is_labelled = sides.gallery.labels != ""
    gallery = sides.gallery.only(is_labelled)
    names, codes = np.unique(np.concatenate([sides.queries.labels, gallery.labels]), return_inverse=True)
    return _Labelled(
        gallery=gallery,
        vectors=answering if is_labelled.all() else answering[is_labelled],
        struck=sides.struck.among(is_labelled),
        leaks=found.among(is_labelled),
        names=[str(name) for name in names],
        asked=codes[: len(sides.queries)].astype(np.int64),
        answering=codes[len(sides.queries) :].astype(np.int64),
    )


def _means(measured: Measured) -> tuple[dict[str, float], dict[str, list[float]]]:
    figures = measured.figures[measured.is_answerable]
    # Means keep all their digits: they can be held against an independent computation.
    means = {name: float(value) for name, value in zip(measured.names, figures.mean(axis=0), strict=True)}
    spread = bootstrap.intervals(figures)
    return means, {name: describing.rounded(one) for name, one in zip(measured.names, spread, strict=True)}


def _described(
    measured: Measured, sides: Sides, labelled: _Labelled, asked: Vectors, gallery: ranking.Gallery
) -> dict[str, Any]:
    others = measuring.without(
        measured, labelled.leaks.pairs, asked, labelled.asked, gallery, labelled.answering, labelled.struck
    )
    known = others[~np.isnan(others).any(axis=1)]
    left = dict(zip(measured.names, describing.rounded(known.mean(axis=0)), strict=True)) if len(known) else {}
    return {
        "classes": describing.classes(measured, labelled.asked, labelled.names, labelled.answering),
        "confusion": describing.confusion(measured, labelled.asked, labelled.names, labelled.answering),
        "collage": describing.collage(measured, sides, labelled.gallery, sides.protocol.seed),
        "contradictions": describing.contradictions(
            measured, sides, labelled.asked, labelled.names, labelled.answering
        ),
        "leaks": describing.leaks(labelled.leaks, sides, labelled.gallery, left, n_left=len(known)),
        **describing.curves(measured),
    }


def _packed(measured: Measured, sides: Sides) -> bytes:
    """Return the figures of the answerable queries as an .npz of "ids", "names" and "figures" (n_queries, n_names)."""
    packed = io.BytesIO()
    chosen = measured.is_answerable
    figures = measured.figures[chosen].astype(np.float32)
    np.savez_compressed(packed, ids=sides.queries.ids[chosen], names=np.array(measured.names), figures=figures)
    return packed.getvalue()


def unpacked(evaluation: Evaluation) -> tuple[NDArray[np.int64], dict[str, NDArray[np.float64]]]:
    """Return the ids of the queries of an evaluation that had something to find, and their figures by measure."""
    if not evaluation.figures:
        return np.empty(0, np.int64), {}
    with np.load(io.BytesIO(bytes(evaluation.figures)), allow_pickle=False) as kept:
        figures = kept["figures"].astype(np.float64)
        return kept["ids"], {str(name): figures[:, place] for place, name in enumerate(kept["names"])}


def _all(sides: Sides, asked: Vectors, answering: Vectors) -> tuple[Vectors, Pictures]:
    """Return what a map shows: all of the gallery, and the queries where they are no part of it."""
    if sides.protocol.is_leave_one_out:
        return answering, sides.gallery
    both = (sides.gallery, sides.queries)
    merged = Pictures(
        **{
            name: np.concatenate([getattr(one, name) for one in both])
            for name in ("ids", "labels", "contents", "phashes")
        }
    )
    return np.concatenate([answering, asked]), merged
