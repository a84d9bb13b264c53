"""Which images of a dataset are the same picture: candidates from indexes, each pair of which is looked at.

Candidates are what has the same content, perceptual hashes within a few bits of each other, and vectors among the
nearest of each other. None of these is proof (see `search.asking.duplicates`): small grey pictures are laid over each
other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, Literal

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from embeddings import hashes, kin
from embeddings.cores import available_cores
from embeddings.images import RefusedImage, parts
from search import encoders, neighbours, vectors
from search.asking.duplicates import FEWEST_ONES, LIKELY_BITS, SURE_BITS
from search.files import originals
from search.models import Dataset, DuplicatePair, Encoder, Image
from search.models.galleries import bits_of
from search.reviewing import groups

Pair = tuple[int, int]
Stage = Literal["hashes", "vectors", "looking"]
# stage, how far, of how many
Tell = Callable[[Stage, int, int], None]

N_NEAREST: Final = 5
# Candidates only: 4,352 photographs of shelves have 11,714 of them, most of which are merely alike.
WITHIN: Final = 0.15
_N_AT_ONCE: Final = 500
# Of 20 kB each.
_N_GREYS: Final = 8_192
# Larger groups are looked at only along the pairs that the indexes gave.
_LARGEST_COMPLETED: Final = 60

_RELATIONS: Final[dict[parts.Relation, DuplicatePair.Relation]] = {
    "same": DuplicatePair.Relation.SAME,
    "turned": DuplicatePair.Relation.TURNED,
    "whole": DuplicatePair.Relation.PART,
    "part": DuplicatePair.Relation.PART,
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Gallery:
    """The images that are compared. ids: int64 (n,), ascending; phashes: uint64 (n,), 0 where there is none."""

    home: Dataset
    dataset_ids: list[int]
    ids: NDArray[np.int64]
    is_home: NDArray[np.bool_]
    phashes: NDArray[np.uint64]


@dataclass(kw_only=True)
class Found:
    """The pairs that are the same picture, not kept yet, and how many were looked at."""

    pairs: list[DuplicatePair] = field(default_factory=list)
    n_images: int = 0
    n_looked_at: int = 0
    encoder: str = ""


def find(home: Dataset, also: Sequence[Dataset], encoder: Encoder | None, tell: Tell) -> Found:
    """Return the pairs that are the same picture: both in a dataset, or one there and one in the others.

    encoder: whose vectors give candidates; None leaves them out.
    """
    gallery = _gallery(home, also)
    same_file = _same_file(gallery)
    bits = by_hash(gallery, tell)
    candidates = set(bits)
    if encoder is not None:
        candidates.update(by_vector(gallery, encoder, tell))
    looks = _Looks(gallery, bits)
    pairs = dict.fromkeys(same_file, DuplicatePair.Relation.FILE)
    home_ids = set(gallery.ids[gallery.is_home].tolist())
    # In the order of their first image, whose grey picture is then at hand.
    wanted = sorted(pair for pair in candidates - set(same_file) if home_ids.intersection(pair))
    pairs |= looks.at(wanted, lambda n_done: tell("looking", n_done, len(wanted)))
    pairs |= _completed(pairs, looks, home_ids)
    tell("looking", len(wanted), len(wanted))
    rows = [
        DuplicatePair(
            dataset=home, first_id=first, second_id=second, relation=relation, n_bits=looks.n_bits(first, second)
        )
        for (first, second), relation in sorted(pairs.items())
    ]
    return Found(pairs=rows, n_images=len(home_ids), n_looked_at=looks.n, encoder=encoder.name if encoder else "")


def encoder_for(home: Dataset, name: str = "") -> Encoder | None:
    """Return the encoder whose vectors give candidates; None where none has embedded anything of a dataset.

    The default one, or that of a name; where labels have shaped the default one, to which all of a class is near, the
    best known of those that none has. Raises encoders.NoEncoder for a name that is none.
    """
    if name:
        return encoders.by_name(name)
    default = Encoder.objects.filter(is_default=True).first()
    untaught = Encoder.objects.filter(job=None, spec__training__isnull=True, spec__backbone__isnull=True)
    choices = [one for one in (*untaught, default) if one and neighbours.sizes(one, [home.pk])]
    choices.sort(key=lambda one: (one not in untaught, not one.is_default, one.pk))
    return choices[0] if choices else None


def _gallery(home: Dataset, also: Sequence[Dataset]) -> Gallery:
    dataset_ids = [home.pk, *(one.pk for one in also if one.pk != home.pk)]
    ready = Image.objects.filter(dataset__in=dataset_ids, status=Image.Status.READY).order_by("pk")
    rows = [(pk, dataset_id, bits_of(phash)) for pk, dataset_id, phash in ready.values_list("pk", "dataset", "phash")]
    return Gallery(
        home=home,
        dataset_ids=dataset_ids,
        ids=np.array([pk for pk, _, _ in rows], np.int64),
        is_home=np.array([dataset_id == home.pk for _, dataset_id, _ in rows], np.bool_),
        phashes=np.array([int(bits or "0", 2) for _, _, bits in rows], np.uint64),
    )


def _same_file(gallery: Gallery) -> list[Pair]:
    """Return the pairs of the same content, which stand in different datasets: in one, content is unique."""
    if len(gallery.dataset_ids) < 2:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT least(own.id, other.id), greatest(own.id, other.id) FROM search_image own
            JOIN search_image other ON other.sha256 = own.sha256 AND other.dataset_id = ANY(%s)
            WHERE own.dataset_id = %s AND own.status = 'ready' AND other.status = 'ready'
            """,
            [gallery.dataset_ids[1:], gallery.home.pk],
        )
        return cursor.fetchall()


def by_hash(gallery: Gallery, tell: Tell) -> dict[Pair, int]:
    """Return the pairs whose hashes are likely ones, each with its bits; plain pictures, whose hash says nothing, none.

    Of images with equal hashes each is paired with the first, and pairs of different hashes are pairs of their firsts:
    those of the dataset itself come before those of others.
    """
    tell("hashes", 0, 1)
    ones = np.bitwise_count(gallery.phashes)
    tells = np.flatnonzero((ones >= FEWEST_ONES) & (ones <= hashes.N_BITS - FEWEST_ONES))
    tells = tells[np.argsort(~gallery.is_home[tells], kind="stable")]
    different, firsts, which = np.unique(gallery.phashes[tells], return_index=True, return_inverse=True)
    ids, first_ids = gallery.ids[tells], gallery.ids[tells][firsts]
    is_other = ids != first_ids[which]
    equal = np.sort(np.stack((first_ids[which[is_other]], ids[is_other])), axis=0)
    found = dict.fromkeys(zip(*equal.tolist(), strict=True), 0)
    near = hashes.pairs_within(different, LIKELY_BITS)
    ends = np.stack((first_ids[near.first], first_ids[near.second]))
    found |= zip(zip(ends.min(0).tolist(), ends.max(0).tolist(), strict=True), near.n_bits.tolist(), strict=True)
    tell("hashes", 1, 1)
    return found


def by_vector(gallery: Gallery, encoder: Encoder, tell: Tell) -> set[Pair]:
    """Return the pairs one of which is among the nearest few of the other, not further than WITHIN.

    Walked for in the encoder's index where there is one and many are in scope, else by comparing all of them.
    """
    ids = gallery.ids.tolist()
    if not neighbours.index_serves_each(encoder, gallery.dataset_ids):
        return _by_comparison(ids, encoder, tell)
    found: set[Pair] = set()
    for start in range(0, len(ids), _N_AT_ONCE):
        tell("vectors", start, len(ids))
        chunk = ids[start : start + _N_AT_ONCE]
        pairs = neighbours.nearest_of_each(chunk, encoder, gallery.dataset_ids, k=N_NEAREST, within=WITHIN)
        found.update((min(pair), max(pair)) for pair in pairs)
    known = set(ids)
    return {pair for pair in found if known.issuperset(pair)}


def _by_comparison(ids: list[int], encoder: Encoder, tell: Tell) -> set[Pair]:
    kept_ids: list[int] = []
    kept = np.empty((len(ids), encoder.dim), np.float16)
    for start in range(0, len(ids), _N_AT_ONCE):
        some_ids, some = vectors.read(encoder, ids[start : start + _N_AT_ONCE])
        kept[len(kept_ids) : len(kept_ids) + len(some_ids)] = some
        kept_ids += some_ids
    n = len(kept_ids)
    first, second = kin.nearest_of_each(kept[:n], N_NEAREST, WITHIN, lambda n_done: tell("vectors", n_done, n))
    places = np.array(kept_ids, np.int64)
    return set(zip(places[first].tolist(), places[second].tolist(), strict=True))


class _Looks:
    """Lays thumbnails over each other, and counts how often. bits: of the pairs whose hashes are known to be near."""

    def __init__(self, gallery: Gallery, bits: dict[Pair, int]) -> None:
        self.n = 0
        self._bits = bits
        self._phashes = gallery.phashes
        self._ids = gallery.ids
        self._greys: dict[int, parts.Grey | None] = {}  # those asked for last at the end

    def at(self, pairs: Sequence[Pair], tell: Callable[[int], object]) -> dict[Pair, DuplicatePair.Relation]:
        """Return what pairs are to each other, without those that are different or cannot be read."""
        found: dict[Pair, DuplicatePair.Relation] = {}
        for start in range(0, len(pairs), _N_AT_ONCE):
            tell(start)
            some = pairs[start : start + _N_AT_ONCE]
            self._read({pk for pair in some for pk in pair})
            found |= {pair: relation for pair in some if (relation := self._relation(pair))}
        return found

    def _relation(self, pair: Pair) -> DuplicatePair.Relation | None:
        self.n += 1
        one, other = self._greys[pair[0]], self._greys[pair[1]]
        seen = parts.relation(one, other) if one and other else None
        if seen is not None:
            return _RELATIONS[seen]
        return DuplicatePair.Relation.HASH if self._bits.get(pair, LIKELY_BITS) <= SURE_BITS else None

    def n_bits(self, first: int, second: int) -> int | None:
        """Return in how many bits the hashes of two images differ; None where one of them says nothing."""
        one, other = (int(self._phashes[np.searchsorted(self._ids, pk)]) for pk in (first, second))
        tells = all(FEWEST_ONES <= value.bit_count() <= hashes.N_BITS - FEWEST_ONES for value in (one, other))
        return (one ^ other).bit_count() if tells else None

    def _read(self, image_ids: set[int]) -> None:
        """Have the small grey pictures of images at hand; None for those whose file is lost."""
        kept = {pk: self._greys.pop(pk) for pk in image_ids & self._greys.keys()}
        for oldest in list(islice(self._greys, max(0, len(self._greys) + len(image_ids) - _N_GREYS))):
            del self._greys[oldest]
        thumbnails = Image.objects.filter(pk__in=image_ids - kept.keys()).values_list("pk", "thumbnail")
        names = {pk: name for pk, name in thumbnails if name}
        with ThreadPoolExecutor(available_cores()) as pool:
            read = dict(zip(names, pool.map(_grey, names.values()), strict=True))
        self._greys |= dict.fromkeys(image_ids) | kept | read


def _grey(name: str) -> parts.Grey | None:
    try:
        return parts.grey(originals.source(name))
    except RefusedImage:  # its file is lost
        return None


def _completed(
    pairs: dict[Pair, DuplicatePair.Relation], looks: _Looks, home_ids: set[int]
) -> dict[Pair, DuplicatePair.Relation]:
    """Look at what the indexes did not pair: in each chain of pairs, the best image beside each of the others.

    Of many copies each has few nearest ones, so that not every copy was paired with the one that is to be kept.
    """
    linked: dict[int, set[int]] = defaultdict(set)
    for first, second in pairs:
        linked[first].add(second)
        linked[second].add(first)
    wanted: set[Pair] = set()
    for chain in groups.chains(pairs):
        if not 2 < len(chain) <= _LARGEST_COMPLETED:
            continue
        best = min(Image.objects.filter(pk__in=chain), key=groups.rank).pk
        missing = {(min(best, one), max(best, one)) for one in chain if one != best and one not in linked[best]}
        wanted |= {pair for pair in missing if home_ids.intersection(pair)}
    return looks.at(sorted(wanted), lambda _: None)


def replace(home: Dataset, pairs: Iterable[DuplicatePair]) -> int:
    """Keep the pairs of a search in place of those of the one before; return how many. In the caller's transaction."""
    rows = list(pairs)
    # What was deleted meanwhile takes its pairs along.
    ends = {pk for row in rows for pk in (row.first_id, row.second_id)}
    there = set(
        Image.objects.filter(pk__in=ends).order_by("pk").select_for_update(of=("self",)).values_list("pk", flat=True)
    )
    DuplicatePair.objects.filter(dataset=home).delete()
    kept = [row for row in rows if {row.first_id, row.second_id} <= there]
    DuplicatePair.objects.bulk_create(kept, batch_size=2_000)
    return len(kept)
