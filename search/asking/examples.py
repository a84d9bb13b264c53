"""A search by several pictures: more like these, less like those. Together they become one vector."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from embeddings.images import Crop
from search.asking import queries
from search.asking.queries import Query
from search.asking.scope import visible_images
from search.models import Encoder, Image

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

MOST = 20
LARGEST_ID = 2**63 - 1
# What pictures that are not wanted count, in all, against those that are.
AGAINST = 0.5
# A mix of unit vectors that is shorter points nowhere.
NO_DIRECTION = 1e-6
WEIGHTS = (0.5, 1.0, 2.0, 3.0)


class UnknownImage(Exception):
    """There is no such image, or the user may not see it: both are told alike."""


class NothingWanted(Exception):
    """What was given says nothing of what results should be like."""


@dataclass(frozen=True, kw_only=True)
class Wish:
    """A picture that somebody named: the key of an upload, or an image's id, and how much it counts."""

    name: str
    weight: float = 1.0

    @property
    def text(self) -> str:
        """The wish as an address has it: "12", or "12~2" where it counts twice."""
        return self.name if self.weight == 1 else f"{self.name}~{self.weight:g}"


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """All that a search was asked for with. The crop is one of the first picture."""

    keys: Sequence[Wish] = ()
    images: Sequence[Wish] = ()
    less: Sequence[Wish] = ()
    crop: Crop | None = None

    def __bool__(self) -> bool:
        return bool(self.keys or self.images or self.less)


@dataclass(frozen=True, kw_only=True)
class Example:
    """One of the pictures that a search was made with. is_wanted: whether results are to be like it."""

    query: Query
    wish: Wish
    is_wanted: bool = True

    @property
    def field(self) -> str:
        """The name under which an address has it."""
        return "less" if not self.is_wanted else "image" if self.query.image else "q"

    @property
    def next_weight(self) -> float:
        """The next of the weights that a page offers in turn."""
        return next((weight for weight in WEIGHTS if weight > self.wish.weight), WEIGHTS[0])


@dataclass(frozen=True, kw_only=True)
class Mix:
    """What a search is made with: its examples, the first of which is the picture it began with, and their vector."""

    examples: Sequence[Example]
    vector: NDArray[np.float32] = field(repr=False)

    @property
    def main(self) -> Query:
        return self.examples[0].query

    @property
    def is_mixed(self) -> bool:
        return len(self.examples) > 1

    @property
    def is_one_picture(self) -> bool:
        """Whether this is one whole picture, of which there may be copies."""
        return not self.is_mixed and self.main.crop is None

    @property
    def image_ids(self) -> list[int]:
        """The images of galleries among the examples, which are not to answer."""
        return [example.query.image.pk for example in self.examples if example.query.image]

    @property
    def decode_ms(self) -> float:
        return sum(example.query.decode_ms for example in self.examples)

    @property
    def embed_ms(self) -> float:
        return sum(example.query.embed_ms for example in self.examples)


def recall(
    wishes: Wishes,
    encoder: Encoder,
    user: AbstractBaseUser | AnonymousUser | None,
    *,
    beside: Sequence[Example] = (),
) -> Mix:
    """Return what was asked with, uploads first, then images of galleries, then what results should not be like.

    beside: what is at hand already, and goes before all of them.
    Raises NothingWanted, UnknownImage, queries.QueryExpired, embeddings.images.RefusedImage, encoders.NoEncoder.
    """
    found = _images([*wishes.images, *wishes.less], user)
    crops = iter([wishes.crop])
    examples = [
        *beside,
        *(Example(query=queries.recall(wish.name, encoder, next(crops, None)), wish=wish) for wish in wishes.keys),
        *(
            Example(query=queries.from_image(found[wish.name], encoder, next(crops, None)), wish=wish)
            for wish in wishes.images
        ),
        *(
            Example(query=queries.from_image(found[wish.name], encoder), wish=wish, is_wanted=False)
            for wish in wishes.less
        ),
    ]
    if not examples or not examples[0].is_wanted:
        raise NothingWanted("Choose a picture that results should be like, too.")
    return mix(examples, encoder)


def mix(examples: Sequence[Example], encoder: Encoder) -> Mix:
    """Return the examples with the vector that stands for them all.

    The weighted mean of what is wanted, less AGAINST times that of what is not (Rocchio 1971), of unit length where the
    encoder compares by cosine. The first example is wanted.
    """
    wanted = _mean([example for example in examples if example.is_wanted])
    unwanted = [example for example in examples if not example.is_wanted]
    vector = wanted - AGAINST * _mean(unwanted) if unwanted else wanted
    length = float(np.linalg.norm(vector))
    if encoder.distance == Encoder.Distance.COSINE and len(examples) > 1:
        if length < NO_DIRECTION:
            raise NothingWanted("These pictures cancel each other out. Take one of them off.")
        vector = vector / length
    return Mix(examples=examples, vector=vector.astype(np.float32))


def _mean(examples: Sequence[Example]) -> NDArray[np.float32]:
    if len(examples) == 1:
        return examples[0].query.vector
    weights = np.array([example.wish.weight for example in examples], dtype=np.float32)
    vectors = np.stack([example.query.vector for example in examples])
    return (weights @ vectors / weights.sum()).astype(np.float32)


def _images(wishes: Iterable[Wish], user: AbstractBaseUser | AnonymousUser | None) -> dict[str, Image]:
    names = {wish.name for wish in wishes}
    ids = [pk for pk in map(int, names) if pk <= LARGEST_ID]
    found = {str(image.pk): image for image in visible_images(user).filter(pk__in=ids)}
    if missing := names - found.keys():
        raise UnknownImage(f"There is no image {min(missing)}.")
    return found
