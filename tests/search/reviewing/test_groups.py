"""Groups of duplicates: around the best picture, never along a chain, and why it is the best."""

from __future__ import annotations

from collections import defaultdict

import pytest
from django.contrib.auth.models import User

from search.models import Dataset, DuplicatePair, Image
from search.reviewing.groups import chains, groups_of, rank, stars


def image(dataset: Dataset, digit: str, **fields: object) -> Image:
    facts = {"source": f"{digit}.jpg", "format": "JPEG", "width": 40, "height": 30, "n_bytes": 100, "status": "ready"}
    return Image.objects.create(dataset=dataset, sha256=digit * 64, **{**facts, **fields})


def pair(dataset: Dataset, one: Image, other: Image, relation: str = "same") -> None:
    first, second = sorted((one, other), key=lambda image: image.pk)
    DuplicatePair.objects.create(dataset=dataset, first=first, second=second, relation=relation)


def test_what_hangs_together_is_one_chain() -> None:
    assert chains([(1, 2), (5, 6), (2, 3), (9, 6)]) == [[1, 2, 3], [5, 6, 9]]
    assert chains([]) == []


def test_a_chain_is_cut_where_nobody_looked() -> None:
    linked = defaultdict(set, {1: {2}, 2: {1, 3}, 3: {2, 4}, 4: {3}})
    assert stars([1, 2, 3, 4], linked, lambda one: one) == [[1, 2], [3, 4]]
    assert stars([1, 2, 3, 4], linked, lambda one: -one) == [[4, 3], [2, 1]]
    assert stars([1, 2, 3, 4], linked, lambda one: one != 2) == [[2, 1, 3]]


@pytest.mark.parametrize(
    ("better", "kind"),
    [
        ({"width": 41, "n_bytes": 1, "format": "GIF"}, "pixels"),
        ({"n_bytes": 101, "format": "GIF"}, "bytes"),
        ({"format": "PNG"}, "format"),
    ],
)
def test_the_best_is_told_by_one_thing_after_the_other(
    ann: User, dataset: Dataset, better: dict[str, object], kind: str
) -> None:
    plain, best = image(dataset, "a"), image(dataset, "b", **better)
    pair(dataset, plain, best)
    (group,) = groups_of(dataset, ann)
    assert (group.best, group.reason.kind, group.reason.other) == (best, kind, plain)


def test_among_equals_the_first_stays(ann: User, dataset: Dataset) -> None:
    first, second = image(dataset, "b"), image(dataset, "a")
    pair(dataset, first, second)
    (group,) = groups_of(dataset, ann)
    assert (group.best, group.reason.kind) == (first, "date")
    assert rank(first) < rank(second)


def test_a_group_says_what_each_is_to_the_best(ann: User, dataset: Dataset) -> None:
    small, large, part = image(dataset, "a", width=4), image(dataset, "b"), image(dataset, "c", width=8, label="cut")
    pair(dataset, small, large)
    pair(dataset, large, part, "part")
    (group,) = groups_of(dataset, ann)
    assert group.best == large
    assert [(member.image, member.relation) for member in group.others] == [(part, "part"), (small, "same")]
    assert group.labels == ["cut"]
    assert not group.has_conflict


def test_images_that_somebody_may_not_change_are_in_no_group(ann: User, dataset: Dataset) -> None:
    other = Dataset.objects.create(name="Other")
    pair(dataset, image(dataset, "a"), image(other, "a"), "file")
    assert len(groups_of(dataset, ann)) == 0
    other.owner = ann
    other.save()
    assert len(groups_of(dataset, ann)) == 1
