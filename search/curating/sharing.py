"""With which groups a dataset is shared: whoever looks after it offers the groups that they are in, staff any."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import QuerySet

from search.models import Dataset

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser


def groups_offered(user: AbstractBaseUser | AnonymousUser) -> QuerySet[Group]:
    """Return the groups that a user may share datasets with, by name."""
    known = Group.objects.order_by("name")
    return known if getattr(user, "is_staff", False) else known.filter(user=user.pk)


def share(dataset: Dataset, groups: Iterable[Group], user: AbstractBaseUser | AnonymousUser) -> None:
    """Share a dataset with these groups and no others of those that a user may offer; what others gave stays."""
    with transaction.atomic():
        given_by_others = list(dataset.groups.difference(groups_offered(user)))
        dataset.groups.set([*groups, *given_by_others])
