"""Galleries of any size: vectors drawn between real ones, and rows whose filters let a known share through."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.site import say

Floats = NDArray[np.float32]
# What a filter by one of these lets through.
SHARES = {"thousandth": 0.001, "hundredth": 0.01, "tenth": 0.1, "half": 0.5}
N_DAYS = 1000
# How much of a drawn vector is its nearer real one, at least; the noise is in lengths of a vector. With these the
# nearest, tenth, hundredth and thousandth neighbour are as similar as among photographs: .90, .86, .81 and .77.
LEAST_SHARE, NOISE = 0.5, 0.3
_N_AT_ONCE = 2_000
SOURCE = "drawn.jpg"


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """What was drawn. ids: int64 (n,); vectors: float16 (n, dim), as stored; the others: what each image has, (n,)."""

    ids: NDArray[np.int64]
    vectors: NDArray[np.float16]
    labels: NDArray[np.str_]
    tags: NDArray[np.str_]
    datasets: NDArray[np.str_]
    days: NDArray[np.int64]  # since it was added
    splits: NDArray[np.str_]  # by the real vector that it is nearest to: near each other are in one


def between(real: Floats, n: int, seed: int) -> tuple[Floats, NDArray[np.int64]]:
    """Return unit vectors, float32 (n, dim), between pairs of real ones, and the nearer ones, int64 (n,).

    Noise alone would put all that is drawn around one vector at the same distance from it.
    """
    draw = np.random.default_rng(seed)
    chosen, other = draw.integers(0, len(real), (2, n))
    share = draw.uniform(LEAST_SHARE, 1, (n, 1)).astype(np.float32)
    mixed = unit(share * real[chosen] + (1 - share) * real[other])
    noise = draw.normal(size=mixed.shape).astype(np.float32) * (NOISE / np.sqrt(real.shape[1]))
    return unit(mixed + noise), chosen


def real_vectors(encoder: Any) -> Floats:
    """Return the vectors of the images that were not drawn, float32 (n, dim)."""
    from search import vectors
    from search.models import Image

    ids = Image.objects.exclude(source=SOURCE).order_by("pk").values_list("pk", flat=True)
    return vectors.read(encoder, list(ids))[1]


def dataset_ids() -> tuple[int, ...]:
    """Return the datasets of what was drawn."""
    from search.models import Dataset

    return tuple(Dataset.objects.filter(name__in=[*SHARES, "rest"]).values_list("pk", flat=True))


def fill(encoder: Any, real: Floats, n: int, *, in_one_dataset: bool = False) -> None:
    """Draw images with their vectors into datasets of their own, by SHARES or all into one, until there are n."""
    from search.models import Dataset, Image

    names = [*SHARES, "rest"]
    homes = {name: "rest" if in_one_dataset else name for name in names}
    datasets = {name: Dataset.objects.get_or_create(name=home)[0] for name, home in homes.items()}
    there = Image.objects.filter(source=SOURCE).count()
    for start in range(there, n, _N_AT_ONCE):
        _fill_some(encoder, real, min(_N_AT_ONCE, n - start), start // _N_AT_ONCE, datasets)
        if start // _N_AT_ONCE % 25 == 24:
            say(f"{start + _N_AT_ONCE} drawn")


def blocks(encoder: Any) -> Iterator[tuple[NDArray[np.int64], Floats]]:
    """Yield all that was drawn, a part at a time: ids, int64 (n,), and vectors as stored, float32 (n, dim)."""
    from search import vectors
    from search.models import Image

    ids = list(Image.objects.filter(source=SOURCE).order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(ids), _N_AT_ONCE):
        found_ids, found = vectors.read(encoder, ids[start : start + _N_AT_ONCE])
        yield np.array(found_ids), found


def unit(vectors: NDArray[Any]) -> Floats:
    """Return vectors of length 1, float32 (n, dim): those that are stored were rounded."""
    found = vectors.astype(np.float32)
    return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)


def read(encoder: Any) -> Gallery:
    """Return all that was drawn, as it is stored."""
    from django.utils import timezone

    from search.models import Image

    drawn = Image.objects.filter(source=SOURCE).order_by("pk")
    rows = list(drawn.values_list("pk", "label", "tags", "dataset__name", "created_at", "split"))
    ids, labels, tags, datasets, added, splits = zip(*rows, strict=True)
    today = timezone.now().date()
    return Gallery(
        ids=np.array(ids, np.int64),
        vectors=np.concatenate([vectors.astype(np.float16) for _, vectors in blocks(encoder)]),
        labels=np.array(labels),
        tags=np.array([one[0] if one else "" for one in tags]),
        datasets=np.array(datasets),
        days=np.array([(today - at.date()).days for at in added]),
        splits=np.array(splits),
    )


def _fill_some(encoder: Any, real: Floats, n: int, seed: int, datasets: dict[str, Any]) -> None:
    from django.db import connection, transaction

    from search import vectors
    from search.models import Image

    found, chosen = between(real, n, seed)
    draw = np.random.default_rng((seed, 1))
    labels, tags, homes = (_shares(draw, n) for _ in range(3))
    days = draw.integers(0, N_DAYS, n)
    splits = np.where(chosen < 0.01 * len(real), "val", np.where(chosen < 0.11 * len(real), "test", "train"))
    facts = {"source": SOURCE, "format": "JPEG", "width": 348, "height": 348, "n_bytes": 1, "status": "ready"}
    rows = [
        Image(
            dataset=datasets[home or "rest"],
            sha256=f"{seed:032x}{place:032x}",
            label=label,
            tags=[tag] if tag else [],
            split=split,
            **facts,
        )
        for place, (label, tag, home, split) in enumerate(zip(labels, tags, homes, splits, strict=True))
    ]
    with transaction.atomic():
        ids = [image.pk for image in Image.objects.bulk_create(rows)]
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE search_image SET created_at = now() - days * interval '1 day' "
                "FROM unnest(%s::bigint[], %s::int[]) AS added (id, days) WHERE search_image.id = added.id",
                [ids, days.tolist()],
            )
        vectors.write(encoder, ids, found)


def _shares(draw: np.random.Generator, n: int) -> NDArray[np.str_]:
    """Return a name of SHARES for that share of n places each, and nothing for the rest."""
    names, shares = [*SHARES, ""], [*SHARES.values()]
    return draw.choice(names, n, p=[*shares, 1 - sum(shares)])


def truths(gallery: Gallery, queries: Floats, mask: NDArray[np.bool_], k: int) -> Iterator[set[int]]:
    """Yield the ids of the k nearest to each query among the images of a mask, compared in single precision."""
    ids, vectors = gallery.ids[mask], unit(gallery.vectors[mask])
    for query in queries:
        similarity = vectors @ query
        best = np.argpartition(-similarity, min(k, len(ids)) - 1)[:k] if len(ids) else []
        yield set(ids[best].tolist())
