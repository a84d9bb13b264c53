"""Decisions about duplicates: what is kept, merged and thrown away, remembered by content, and taken back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from search.curating import trash
from search.curating.selecting import NotAllowed
from search.models import Dataset, DuplicateDecision, DuplicateReview, Embedding, Encoder, Image
from search.reviewing import deciding, running
from search.reviewing.deciding import GroupChanged, LabelsDiffer
from search.reviewing.groups import groups_of
from search.work.progress import Bars
from tests.search.reviewing.conftest import AddPicture, whole


def look(dataset: Dataset) -> None:
    running.carry_out(running.begin(dataset), Bars(quiet=True))


def groups(dataset: Dataset, user: User) -> list[list[int]]:
    return [[image.pk for image in group.images] for group in groups_of(dataset, user)]


@pytest.fixture
def large(ann: User, add_picture: AddPicture) -> Image:
    return add_picture(whole())


@pytest.fixture
def small(large: Image, add_picture: AddPicture) -> Image:
    return add_picture(whole().resize((160, 120)), label="sky", tags=["blue"])


@pytest.fixture
def found(dataset: Dataset, large: Image, small: Image) -> list[int]:
    look(dataset)
    return [large.pk, small.pk]


def test_the_best_is_kept_and_gets_what_it_lacks(ann: User, dataset: Dataset, large: Image, found: list[int]) -> None:
    assert groups(dataset, ann) == [found]
    review = deciding.keep_best(dataset, large.pk, found, ann)
    large.refresh_from_db()
    assert (large.label, large.tags) == ("sky", ["blue"])
    assert list(dataset.images.all()) == [large]
    assert groups(dataset, ann) == []
    assert (review.kept, review.discarded, review.user) == (large, found[1:], ann)
    assert deciding.undo(review.batch, ann) == deciding.Undone(n_reviews=1, n_restored=1, n_lost=0)
    large.refresh_from_db()
    assert (large.label, large.tags) == ("", [])
    assert groups(dataset, ann) == [found]
    assert not DuplicateDecision.objects.exists()
    with pytest.raises(NotAllowed):
        deciding.undo(review.batch, ann)


def test_another_one_than_the_suggested_is_kept(ann: User, dataset: Dataset, small: Image, found: list[int]) -> None:
    deciding.keep_best(dataset, small.pk, found, ann)
    assert list(dataset.images.all()) == [small]


def test_different_labels_are_asked_for(ann: User, dataset: Dataset, large: Image, found: list[int]) -> None:
    Image.objects.filter(pk=large.pk).update(label="sea", tags=["wet"])
    for label in (None, "nothing of that"):
        with pytest.raises(LabelsDiffer, match=r"Which label stays: sea, sky\?"):
            deciding.keep_best(dataset, large.pk, found, ann, label=label)
    assert dataset.images.count() == 2
    review = deciding.keep_best(dataset, large.pk, found, ann, label="sky")
    large.refresh_from_db()
    assert (large.label, large.tags) == ("sky", ["wet"])
    Image.objects.filter(pk=large.pk).update(label="cloud")
    deciding.undo(review.batch, ann)
    large.refresh_from_db()
    assert large.label == "cloud"  # changed since: it stays


def test_what_is_no_duplicate_is_not_shown_again(
    ann: User, dataset: Dataset, small: Image, found: list[int], encoder: Encoder
) -> None:
    review = deciding.keep_all(dataset, found, ann)
    assert dataset.images.count() == 2
    look(dataset)
    assert groups(dataset, ann) == []
    deciding.undo(review.batch, ann)
    assert groups(dataset, ann) == [found]


def test_decisions_survive_another_encoder(ann: User, dataset: Dataset, found: list[int], encoder: Encoder) -> None:
    deciding.keep_all(dataset, found, ann)
    other = Encoder.objects.create(name="other", family="fake", dim=2, weights_sha256="1" * 64)
    for pk in found:
        Embedding.objects.create(image_id=pk, encoder=other, dataset=dataset, vector=[1.0, 0.0])
    Encoder.objects.filter(pk=encoder.pk).delete()
    Encoder.objects.filter(pk=other.pk).update(is_default=True)
    look(dataset)
    assert groups(dataset, ann) == []


def test_what_is_no_duplicate_stays_so_when_it_is_imported_again(
    ann: User, dataset: Dataset, small: Image, found: list[int], add_picture: AddPicture
) -> None:
    deciding.keep_all(dataset, found, ann)
    small.delete()
    again = add_picture(whole().resize((160, 120)))
    look(dataset)
    assert again.pk not in found
    assert groups(dataset, ann) == []


@pytest.mark.django_db(transaction=True)
def test_what_was_thrown_away_and_is_imported_again_is_shown_as_decided(
    ann: User, dataset: Dataset, small: Image, found: list[int], add_picture: AddPicture
) -> None:
    review = deciding.keep_best(dataset, small.pk, found, ann)
    Image.objects.filter(trashed_at__isnull=False).update(trashed_at=timezone.now() - timedelta(hours=25))
    trash.purge()
    again = add_picture(whole())
    look(dataset)
    (group,) = groups_of(dataset, ann)
    # It is larger, and yet what was kept before is suggested.
    assert [image.pk for image in group.images] == [small.pk, again.pk]
    assert (group.reason.kind, group.decided_at) == ("decided", review.created_at)
    assert deciding.undo(review.batch, ann).n_lost == 1
    (group,) = groups_of(dataset, ann)
    assert (group.best, group.decided_at) == (again, None)


def test_who_decides_anew_takes_the_decision_before_it_away(
    ann: User, dataset: Dataset, large: Image, found: list[int]
) -> None:
    deciding.keep_all(dataset, found, ann)
    deciding.keep_best(dataset, large.pk, found, ann)
    (decision,) = DuplicateDecision.objects.all()
    assert decision.verdict in ("first", "second")
    assert DuplicateReview.objects.count() == 2


def test_nobody_decides_about_what_is_not_theirs(
    dataset: Dataset, large: Image, found: list[int], django_user_model: type[User]
) -> None:
    bob = django_user_model.objects.create_user("bob")
    with pytest.raises(NotAllowed):
        deciding.keep_best(dataset, large.pk, found, bob)
    review = deciding.keep_all(dataset, found, dataset.owner)
    with pytest.raises(NotAllowed):
        deciding.undo(review.batch, bob)
    assert list(deciding.reviews_of(dataset, bob)) == []


def test_a_group_that_has_changed_is_left_alone(
    ann: User, dataset: Dataset, large: Image, small: Image, found: list[int], add_picture: AddPicture
) -> None:
    stranger = add_picture(whole(9))
    for kept, ids in ((large.pk, [*found, stranger.pk]), (stranger.pk, found), (large.pk, [large.pk]), (0, [])):
        with pytest.raises(GroupChanged):
            deciding.keep_best(dataset, kept, ids, ann)
    trash.discard([small.pk])
    with pytest.raises(GroupChanged):
        deciding.keep_best(dataset, large.pk, found, ann)
    assert dataset.images.count() == 2


def test_of_two_datasets_the_copy_in_one_goes(
    ann: User, dataset: Dataset, large: Image, add_picture: AddPicture
) -> None:
    other: Any = Dataset.objects.create(name="Other", owner=ann)
    copy = add_picture(whole(), dataset=other)
    running.carry_out(running.begin(dataset, [other]), Bars(quiet=True))
    review = deciding.keep_best(dataset, large.pk, [large.pk, copy.pk], ann)
    assert (dataset.images.count(), other.images.count()) == (1, 0)
    deciding.undo(review.batch, ann)
    assert (dataset.images.count(), other.images.count()) == (1, 1)


def test_pairs_that_nobody_has_compared_are_no_group(
    ann: User, dataset: Dataset, large: Image, small: Image, add_picture: AddPicture
) -> None:
    others = [add_picture(whole(8)), add_picture(whole(8).resize((160, 120)))]
    look(dataset)
    ids = [large.pk, small.pk, *(one.pk for one in others)]
    assert len(groups(dataset, ann)) == 2
    with pytest.raises(GroupChanged):
        deciding.keep_best(dataset, large.pk, ids, ann)
    assert dataset.images.count() == 4
