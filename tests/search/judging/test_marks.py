"""Marks of searches: what is kept, once; what is refused; and the pairs that come of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.db import IntegrityError, transaction

from search.judging import marks
from search.models import Dataset, Image, Mark

AddImage = Callable[..., Image]


@pytest.fixture
def ids(add_image: AddImage) -> list[int]:
    return [add_image(colour).pk for colour in ("red", "tomato", "orange", "blue", "navy")]


def rows() -> set[tuple[int, int, bool]]:
    return set(Mark.objects.values_list("image", "sign", "is_query"))


def test_the_marks_of_a_search_are_kept_together(ids: list[int]) -> None:
    query, like, _, unlike, _ = ids
    assert marks.keep([like], [unlike], [query], AnonymousUser()) == 3
    assert rows() == {(query, 1, True), (like, 1, False), (unlike, -1, False)}
    assert Mark.objects.values("search").distinct().count() == 1


def test_marks_that_are_kept_twice_are_one_search(ids: list[int], django_user_model: type[User]) -> None:
    ann, ben = (django_user_model.objects.create_user(name) for name in ("ann", "ben"))
    for user in (ann, ann, ben):
        assert marks.keep([ids[1], ids[2]], [ids[3]], [ids[0]], user) == 4
    marks.keep([ids[2], ids[1], ids[1]], [ids[3]], [ids[0]], ann)
    assert Mark.objects.values("search").distinct().count() == 2
    assert set(Mark.objects.values_list("user__username", flat=True)) == {"ann", "ben"}


def test_a_search_that_is_marked_further_is_not_counted_twice(ids: list[int], admin_user: User) -> None:
    query, like, another, unlike, _ = ids
    marks.keep([like], [], [query], admin_user)
    marks.keep([like, another], [unlike], [query], admin_user)
    assert rows() == {(query, 1, True), (like, 1, False), (another, 1, False), (unlike, -1, False)}
    # Another search with some of the same images stays beside it.
    marks.keep([another], [], [like], admin_user)
    assert Mark.objects.values("search").distinct().count() == 2


def test_images_that_the_user_may_not_see_are_left_out(ids: list[int], add_image: AddImage, admin_user: User) -> None:
    hidden = add_image("green", dataset=Dataset.objects.create(name="Private", is_public=False)).pk
    assert marks.keep([hidden, ids[1]], [ids[3], 10**9], [ids[0]], None) == 3
    assert hidden not in Mark.objects.values_list("image", flat=True)
    assert marks.keep([hidden, ids[1]], [ids[3]], [ids[0]], admin_user) == 4


@pytest.mark.parametrize(("positives", "negatives", "queries"), [([], [], [0]), ([], [3, 4], []), ([1], [], [])])
def test_marks_that_tell_nothing_are_refused(
    ids: list[int], positives: list[int], negatives: list[int], queries: list[int]
) -> None:
    chosen = [[ids[place] for place in places] for places in (positives, negatives, queries)]
    with pytest.raises(marks.CannotKeep, match="at least one image as like what you look for, and one more"):
        marks.keep(*chosen, None)
    assert not Mark.objects.exists()


def test_an_image_cannot_be_like_and_unlike(ids: list[int]) -> None:
    with pytest.raises(marks.CannotKeep, match="cannot be like and unlike"):
        marks.keep([ids[1]], [ids[0]], [ids[0]], None)


def test_a_search_has_no_more_marks_than_a_page_could_have(db: None) -> None:
    with pytest.raises(marks.CannotKeep, match="up to 100 marks"):
        marks.keep(list(range(1, 102)), [], [], None)


def test_of_a_dataset_only_what_was_said_of_its_images_counts(ids: list[int], add_image: AddImage) -> None:
    other = Dataset.objects.create(name="Other")
    marks.keep([ids[1], (far := add_image("green", dataset=other).pk)], [ids[3]], [ids[0]], None)
    (judged,) = marks.searches(Dataset.objects.get(name="Colours"))
    assert (judged.queries, judged.positives, judged.negatives) == ((ids[0],), (ids[1],), (ids[3],))
    assert far in marks.searches()[0].positives


def test_marks_go_with_their_image_and_stay_without_their_user(ids: list[int], admin_user: User) -> None:
    marks.keep([ids[1]], [ids[3]], [ids[0]], admin_user)
    admin_user.delete()
    Image.objects.get(pk=ids[1]).delete()
    assert set(Mark.objects.values_list("image", "user")) == {(ids[0], None), (ids[3], None)}


@pytest.mark.parametrize("facts", [{"sign": 0}, {"sign": 2}])
def test_a_mark_is_plus_or_minus(ids: list[int], facts: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError, match="mark_sign_plus_or_minus"), transaction.atomic():
        Mark.objects.create(search=marks.search_of([1], [], [], None), image_id=ids[0], **facts)
