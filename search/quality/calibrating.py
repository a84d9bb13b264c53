"""What a distance is worth with an encoder in a dataset: learnt from an evaluation, told with the hits of a search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import numpy as np
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from numpy.typing import NDArray

from embeddings.evaluation import calibration
from embeddings.evaluation.measuring import Measured
from search import vectors
from search.language.numbers import percent
from search.models import Calibration, Dataset, Embedding, Encoder
from search.neighbours import Hit

# From these chances on a hit is called so.
WORDS = (
    (0.95, gettext_lazy("Almost surely")),
    (0.8, gettext_lazy("Very likely")),
    (calibration.EVEN, gettext_lazy("Likely")),
    (0.2, gettext_lazy("Rather not")),
    (0.0, gettext_lazy("Hardly")),
)
# A copy stays a copy, whatever the labels say of pictures that are nearly as near.
COPY_WITHIN = 0.01
# Without labels: a best hit that more random pairs than these are nearer than is no find.
RARE = 0.99
_MOST_SAMPLED = 2_000


@dataclass(frozen=True, kw_only=True)
class Worth:
    """What a hit's distance is worth. is_similar: whether it may be called a find; is_copy: of the same picture.

    chance: of the same label, 0..1, where labels tell; rarity: the share of random pairs of its dataset that are
    farther apart. Without either it is farther than any hit that was evaluated.
    """

    chance: float | None
    rarity: float | None
    is_similar: bool
    is_copy: bool

    @property
    def words(self) -> str:
        """It in short."""
        if self.is_copy:
            return _("practically the same picture")
        if self.chance is not None:
            return _("%(chance)s likely the same") % {"chance": _chance(self.chance)}
        if self.rarity is not None:
            return _("nearer than %(share)s of random pairs") % {"share": _share(self.rarity)}
        return _("farther than any hit that was evaluated")

    @property
    def meaning(self) -> str:
        """It in a sentence."""
        if self.chance is not None:
            return _("%(surely)s: of hits as near as this one, %(chance)s have the label of the query") % {
                "surely": next(words for least, words in WORDS if self.chance >= least),
                "chance": _chance(self.chance),
            }
        if self.rarity is not None:
            share = {"share": _share(self.rarity)}
            return _("Of random pairs of pictures of its dataset, %(share)s are farther apart") % share
        return _("No evaluated query of its dataset had a hit as far as this among its first")

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        shares = {"chance": self.chance, "rarity": self.rarity}
        told = {name: None if share is None else round(share, 6) for name, share in shares.items()}
        return {**told, "words": self.words, "is_similar": self.is_similar}


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Turns the distances of one encoder in one dataset into what they are worth.

    tells_copies: whether next to no distance means the same picture.
    """

    chances: dict[str, Any]
    random_pairs: dict[str, Any]
    tells_copies: bool

    def of(self, distance: float) -> Worth | None:
        """Return what a distance is worth; None where nothing is known."""
        chance = self._chance(distance)
        rarity = self._rarity(distance)
        if chance is None and rarity is None and not self.chances:
            return None
        is_copy = self.tells_copies and distance <= COPY_WITHIN
        if chance is not None:
            is_similar = chance >= calibration.EVEN
        else:  # farther than any hit that was evaluated is no find, however rare it may be
            is_similar = rarity is not None and rarity >= RARE and not self.chances
        return Worth(chance=chance, rarity=rarity, is_similar=is_similar or is_copy, is_copy=is_copy)

    def _chance(self, distance: float) -> float | None:
        if not self.chances or distance > self.chances["distances"][-1]:
            return None
        return float(np.interp(distance, self.chances["distances"], self.chances["probabilities"]))

    def _rarity(self, distance: float) -> float | None:
        if not self.random_pairs:
            return None
        farther = 1 - float(np.interp(distance, self.random_pairs["distances"], self.random_pairs["shares"]))
        # Of a thousand pairs none can be rarer than one in a thousand.
        return min(farther, 1 - 1 / self.random_pairs["n_pairs"])


def worths(scales: Mapping[int, Scale], hits: Sequence[Hit]) -> list[Worth | None]:
    """Return what the distance of each hit is worth in the dataset that it is of; None where nothing is known of it."""
    return [scales[hit.dataset_id].of(hit.distance) if hit.dataset_id in scales else None for hit in hits]


def scales_of(encoder: Encoder) -> dict[int, Scale]:
    """Return the scales of an encoder that are known, by dataset."""
    known = Calibration.objects.filter(encoder=encoder, weights_sha256=encoder.weights_sha256)
    # A network that learnt classes gives all images of one class nearly the same vector.
    tells_copies = encoder.distance == Encoder.Distance.COSINE and not encoder.spec.get("training")
    facts = known.values_list("dataset_id", "pk", "created_at")
    found = {dataset_id: _scale(pk, created_at, tells_copies) for dataset_id, pk, created_at in facts}
    return {dataset_id: scale for dataset_id, scale in found.items() if scale is not None}


@lru_cache(maxsize=256)
def _scale(pk: int, created_at: datetime, tells_copies: bool) -> Scale | None:
    """Return what was learnt at that time. Its hundreds of numbers are read once, and not in every search."""
    told = Calibration.objects.filter(pk=pk, created_at=created_at).first()
    if told is None:  # it went, or was learnt anew, meanwhile
        return None
    return Scale(
        chances=_as_arrays(told.chances), random_pairs=_as_arrays(told.random_pairs), tells_copies=tells_copies
    )


def _as_arrays(numbers: dict[str, Any]) -> dict[str, Any]:
    return {name: np.array(one) if isinstance(one, list) else one for name, one in numbers.items()}


def chances(measured: Measured, asked: NDArray[np.int64], answering: NDArray[np.int64]) -> dict[str, Any] | None:
    """Return the fitted chances as JSON keeps them, or None where there is too little to tell them from."""
    chosen = measured.is_answerable
    is_same = answering[measured.neighbours[chosen]] == asked[chosen, np.newaxis]
    try:
        return asdict(calibration.fit(measured.distances[chosen], is_same))
    except calibration.CannotCalibrate:
        return None


def pairs_among(encoder: Encoder, stored: NDArray[np.float32], seed: int = 0) -> dict[str, Any]:
    """Return how far apart random pairs of vectors are, as JSON keeps it; nothing where there are too few."""
    try:
        return asdict(calibration.random_pairs(stored, encoder.distance, seed=seed))  # type: ignore[arg-type]
    except calibration.CannotCalibrate:
        return {}


def keep(
    encoder: Encoder, dataset: Dataset, *, chances: dict[str, Any], pairs: dict[str, Any], n_images: int
) -> Calibration:
    """Keep what was learnt. What labels told stays where nothing new was learnt from them with the same weights."""
    has_same_weights = Calibration.objects.filter(
        encoder=encoder, dataset=dataset, weights_sha256=encoder.weights_sha256
    ).exists()
    told = {"chances": chances} if chances or not has_same_weights else {}
    kept, _ = Calibration.objects.update_or_create(
        encoder=encoder,
        dataset=dataset,
        defaults={
            **told,
            "random_pairs": pairs,
            "weights_sha256": encoder.weights_sha256,
            "n_images": n_images,
            "created_at": timezone.now(),
        },
    )
    return kept


def learn_rarity(encoder: Encoder) -> int:
    """Compare random pairs of the datasets for which that was not done, or when they were half or twice as large.

    Returns for how many it was done. No label is needed, and a second a dataset.
    """
    done = 0
    known = {one.dataset_id: one for one in encoder.calibrations.defer("chances", "random_pairs")}
    for dataset in Dataset.objects.all():
        embedded = Embedding.objects.filter(encoder=encoder, dataset=dataset)
        n_images = embedded.count()
        kept = known.get(dataset.pk)
        if n_images < calibration.LEAST_IMAGES or (kept is not None and _still_fits(kept, encoder, n_images)):
            continue
        _, stored = vectors.read(encoder, _sample(embedded))
        keep(encoder, dataset, chances={}, pairs=pairs_among(encoder, stored), n_images=n_images)
        done += 1
    return done


def _still_fits(kept: Calibration, encoder: Encoder, n_images: int) -> bool:
    return kept.weights_sha256 == encoder.weights_sha256 and n_images / 2 < kept.n_images < n_images * 2


def _sample(embedded: QuerySet[Embedding]) -> list[int]:
    """Return the ids of some images, from all over."""
    ids = np.array(embedded.values_list("image_id", flat=True), np.int64)
    return np.random.default_rng(0).permutation(ids)[:_MOST_SAMPLED].tolist()


def _chance(chance: float) -> str:
    """Write a chance in whole per cent, never as a certainty: under 1 %, 83 %, over 99 %."""
    if chance < 0.01:
        return _("under %(share)s") % {"share": percent(0.01)}
    return _("over %(share)s") % {"share": percent(0.99)} if chance > 0.99 else percent(chance)


def _share(share: float) -> str:
    """Write a share near 1 with as many digits as tell it from 1: 97 %, 99.97 %."""
    digits = next((digits for digits in (0, 1, 2, 3) if 1 - share >= 10 ** -(digits + 2)), None)
    return _("all but a millionth") if digits is None else percent(share, digits)
