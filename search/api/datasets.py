"""Datasets: listed, made, read, changed, put into the trash."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Annotated, Any

from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from ninja import Router, Schema, Status
from pydantic import Field

from search.api.access import ANYBODY, READING, WRITING, own_dataset, seen_dataset
from search.api.fields import Body, Cursor, Limit, Slug, page_of
from search.api.problems import Problem, refusals
from search.curating import browsing, selecting, sharing, trash
from search.models import Dataset

router = Router(tags=["datasets"])
# With more in it than blanks.
Name = Annotated[str, Field(pattern=r"^[^\x00-\x1f]*[^\x00-\x20][^\x00-\x1f]*$", min_length=1, max_length=100)]
Groups = Annotated[list[Annotated[str, Field(pattern=r"^[^\x00]*$", max_length=150)]], Field(max_length=100)]
Description = Annotated[str, Field(pattern=r"^[^\x00]*$", max_length=10_000)]


class DatasetIn(Body):
    """A new dataset. Where it is not public, its owner, its groups and staff may see it.

    groups: by name, of those that you are in; for staff any.
    """

    name: Name
    description: Description = ""
    is_public: bool = True
    groups: Groups = []


class DatasetChange(Body):
    """What shall be different; what is left out stays. groups: all of yours, in place of those that there are."""

    name: Name | None = None
    description: Description | None = None
    is_public: bool | None = None
    groups: Groups | None = None


class DatasetOut(Schema):
    """A dataset and how many images it has, by status. may_change: whether the caller may add and change images.

    groups: who else sees it, told to those who may change it.
    """

    slug: str
    name: str
    description: str
    is_public: bool
    may_change: bool
    groups: list[str]
    n_images: int
    n_ready: int
    n_pending: int
    n_refused: int
    created_at: datetime
    url: str


class DatasetsOut(Schema):
    """A page of datasets, the oldest first."""

    items: list[DatasetOut]
    next_cursor: int | None


@router.get(
    "", auth=READING, response={200: DatasetsOut, **refusals()}, openapi_extra=ANYBODY, summary="List the datasets"
)
def list_datasets(request: HttpRequest, cursor: Cursor, limit: Limit) -> dict[str, Any]:
    """List the datasets that you may see."""
    page = page_of(Dataset.objects.visible_to(request.user).prefetch_related("groups"), cursor, limit)
    return {**page, "items": _told(request, page["items"])}


@router.post("", auth=WRITING, response={201: DatasetOut, **refusals(409, 413, 415)}, summary="Make a dataset")
def make_dataset(request: HttpRequest, body: DatasetIn, response: HttpResponse) -> Status[dict[str, Any]]:
    """Make a dataset, which is yours. It needs the permission to add datasets."""
    if not request.user.has_perm("search.add_dataset"):
        raise Problem(403, "forbidden", "You may not make datasets.")
    groups = _groups(request, body.groups)
    made = Dataset(**body.dict(exclude={"groups"}), owner_id=request.user.pk)
    _save(made, groups, request)
    response["Location"] = reverse("api-1:read_dataset", args=[made.slug])
    return Status(201, _told(request, [made])[0])


@router.get(
    "/{slug:slug}",
    auth=READING,
    response={200: DatasetOut, **refusals()},
    openapi_extra=ANYBODY,
    summary="Read a dataset",
)
def read_dataset(request: HttpRequest, slug: Slug) -> dict[str, Any]:
    return _told(request, [seen_dataset(request, slug)])[0]


@router.patch(
    "/{slug:slug}", auth=WRITING, response={200: DatasetOut, **refusals(409, 413, 415)}, summary="Change a dataset"
)
def change_dataset(request: HttpRequest, slug: Slug, body: DatasetChange) -> dict[str, Any]:
    """Change the name, the description, whether it is public, or the groups that see it. Its slug stays."""
    found = own_dataset(request, slug)
    groups = None if body.groups is None else _groups(request, body.groups)
    changes = body.dict(exclude_none=True, exclude={"groups"})
    for field, value in changes.items():
        setattr(found, field, value)
    _save(found, groups, request, only=changes)
    return _told(request, [found])[0]


@router.delete("/{slug:slug}", auth=WRITING, response={204: None, **refusals()}, summary="Delete a dataset")
def delete_dataset(request: HttpRequest, slug: Slug) -> Status[None]:
    """Put a dataset with all its images into the trash, where it is for a day."""
    found = seen_dataset(request, slug)
    if not selecting.may_delete(request.user, found):
        raise Problem(403, "forbidden", "You may not delete this dataset.")
    trash.discard_dataset(found)
    return Status(204, None)


@router.post(
    "/{slug:slug}/restore",
    auth=WRITING,
    response={200: DatasetOut, **refusals()},
    summary="Take a dataset back from the trash",
)
def restore_dataset(request: HttpRequest, slug: Slug) -> dict[str, Any]:
    """Take a dataset back that was deleted within the last day. One that is not in the trash is told as it is.

    Where its name was given away meanwhile, it comes back under another one.
    """
    deleted = trash.datasets_of(request.user).filter(slug=slug).first()
    found = own_dataset(request, slug) if deleted is None else trash.restore_dataset(deleted)
    return _told(request, [found])[0]


def _groups(request: HttpRequest, names: Sequence[str]) -> list[Group]:
    """Return groups by their names. Raises Problem 422 for one that the caller may not share with."""
    offered = {group.name: group for group in sharing.groups_offered(request.user).filter(name__in=names)}
    for name in names:
        if name not in offered:
            raise Problem(422, "unknown_group", f"There is no group {name[:100]!r} that you could share with.")
    return list(offered.values())


def _save(
    dataset: Dataset, groups: list[Group] | None, request: HttpRequest, only: Collection[str] | None = None
) -> None:
    """Keep a dataset. only: the fields that are changed, for others may change the rest meanwhile."""
    dataset.name = dataset.name.strip()
    try:
        with transaction.atomic():
            dataset.save(update_fields=only)
            if groups is not None:
                sharing.share(dataset, groups, request.user)
    except IntegrityError as error:
        raise Problem(409, "name_taken", "There is a dataset of this name already.") from error


def _told(request: HttpRequest, datasets: Sequence[Dataset]) -> list[dict[str, Any]]:
    """Return what is told of datasets, in their order."""
    ids = [one.pk for one in datasets]
    counts = browsing.counts(ids)
    own = set(selecting.datasets_of(request.user).filter(pk__in=ids).values_list("pk", flat=True))
    return [
        {
            "slug": one.slug,
            "name": one.name,
            "description": one.description,
            "is_public": one.is_public,
            "may_change": one.pk in own,
            "groups": sorted(group.name for group in one.groups.all()) if one.pk in own else [],
            "n_images": sum(counts.get(one.pk, {}).values()),
            **{f"n_{status}": counts.get(one.pk, {}).get(status, 0) for status in ("ready", "pending", "refused")},
            "created_at": one.created_at,
            "url": one.get_absolute_url(),
        }
        for one in datasets
    ]
