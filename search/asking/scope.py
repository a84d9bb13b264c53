"""Which images a request may search: the datasets its user sees, narrowed by what was asked for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.db.models import QuerySet

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


def scope_for(user: AbstractBaseUser | AnonymousUser | None, dataset: str = "", **filters: Any) -> Scope:
    """Return the scope of a visitor's search. dataset: its slug or name; empty for all that the user may see.

    filters: further fields of Scope. Raises UnknownDataset.
    """
    return scope_among(Dataset.objects.visible_to(user), dataset, **filters)


def scope_of_command(dataset: str = "", **filters: Any) -> Scope:
    """Return the scope of a command, which no visitor's rights limit. Raises UnknownDataset."""
    return scope_among(Dataset.objects.all(), dataset, **filters)


def dataset_of_command(name: str) -> Dataset:
    """Return the one dataset that a command names. Raises UnknownDataset, also for an empty name."""
    datasets = list(Dataset.objects.all())
    if not name:
        raise UnknownDataset(name, [one.slug for one in datasets[: MAX_NAMED + 1]])
    (pk,) = scope_among(datasets, name).dataset_ids[:1]
    return next(one for one in datasets if one.pk == pk)


def scope_among(datasets: Iterable[Dataset], name: str, **filters: Any) -> Scope:
    """Return the scope of a search in one of these datasets, or in all where none is named. Raises UnknownDataset."""
    known = list(datasets)
    # A slug goes before a name: one dataset's slug may be another one's name.
    chosen = [one for one in known if one.slug == name] or [one for one in known if one.name == name]
    if name and not chosen:
        raise UnknownDataset(name, [one.slug for one in known[: MAX_NAMED + 1]])
    return Scope(dataset_ids=tuple(one.pk for one in (chosen if name else known)), **filters)


def visible_images(user: AbstractBaseUser | AnonymousUser | None) -> QuerySet[Image]:
    """Return the images of the datasets that this user may see, each with its dataset."""
    return Image.objects.filter(dataset__in=Dataset.objects.visible_to(user)).select_related("dataset")
