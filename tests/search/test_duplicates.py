"""Copies of a query among the images that may answer: the same file, the same picture, parts of it, nothing else."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import numpy as np
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
from numpy.typing import NDArray
from pgvector import HalfVector
from PIL import ImageEnhance, ImageOps
from PIL.Image import Image as PillowImage
from pytest_django import DjangoAssertNumQueries

from search.asking import duplicates
from search.asking.duplicates import LIKELY_BITS, SURE_BITS, Copies, Face
from search.models import Dataset, Embedding, Encoder, Image
from search.neighbours import Scope, nearest
from tests.pictures import photo, saved
from tests.rows import make_images

DIM = 16
PHASH = "0110" * 16


@pytest.fixture
def encoder(db: None) -> Encoder:
    return Encoder.objects.create(name="random", family="fake", dim=DIM, weights_sha256="0" * 64, is_default=True)


def unit(seed: int) -> NDArray[np.float32]:
    vector = np.random.default_rng(seed).normal(size=DIM).astype(np.float32)
    return vector / np.linalg.norm(vector)


def flipped(n_bits: int, phash: str = PHASH) -> str:
    """Return a hash that differs in the first n bits."""
    return "".join("10"[int(bit)] for bit in phash[:n_bits]) + phash[n_bits:]


def add(
    encoder: Encoder, digit: str, *, name: str = "a", vector: NDArray[np.float32] | None = None, **fields: Any
) -> int:
    """Add an image that is like nothing, but for what is said of it."""
    dataset, _ = Dataset.objects.get_or_create(name=name)
    facts = {"source": "x.png", "format": "PNG", "width": 1, "height": 1, "n_bytes": 1, "status": "ready"}
    image = Image.objects.create(dataset=dataset, sha256=digit * 64, **{**facts, "phash": "0011" * 16, **fields})
    vector = unit(2) if vector is None else vector
    Embedding.objects.create(image=image, encoder=encoder, dataset=dataset, vector=HalfVector(vector))
    return image.pk


def found(
    encoder: Encoder, *, phash: str = PHASH, picture: bytes | None = None, limit: int = 50, **scope: Any
) -> Copies:
    within = Scope(dataset_ids=tuple(Dataset.objects.values_list("pk", flat=True)), **scope)
    hits = nearest(unit(1), encoder, within, k=5).hits
    begun = duplicates.begin("f" * 64, lambda: Face(phash, picture), encoder, within, limit=limit)
    return duplicates.find(begun, hits, limit=limit)


def ids(copies: Copies) -> tuple[list[int], list[int]]:
    return [copy.image_id for copy in copies.exact], [copy.image_id for copy in copies.near]


def test_the_same_file_is_an_exact_copy_in_every_dataset_and_no_near_one(encoder: Encoder) -> None:
    same = {"phash": PHASH, "vector": unit(1)}
    first, second = add(encoder, "f", **same), add(encoder, "f", name="b", **same)
    add(encoder, "0")
    copies = found(encoder)
    assert ids(copies) == ([first, second], [])
    assert {(copy.kind, copy.reason) for copy in copies.exact} == {("exact", "the same file")}


def test_images_that_are_like_nothing_are_no_copies(encoder: Encoder) -> None:
    add(encoder, "0")
    assert ids(found(encoder)) == ([], [])


def test_a_hash_that_is_near_enough_makes_a_copy_sure(encoder: Encoder) -> None:
    near = add(encoder, "0", phash=flipped(SURE_BITS))
    same = add(encoder, "1", phash=PHASH)
    add(encoder, "2", phash=flipped(SURE_BITS + 1), vector=unit(1))
    copies = found(encoder)
    assert ids(copies) == ([], [same, near])
    assert [copy.reason for copy in copies.near] == ["the same picture", "the same picture, 2 of 64 bits differ"]
    assert copies.by_image[near].kind == "near"


def test_a_likely_hash_is_found_wherever_its_bits_lie(encoder: Encoder) -> None:
    within, beyond = [], []
    for n in range(20):
        places = np.random.default_rng(n).permutation(64)[: LIKELY_BITS + n % 2]
        phash = "".join("10"[int(bit)] if place in places else bit for place, bit in enumerate(PHASH))
        image = add(encoder, "0", name=f"d{n}", phash=phash)
        (beyond if n % 2 else within).append(image)
    scope = Scope(dataset_ids=tuple(Dataset.objects.values_list("pk", flat=True)))
    assert duplicates._hashed(PHASH, encoder, scope) == [(image, LIKELY_BITS, "") for image in within]


def test_near_hashes_come_from_the_indexes_of_their_bands(
    encoder: Encoder, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    dataset = Dataset.objects.create(name="many")
    make_images(dataset, 10_000)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE search_image SET phash = (random() * 2^62)::bigint::bit(64)")
        cursor.execute("ANALYZE search_image")
        with django_assert_num_queries(1) as asked:
            duplicates._hashed(PHASH, encoder, Scope(dataset_ids=(dataset.pk,)))
        cursor.execute(f"EXPLAIN {asked.captured_queries[0]['sql']}")
        plan = "\n".join(line for (line,) in cursor.fetchall())

    assert plan.count("Bitmap Index Scan on image_phash_band_") == 4, plan
    assert "Seq Scan on search_image" not in plan, plan


@pytest.mark.parametrize("plain", ["0" * 64, "1" * 64, "0" * 60 + "1111"])
def test_plain_pictures_are_no_copies_of_each_other(plain: str, encoder: Encoder) -> None:
    add(encoder, "0", phash=plain)
    add(encoder, "1", phash=None)
    assert ids(found(encoder, phash=plain)) == ([], [])


@pytest.mark.parametrize("scope", [{"splits": ("test",)}, {"labels": ("apple",)}, {"tags": ("red",)}])
def test_filters_hold_for_copies_of_every_kind(encoder: Encoder, scope: dict[str, tuple[str, ...]]) -> None:
    wanted = {"split": "test", "label": "apple", "tags": ["red"]}
    for name, fields in (("here", wanted), ("there", {})):
        add(encoder, "f", name=name, **fields)
        add(encoder, "1", name=name, phash=PHASH, **fields)
    exact, near = ids(found(encoder, **scope))
    here = list(Image.objects.filter(dataset__name="here").order_by("pk").values_list("pk", flat=True))
    assert (exact, near) == (here[:1], here[1:])


def test_datasets_out_of_scope_and_the_query_itself_are_left_out(encoder: Encoder) -> None:
    itself = add(encoder, "f", phash=PHASH, vector=unit(1))
    add(encoder, "f", name="private", phash=PHASH, vector=unit(1))
    scope = Scope(dataset_ids=(Dataset.objects.get(name="a").pk,)).without(itself)
    hits = nearest(unit(1), encoder, scope, k=5).hits
    begun = duplicates.begin("f" * 64, lambda: Face(PHASH), encoder, scope)
    assert ids(duplicates.find(begun, hits)) == ([], [])


def test_no_more_are_returned_than_asked_for_the_surest_first(encoder: Encoder) -> None:
    by_bits = {bits: add(encoder, str(bits), phash=flipped(bits)) for bits in (2, 0, 1)}
    assert ids(found(encoder, limit=2)) == ([], [by_bits[0], by_bits[1]])


WHOLE, STRANGER = photo(320, 240, seed=3), photo(320, 240, seed=4)
CUT_OUT = WHOLE.crop((30, 40, 230, 190))


def thumbnail(picture: PillowImage) -> str:
    content = saved(picture, "JPEG")
    return default_storage.save(f"thumbnails/{sha256(content).hexdigest()}.jpg", ContentFile(content))


@pytest.mark.parametrize(
    ("query", "stored", "reason"),
    [
        (ImageEnhance.Contrast(WHOLE).enhance(0.7), WHOLE, "the same picture, edited"),
        (ImageOps.mirror(WHOLE), WHOLE, "the same picture, mirrored or turned"),
        (CUT_OUT, WHOLE, "your picture is a part of it"),
        (WHOLE, CUT_OUT, "a part of your picture"),
    ],
)
def test_the_first_hits_are_looked_at(encoder: Encoder, query: PillowImage, stored: PillowImage, reason: str) -> None:
    source, _ = add(encoder, "0", thumbnail=thumbnail(stored)), add(encoder, "1", thumbnail=thumbnail(STRANGER))
    assert ids(found(encoder)) == ([], [])
    copies = found(encoder, picture=saved(query, "PNG"))
    assert [(copy.image_id, copy.reason) for copy in copies.near] == [(source, reason)]


def test_images_with_likely_hashes_are_looked_at_though_they_are_no_hits(encoder: Encoder) -> None:
    for name in "01234":
        add(encoder, name, vector=unit(1))
    source = add(encoder, "5", thumbnail=thumbnail(WHOLE), vector=-unit(1), phash=flipped(LIKELY_BITS))
    add(encoder, "6", thumbnail=thumbnail(WHOLE), vector=-unit(1), phash=flipped(LIKELY_BITS + 1))
    assert ids(found(encoder, picture=saved(WHOLE, "PNG"))) == ([], [source])


def test_a_lost_thumbnail_is_passed_over(encoder: Encoder) -> None:
    add(encoder, "0", thumbnail="thumbnails/lost.jpg")
    source, _ = add(encoder, "1", thumbnail=thumbnail(WHOLE)), add(encoder, "2", thumbnail="")
    assert ids(found(encoder, picture=saved(WHOLE, "PNG"))) == ([], [source])
