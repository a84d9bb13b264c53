"""Two owners of nearly the same pictures, a public dataset of some of them, and what each visitor may be told."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_plus, urlsplit

import numpy as np
from django.contrib.auth.models import User
from django.db import connection
from django.http import QueryDict
from django.test import Client
from numpy.typing import NDArray

from search import embedding
from search.models import Dataset, Embedding, Encoder, Image
from tests.pictures import photo, saved

# Everything that belongs to somebody has one of these in its names.
OWNERS = ("quokka", "walrus")
EVERYBODY = "commons"
_QUALITIES = {"quokka": 92, "walrus": 70, EVERYBODY: 80}
# Where an answer names an image, by its number or its content.
_IDS = re.compile(r"/images/(\d+)|data-id=\"(\d+)|\"id\": (\d+)|(?:image|less)=(\d+)|name=\"chosen\" value=\"(\d+)")
_DIGESTS = re.compile(r"[0-9a-f]{12,64}")
# What is another one each time: times, tokens of forms, keys of pictures that were sent, draws.
_CHANGING = re.compile(
    r'csrfmiddlewaretoken" value="[^"]*|"took_ms": \{[^}]*|[\d.,]+ ms|draw=\d+|(?:q=|/query/|name="q" value=")[\w-]{22}'
)


@dataclass(frozen=True, kw_only=True)
class Fact:
    """What the tests know of an image without asking the site."""

    id: int
    dataset: str
    source: str
    label: str
    tags: tuple[str, ...]
    is_portrait: bool
    sha256: str
    content: bytes = field(repr=False)
    vector: NDArray[np.float64] = field(repr=False)

    def fits(self, filters: Mapping[str, str]) -> bool:
        """Return whether the filters of a page let the image answer."""
        words = f"{self.source} {self.label} {' '.join(self.tags)}".lower()
        return (
            filters.get("label") in {None, self.label}
            and filters.get("tag") in {None, *self.tags}
            and filters.get("dataset") in {None, self.dataset}
            and filters.get("orientation") in {None, "portrait" if self.is_portrait else "landscape"}
            and all(word in words for word in filters.get("words", "").split())
        )


@dataclass(kw_only=True)
class Visitor:
    """Somebody who asks; every answer is looked through for what is others'.

    answers: their texts, but for times. passed_by: the share of images that an index may miss on the way to the last.
    """

    client: Client
    sees: list[Fact]
    foreign: list[Fact]
    words: tuple[str, ...]
    passed_by: float = 0.0
    answers: list[str] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        self._ids = {str(fact.id) for fact in self.foreign}
        self._digests = {fact.sha256[:12] for fact in self.foreign}

    def get(self, address: str, fields: Mapping[str, Any] | None = None) -> Any:
        asked = fields or QueryDict(urlsplit(address).query).dict()
        return self._looked_through(self.client.get(address, fields or {}), asked)

    def post(self, address: str, fields: Mapping[str, Any]) -> Any:
        return self._looked_through(self.client.post(address, fields), fields)

    def post_json(self, address: str, fields: Mapping[str, Any]) -> Any:
        response = self.client.post(address, json.dumps(fields), content_type="application/json")
        return self._looked_through(response, fields)

    def _looked_through(self, response: Any, asked: Mapping[str, Any]) -> Any:
        """Assert that an answer shows nothing of others but the words that it was asked with; return it."""
        text = html.unescape(b"".join(response).decode())
        self.answers.append(f"{response.status_code} {_CHANGING.sub('', text)}")
        text = unquote_plus(unquote_plus(text))  # the address of an address of a page
        for told in _texts(asked):
            text = text.replace(told, "")
        shown = {word for word in self.words if word in text.lower()}
        shown |= self._ids & {one for found in _IDS.findall(text) for one in found if one}
        shown |= self._digests & {found[:12] for found in _DIGESTS.findall(text)}
        assert shown == set(), asked
        return response

    def fitting(self, filters: Mapping[str, str], but: Iterable[int] = ()) -> list[Fact]:
        """Return what may answer a search: what this visitor sees, filtered, without what is searched with."""
        left_out = set(but)
        return [fact for fact in self.sees if fact.id not in left_out and fact.fits(filters)]


def _texts(asked: Mapping[str, Any]) -> list[str]:
    """Return the words of others that a question has."""
    values = [one for value in asked.values() for one in (value if isinstance(value, list) else [value])]
    return [one for one in values if isinstance(one, str) and any(word in one for word in OWNERS)]


def visitors(
    n: int, n_public: int, encoders: list[Encoder], add_image: Callable[..., Image], users: type[User]
) -> dict[str, Visitor]:
    """Make the datasets, n images each and n_public of everybody's; return both owners, and anybody.

    Their images have numbers of seven digits, which stand for nothing else in an answer.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT setval(pg_get_serial_sequence('search_image', 'id'), 7000000)")
    owners = {name: users.objects.create_user(f"{name}-keeper") for name in OWNERS}
    facts: dict[str, list[Fact]] = {}
    for name, n_images in (*((owner, n) for owner in OWNERS), (EVERYBODY, n_public)):
        dataset = Dataset.objects.create(name=f"{name}", is_public=name == EVERYBODY, owner=owners.get(name))
        facts[name] = _filled(dataset, n_images, encoders, add_image)
    found = {}
    for name in (*OWNERS, "anybody"):
        client = Client()
        if name in owners:
            client.force_login(owners[name])
        others = [owner for owner in OWNERS if owner != name]
        found[name] = Visitor(
            client=client,
            sees=[*facts.get(name, []), *facts[EVERYBODY]],
            foreign=[fact for owner in others for fact in facts[owner]],
            words=tuple(others),
        )
    return found


def _filled(dataset: Dataset, n: int, encoders: list[Encoder], add_image: Callable[..., Image]) -> list[Fact]:
    """Give a dataset its images. The same number is the same picture in each, saved at another quality."""
    name = dataset.slug
    contents = {}
    for number in range(n):
        size = (48, 64) if number % 4 == 0 else (64, 48)
        content = saved(photo(*size, seed=number), "JPEG", quality=_QUALITIES[name])
        image = add_image(
            content=content,
            embedded=False,
            dataset=dataset,
            source=f"{name}/shelf {number}.jpg",
            label="plain" if number % 3 else f"{name} {number % 7}",
            tags=["shared", f"{name}-{number % 4}"],
        )
        contents[image.pk] = content
    for encoder in encoders:
        embedding.embed(encoder, list(contents))
    vectors = dict(Embedding.objects.filter(encoder=encoders[0]).values_list("image", "vector"))
    return [
        Fact(
            id=image.pk,
            dataset=name,
            source=image.source,
            label=image.label,
            tags=tuple(image.tags),
            is_portrait=image.height > image.width,
            sha256=image.sha256,
            content=contents[image.pk],
            vector=np.asarray(vectors[image.pk], np.float64),
        )
        for image in dataset.images.all()
    ]
