"""Which images a request may search: the datasets its user sees, narrowed by what was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Q, QuerySet

from search.models import Dataset, Image
from search.neighbours import Scope

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

MAX_NAMED = 20


class UnknownDataset(Exception):
    """There is no such dataset, or the user may not see it: both are told alike. The message names those there are."""

    def __init__(self, name: str, known: list[str]) -> None:
        self.name = name
        self.known = known
        named = ", ".join(known[:MAX_NAMED]) + (" …" if len(known) > MAX_NAMED else "")
        super().__init__(
            f"There is no dataset {name!r}. " + (f"There are: {named}." if known else "There are no datasets yet.")
        )


def scope_for(
    user: AbstractBaseUser | AnonymousUser | None,
    dataset_slug: str = "",
    *,
    splits: tuple[str, ...] = (),
    labels: tuple[str, ...] = (),
    tags: tuple[str, ...] = (),
    without_image_id: int | None = None,
) -> Scope:
    """Return the scope of a search. dataset_slug: a dataset's slug or name; empty for all that the user may see.

    Raises UnknownDataset.
    """
    datasets = Dataset.objects.visible_to(user)
    chosen = datasets.filter(Q(slug=dataset_slug) | Q(name=dataset_slug)) if dataset_slug else datasets
    dataset_ids = tuple(chosen.values_list("pk", flat=True))
    if dataset_slug and not dataset_ids:
        raise UnknownDataset(dataset_slug, list(datasets.values_list("slug", flat=True)[: MAX_NAMED + 1]))
    return Scope(dataset_ids=dataset_ids, splits=splits, labels=labels, tags=tags, without_image_id=without_image_id)


def visible_images(user: AbstractBaseUser | AnonymousUser | None) -> QuerySet[Image]:
    """Return the images of the datasets that this user may see, each with its dataset."""
    return Image.objects.filter(dataset__in=Dataset.objects.visible_to(user)).select_related("dataset")
