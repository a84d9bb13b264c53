"""Duplicates in a dataset: looked for, listed in groups with the best to keep, decided and undone."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from ninja import Path, Router, Schema, Status
from pydantic import Field

from search.api import fields
from search.api.access import JOBS, READING_OWN, WRITING, own_dataset
from search.api.fields import Body, Cursor, ImageOut, Limit, image_out, page_of
from search.api.jobs import JobOut
from search.api.problems import Problem, refusals
from search.curating import selecting
from search.encoders import NoEncoder
from search.models import DuplicateReview
from search.reviewing import deciding, running
from search.reviewing.groups import Group, groups_of

router = Router(tags=["duplicates"])
Ids = Annotated[list[fields.Id], Field(min_length=2, max_length=500)]
Relation = Literal["file", "same", "turned", "part", "hash"]  # as DuplicatePair.Relation


class DuplicateOut(Schema):
    """An image of a group, and what it is to the best one. n_bits: in how many their perceptual hashes differ."""

    image: ImageOut
    relation: Relation
    n_bits: int | None


class GroupOut(Schema):
    """Images that are the same picture.

    reason: what made the best one best: pixels, bytes, format, date, or decided: it was kept once before.
    labels: the different ones; where there are several, it has to be said which one stays.
    """

    best: ImageOut
    reason: Literal["decided", "pixels", "bytes", "format", "date"]
    others: list[DuplicateOut]
    labels: list[str]


class GroupsOut(Schema):
    """A page of groups that wait for a decision. n_groups: of all pages."""

    items: list[GroupOut]
    next_cursor: int | None
    n_groups: int


class Search(Body):
    """Where to look. also: slugs of other datasets of yours that are compared with it; encoder: empty chooses one."""

    also: Annotated[list[fields.Text], Field(max_length=100)] = []
    encoder: fields.Text = ""


class Decision(Body):
    """What is decided about a group. keep: the image that stays, and the others go; none says that all stay.

    label: the one that stays, where they differ.
    """

    images: Ids
    keep: fields.Id | None = None
    label: fields.Label | None = None


class DecisionOut(Schema):
    """A decision. batch: by which it is undone; merged: label and tags of the one kept, before and after."""

    id: int
    batch: UUID
    kept: int | None
    discarded: list[int]
    merged: dict[str, Any]
    created_at: datetime


class DecisionsOut(Schema):
    """A page of decisions, the newest first."""

    items: list[DecisionOut]
    next_cursor: int | None


class UndoneOut(Schema):
    """What undoing came to. n_lost: images that were in the trash for more than a day, or were added anew."""

    n_reviews: int
    n_restored: int
    n_lost: int


@router.get("/{slug:slug}/duplicates", auth=READING_OWN, response={200: GroupsOut, **refusals()}, summary="List groups")
def list_duplicates(request: HttpRequest, slug: fields.Slug, cursor: Cursor, limit: Limit) -> dict[str, Any]:
    """List the groups of a dataset of yours that the last search found, and that wait for a decision."""
    found = groups_of(own_dataset(request, slug), request.user)
    begins_at = 0 if cursor is None else found.place_after(cursor)
    items = found[begins_at : begins_at + limit]
    return {
        "items": [_told(group) for group in items],
        "next_cursor": _place(items[-1]) if items and begins_at + limit < len(found) else None,
        "n_groups": len(found),
    }


@router.post(
    "/{slug:slug}/duplicates/search",
    auth=JOBS,
    response={202: JobOut, **refusals(409, 413, 415)},
    summary="Look for duplicates",
)
def find_duplicates(request: HttpRequest, slug: fields.Slug, body: Search, response: HttpResponse) -> Status[Any]:
    """Have a worker look for duplicates in a dataset of yours; what it finds replaces what was found before."""
    dataset = own_dataset(request, slug)
    if running.is_live(running.latest(dataset)):
        raise Problem(409, "running", "Duplicates are being looked for in this dataset already.")
    also = [own_dataset(request, other) for other in dict.fromkeys(body.also) if other != slug]
    try:
        job = running.begin(dataset, also, body.encoder, owner=request.user)
    except NoEncoder as error:
        raise Problem(422, "no_encoder", str(error)) from error
    running.send(job)
    job.refresh_from_db()
    response["Location"] = reverse("api-1:read_job", args=[job.pk])
    return Status(202, job)


@router.get(
    "/{slug:slug}/duplicates/decisions",
    auth=READING_OWN,
    response={200: DecisionsOut, **refusals()},
    summary="List decisions",
)
def list_decisions(request: HttpRequest, slug: fields.Slug, cursor: Cursor, limit: Limit) -> dict[str, Any]:
    """List what was decided about duplicates in a dataset of yours."""
    page = page_of(deciding.reviews_of(own_dataset(request, slug), request.user), cursor, limit, newest_first=True)
    return {**page, "items": [_decided(review) for review in page["items"]]}


@router.post(
    "/{slug:slug}/duplicates/decisions",
    auth=WRITING,
    response={201: DecisionOut, **refusals(409, 413, 415)},
    summary="Decide about a group",
)
def decide(request: HttpRequest, slug: fields.Slug, body: Decision) -> Status[dict[str, Any]]:
    """Keep one image of a group and put the others into the trash for a day, or keep all and never be asked again.

    The images are those of a group, or some of them. The one that stays gets the label and the tags that it lacks.
    """
    dataset = own_dataset(request, slug)
    try:
        if body.keep is None:
            review = deciding.keep_all(dataset, body.images, request.user)
        else:
            review = deciding.keep_best(dataset, body.keep, body.images, request.user, label=body.label)
    except deciding.LabelsDiffer as error:
        raise Problem(409, "labels_differ", f"{error} Send it as `label`.") from error
    except (deciding.GroupChanged, selecting.NotAllowed) as error:
        raise Problem(
            409, "not_a_group", "These images are no group of duplicates of this dataset, or no longer: list them anew."
        ) from error
    return Status(201, _decided(review))


@router.post(
    "/{slug:slug}/duplicates/decisions/{batch}/undo",
    auth=WRITING,
    response={200: UndoneOut, **refusals(409)},
    summary="Undo a decision",
)
def undo(request: HttpRequest, slug: fields.Slug, batch: Annotated[UUID, Path(...)]) -> Any:
    """Take a decision back: images from the trash, the label and the tags."""
    dataset = own_dataset(request, slug)
    if not deciding.reviews_of(dataset, request.user).filter(batch=batch).exists():
        raise Problem(409, "undone", "There is no such decision in this dataset, or it was undone before.")
    return deciding.undo(batch, request.user)


def _place(group: Group) -> int:
    """Return where a group stands in the list: groups come in the order of their first images."""
    return min(image.pk for image in group.images)


def _told(group: Group) -> dict[str, Any]:
    return {
        "best": image_out(group.best),
        "reason": group.reason.kind,
        "others": [
            {"image": image_out(member.image), "relation": member.relation, "n_bits": member.n_bits}
            for member in group.others
        ],
        "labels": group.labels,
    }


def _decided(review: DuplicateReview) -> dict[str, Any]:
    names = ("batch", "discarded", "merged", "created_at")
    return {"id": review.pk, "kept": review.kept_id, **{name: getattr(review, name) for name in names}}
